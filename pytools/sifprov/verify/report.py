"""All checks together."""

from __future__ import annotations

import os
from collections.abc import Iterable
from uuid import UUID

from sifprov.carrier import Carrier, Elsewhere, elsewhere, embedded_elsewhere, read_carrier
from sifprov.digestcache import DigestCache
from sifprov.errors import Exit
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json, text_to_json
from sifprov.model.container import APPLICATION, FOLDER, Container
from sifprov.placement import CONTAINER, METADATA, SIDECAR
from sifprov.runtime.find import find_runtime
from sifprov.settings import load as load_settings
from sifprov.sidecar import EXTENSION, beside
from sifprov.sif import open_image
from sifprov.terminal import counted
from sifprov.trail import Walk
from sifprov.verify import structure
from sifprov.verify.ancestors import Ancestors, Used, used
from sifprov.verify.check import Check, Findings, Verdict
from sifprov.verify.content import Step, check_content, compare_with, told
from sifprov.verify.documents import check_lineage
from sifprov.verify.finding import Finder, embedded_in
from sifprov.verify.signed import Ask, ask_runtime, check_signatures
from sifprov.verify.structure import Structure
from sifprov.verify.verdicts import check_verdicts

SCHEMA = "sifprov.verify/1"
GOOD, BROKEN, INCOMPLETE = "good", "broken", "incomplete"
_EXIT = {GOOD: Exit.OK, BROKEN: Exit.DIFFERS, INCOMPLETE: Exit.MISSING}


@dataclass(frozen=True)
class Options:
    """What `verify` is to do; `metadata` names a place that holds records of many, `key` a public
    key in a PEM file, `runtime` the program that verifies signatures."""

    search: tuple[str, ...] = ()
    full: bool = False
    signed: bool = False
    metadata: str = ""
    runtime: str | None = None
    key: str | None = None


@dataclass(frozen=True)
class Report:
    """What was checked of the container, folder or file of records at `path`."""

    path: str
    uuid: UUID | None
    full: bool
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> str:
        """GOOD, BROKEN, or INCOMPLETE: nothing is wrong, but something that would prove it is
        missing."""
        verdicts = {check.verdict for check in self.checks}
        if Verdict.BROKEN in verdicts:
            return BROKEN
        return INCOMPLETE if Verdict.MISSING in verdicts else GOOD

    @property
    def exit_code(self) -> Exit:
        """What `sifprov verify` ends with."""
        return _EXIT[self.verdict]

    def to_json(self) -> Json:
        """Returns the document that `sifprov verify --json` prints."""
        return {
            "checks": [check.to_json() for check in self.checks],
            "full": self.full,
            "path": text_to_json(self.path),
            "schema": SCHEMA,
            "uuid": str(self.uuid) if self.uuid else None,
            "verdict": self.verdict,
        }


def verify(
    path: str,
    search: Iterable[str] = (),
    full: bool = False,
    *,
    signed: bool = False,
    metadata: str = "",
    runtime: str | None = None,
    key: str | None = None,
    on_step: Step = lambda text: None,
) -> Report:
    """Checks what is at `path`: a container, a folder with a sidecar, or a file of records.

    Ancestors are looked for where the records say, beside it, and below the folders `search`. With
    `full` their content is read too, and no remembered digest is believed. With `signed`, records
    and data without a valid signature count as missing. Nothing is written.
    Raises FileError when the file cannot be opened.
    """
    options = Options(tuple(search), full, signed, metadata, runtime, key)
    return _Verification(path, options, on_step).report()


