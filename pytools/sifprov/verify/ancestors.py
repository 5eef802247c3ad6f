"""The containers that records name: found, with the records that they carried then, and with the
content that they had."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from sifprov.carrier import Carrier
from sifprov.changes import CHANGED, standing
from sifprov.content import TooLateError, image_digest
from sifprov.errors import MissingError, SifprovError
from sifprov.frozen import dataclass, replace
from sifprov.model.container import APPLICATION, FOLDER, OUTPUT, PROVISIONAL, Container
from sifprov.model.record import Record
from sifprov.sif import open_image
from sifprov.verify.check import Check, Findings
from sifprov.verify.content import (
    TOO_LATE,
    Step,
    Told,
    named_changes,
    patience,
    read_tree,
    told,
    unreadable,
)
from sifprov.verify.finding import embedded_in

# Hostile records may name containers without end.
MAX_USED = 10_000


@dataclass(frozen=True)
class Used:
    """A container as a record names it, and the one that is found now."""

    container: Container
    found: Carrier | None


def used(records: Iterable[Record], find: Callable[[Container], Carrier | None]) -> list[Used]:
    """Returns each container, in each state that it was used in, once."""
    once: dict[tuple[object, ...], Container] = {}
    for record in records:
        for container in record.containers:
            if container.role == OUTPUT or len(once) == MAX_USED:
                continue
            who = container.uuid or container.path
            state = (container.role, who, container.digest, container.record, container.created)
            once.setdefault(state, container)
    return [Used(c, find(c)) for c in once.values()]


class Ancestors:
    """Checks containers one by one; what a file itself is, is looked at once.

    `full`: their content is read. `structure` looks into one file, as `report.check_structure`.
    """

    def __init__(
        self,
        records: Mapping[str, Record],
        structure: Callable[[str], Findings],
        *,
        full: bool,
        on_step: Step,
    ) -> None:
        self._records, self._structure = records, structure
        self._full, self._on_step = full, on_step
        self._looked: dict[str, Findings] = {}
        self._digests: dict[tuple[str, str], str] = {}

    def check(self, name: str, several: Iterable[Used], notes: Iterable[str] = ()) -> Check:
        """Returns the check called `name` of these; `notes` tell what was not looked through."""
        found, count, unread = Findings(name), 0, 0
        for one in several:
            count += 1
            self._on_step(f"looking at {one.container.name}")
            unread += not self._one(one, found)
        if count >= MAX_USED:
            found.missing(f"only {MAX_USED} are looked at")
        for note in notes:
            found.left_out(note)
        text = f"{count} found" if count else "none is named"
        if unread and not self._full:
            return found.check(f"{text}, the content of {unread} not read (--full)")
        return found.check(f"{text} and unchanged" if count else text)

    def _one(self, one: Used, found: Findings) -> bool:
        """Checks one; returns whether its content was read."""
        wanted, carrier = one.container, one.found
        who = f"{wanted.name} ({wanted.uuid})" if wanted.uuid else wanted.name
        if wanted.uuid is None and FOLDER not in wanted.marks:
            exists = os.path.lexists(wanted.path)
            (found.left_out if exists else found.missing)(
                f"{who}: is no SIF, so it has no UUID" + ("" if exists else ", and is not there")
            )
            return False
        if carrier is None or carrier.identity.reason:
            known = ": what its records say is known" if wanted.record in self._records else ""
            found.missing(f"{who}: not found{known}")
            return False
        path = carrier.identity.path
        if carrier.kind != FOLDER and path not in self._looked:
            self._looked[path] = self._structure(path)
            found.take(self._looked[path], f"{who}: {path}: ")
        return self._compare(wanted, carrier, f"{who}: {path}: ", found)

    def _compare(self, wanted: Container, carrier: Carrier, who: str, found: Findings) -> bool:
        sealed = carrier.identity.uuid != wanted.uuid
        if not sealed and wanted.created not in (None, carrier.identity.created):
            found.broken(f"{who}was created {carrier.identity.created}, not {wanted.created}")
        later = self._later(wanted, carrier)
        if later is None:
            found.broken(f"{who}carries other records than the one it carried then")
            return False
        newest = told([r for _, r in carrier.good], carrier)
        rewritten = bool(
            newest
            and newest.record in later
            and None not in (wanted.digest, newest.about.digest)
            and wanted.digest != newest.about.digest
        )
        if rewritten:
            found.missing(f"{who}runs that came later, and are recorded, changed its content")
            return False
        if wanted.digest is None:
            found.left_out(f"{who}its content was not known then: {wanted.reason}")
            return False
        return self._content(wanted, carrier, newest, who, found)

    def _later(self, wanted: Container, carrier: Carrier) -> list[Record] | None:
        """The records that came behind the one that it carried then; None where that is not
        there."""
        if wanted.record is None:
            return [r for _, r in carrier.good]
        digests = [s.digest for s in carrier.records]
        if wanted.record not in digests:
            return None
        at = digests.index(wanted.record)
        return [s.record for s in carrier.records[at + 1 :] if s.record]

    def _content(
        self, wanted: Container, carrier: Carrier, newest: Told | None, who: str, found: Findings
    ) -> bool:
        busy = unreadable(carrier)
        if busy:
            (found.missing if self._full else found.good)(f"{who}{busy}")
            return False
        if not self._full and not self._is_suspect(carrier):
            return False
        try:
            digest = self._digest(wanted, carrier)
        except (TooLateError, MissingError) as error:
            found.missing(f"{who}{TOO_LATE if isinstance(error, TooLateError) else error}")
            return False
        except (SifprovError, OSError) as error:
            found.broken(f"{who}cannot be read: {error}")
            return False
        if digest == wanted.digest:
            return True
        if PROVISIONAL in wanted.marks:
            found.missing(f"{who}a process still wrote when it was used, and now it is {digest}")
            return True
        found.broken(f"{who}its content is {digest}, not the recorded {wanted.digest}")
        if wanted.role != APPLICATION and newest and newest.about.digest == wanted.digest:
            whole = replace(carrier, embedded=embedded_in(carrier))
            for text in named_changes(newest, whole, read_tree(carrier, None)):
                found.broken(f"{who}{text}")
        return True

    def _is_suspect(self, carrier: Carrier) -> bool:
        """Whether the times in the inode tables say that it was changed by no recorded run."""
        now = standing(carrier.identity, (r for _, r in reversed(carrier.good)), reads=False)
        return now is not None and now.state == CHANGED

    def _digest(self, wanted: Container, carrier: Carrier) -> str:
        key = (wanted.role, carrier.identity.path)
        if key not in self._digests:
            self._on_step(f"reading {wanted.name}")
            self._digests[key] = _digest(carrier, wanted.role)
        return self._digests[key]


def _digest(carrier: Carrier, role: str) -> str:
    if role != APPLICATION:
        return read_tree(carrier, None).digest
    path = carrier.identity.path
    with open_image(path) as (file, _):
        return image_digest(file, carrier.identity.system, patience(path))