class _Verification:
    """What the checks of one container share."""

    def __init__(self, path: str, options: Options, on_step: Step) -> None:
        self._path, self._options, self._on_step = path, options, on_step

    def report(self) -> Report:
        looked = self._structure()
        if looked and not looked.is_readable:
            return Report(self._path, None, self._options.full, looked.checks)
        others = elsewhere(self._options.metadata)
        start = read_carrier(self._path, others)
        others = {**others, **start.as_elsewhere()}
        folder = os.path.dirname(os.path.abspath(self._path))
        finder = Finder(folder, self._options.search, others, self._on_step)
        walk = Walk(start, finder.find, embedded_in)
        walk.take_embedded(embedded_elsewhere(self._options.metadata).documents)
        walk.run()
        checks = [*self._own(start, looked), *self._elsewhere(start)]
        checks += [self._content(start, finder), _lineage(start, walk)]
        checks += _verdicts(start, walk, others)
        several = used(walk.records.values(), finder.find)
        checks += self._ancestors(several, walk, finder.notes)
        if start.kind in (CONTAINER, METADATA) and looked:
            checks.append(self._signatures(start, looked))
        return Report(self._path, start.identity.uuid, self._options.full, tuple(checks))

    def _structure(self) -> Structure | None:
        """What the file is by itself; None for a folder whose records stand elsewhere."""
        self._on_step("looking at records")
        if os.path.isdir(self._path):
            sidecar = beside(self._path)
            return structure.of_sidecar(sidecar) if os.path.lexists(sidecar) else None
        if self._path.endswith(EXTENSION):
            return structure.of_sidecar(self._path)
        return structure.of_container(self._path)

    def _own(self, start: Carrier, looked: Structure | None) -> list[Check]:
        checks = list(looked.checks) if looked else []
        if start.records:
            return checks
        found = Findings("records")
        if start.foreign:
            found.missing("only what another program recorded, without digests")
        else:
            found.missing("it carries no record")
        none = found.check("")
        return [none if c.name == "records" and c.verdict is Verdict.GOOD else c for c in checks]

    def _elsewhere(self, start: Carrier) -> list[Check]:
        """The place that has records of it too, where one was named."""
        place = self._options.metadata
        count = sum(1 for s in start.records if place and s.place == place)
        if not count:
            return []
        is_sidecar = place.endswith(EXTENSION)
        looked = structure.of_sidecar(place) if is_sidecar else structure.of_container(place)
        found = Findings("metadata")
        found.take(looked.problems(), f"{place}: ")
        return [found.check(f"{counted(count, 'record')} of it in {place}")]

    def _content(self, start: Carrier, finder: Finder) -> Check:
        cache = None if self._options.full else DigestCache(load_settings())
        metadata = self._options.metadata
        if start.of_many:
            check = self._contents(start, finder, cache)
        else:
            check = check_content(start, cache, metadata, self._on_step)
        if cache:
            cache.save()
        return check

    def _contents(self, start: Carrier, finder: Finder, cache: DigestCache | None) -> Check:
        """The content of each container that the records of others speak of."""
        found, count = Findings("content"), 0
        for part in start.parts():
            newest = told([r for _, r in part.good], part)
            if newest is None or not isinstance(newest.about, Container):
                continue
            count += 1
            wanted = newest.about
            carrier = finder.find(wanted)
            if carrier is None or carrier.identity.reason:
                found.missing(f"{wanted.name} ({wanted.uuid}): not found")
                continue
            own = Findings("content")
            compare_with(newest, carrier, cache, self._path, self._on_step, own)
            found.take(own, f"{wanted.name} ({wanted.uuid}): {carrier.identity.path}: ")
        return found.check(f"that of {count} containers is as their newest records say")

    def _ancestors(self, several: list[Used], walk: Walk, notes: Iterable[str]) -> list[Check]:
        ancestors = Ancestors(
            walk.records, structure.problems, full=self._options.full, on_step=self._on_step
        )
        parts: dict[bool, list[Used]] = {True: [], False: []}
        for one in several:
            parts[one.container.role == APPLICATION].append(one)
        checks = [ancestors.check("ancestors", parts[False], notes)]
        return [ancestors.check("application", parts[True]), *checks] if parts[True] else checks

    def _signatures(self, start: Carrier, looked: Structure) -> Check:
        with open_image(self._path) as (file, image):

            def ask() -> Ask:
                runtime = find_runtime(self._options.runtime)
                return ask_runtime(runtime, self._path, image.size, self._options.key)

            return check_signatures(
                file,
                image,
                looked.pieces,
                ask,
                full=self._options.full,
                required=self._options.signed,
                changed=start.changed_after_signing,
                on_step=self._on_step,
            )


def _verdicts(start: Carrier, walk: Walk, others: Elsewhere) -> list[Check]:
    own = [record for _, record in start.good]
    # What was replayed is no part of the trail: it may stand beside it in a place of many.
    beside = {s.digest: s.record for several in others.values() for s in several if s.record}
    check = check_verdicts(own, {**beside, **walk.records}, walk.documents)
    return [check] if check else []


def _lineage(start: Carrier, walk: Walk) -> Check:
    found = Findings("lineage")
    what = "line" if start.kind in (FOLDER, SIDECAR) else "object"
    for number, text in start.embedded_errors:
        found.broken(f"{what} {number}: {text}")
    # The first of them are these.
    for text in walk.problems[len(start.embedded_errors) :]:
        (found.missing if text.startswith("more than") else found.broken)(text)
    own = [record for _, record in start.good]
    return check_lineage(start.embedded, walk.documents, walk.records, own, found)
