"""Delivers what waits in the spool."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from sifprov import capture, spool
from sifprov.content import Deadline
from sifprov.errors import FileError, MissingError, SifprovError
from sifprov.frozen import dataclass, replace
from sifprov.identity import identify
from sifprov.model.canonical import Json, text_to_json
from sifprov.model.request import CaptureRequest, parse_end, parse_request
from sifprov.model.timestamp import from_ns
from sifprov.placement import CONTAINER, Place, append_to
from sifprov.whereabouts import remember

SCHEMA = "sifprov.flush/1"


@dataclass(frozen=True)
class Delivered:
    """What became of one file of the spool.

    `targets` are the places that now hold its record; `error` says why it still waits. `id` is
    empty for a file that could not even be read.
    """

    path: str
    targets: tuple[str, ...] = ()
    error: str | None = None
    id: str = ""
    dropped: bool = False


@dataclass(frozen=True)
class Item:
    """One file that waits: what for, since when, why. `error` is set where it cannot be read."""

    id: str
    path: str
    since: str | None
    targets: tuple[str, ...]
    command: tuple[str, ...]
    started: str | None
    reason: str | None
    error: str | None = None

    def to_json(self) -> Json:
        """Returns the JSON object that `sifprov flush --list --json` prints of it."""
        return {
            "command": [text_to_json(word) for word in self.command],
            "error": text_to_json(self.error) if self.error else None,
            "id": self.id or None,
            "path": text_to_json(self.path) if self.path else None,
            "reason": text_to_json(self.reason) if self.reason else None,
            "since": self.since,
            "started": self.started,
            "targets": [text_to_json(path) for path in self.targets],
        }


def listing(search: Sequence[str] = ()) -> list[Item]:
    """Returns what waits, oldest first."""
    return [_item(w) for w in spool.waiting(search)]


def _item(waiting: spool.Waiting | FileError) -> Item:
    if isinstance(waiting, FileError):
        return Item("", "", None, (), (), None, None, str(waiting))
    since = from_ns(waiting.since_ns)
    if waiting.record and waiting.target:
        run = waiting.record.run
        command, started = (run.argv, run.started) if run else ((), None)
        targets: tuple[str, ...] = (waiting.target,)
        return Item(waiting.id, waiting.path, since, targets, command, started, waiting.reason)
    reason = "the helper could not make the record"
    try:
        request = parse_request((waiting.request or (b"", b""))[0])
    except SifprovError as error:
        return Item(waiting.id, waiting.path, since, (), (), None, None, str(error))
    targets = tuple(b.source for b in request.binds if not b.read_only)
    # Not the command line: a request holds it before anything secret was taken out.
    return Item(waiting.id, waiting.path, since, targets, (), request.started, reason)


def drop(ids: Iterable[str], search: Sequence[str] = ()) -> list[Delivered]:
    """Deletes the files with these ids without delivering them. Raises MissingError when one is
    not there; then nothing is deleted."""
    wanted = list(dict.fromkeys(ids))
    with spool.only_one():
        found = {w.id: w.path for w in spool.waiting(search) if isinstance(w, spool.Waiting)}
        for ident in wanted:
            if ident not in found:
                raise MissingError(
                    f"{ident}: nothing waits under this id",
                    hint="'sifprov flush --list' shows them",
                )
        for ident in wanted:
            os.unlink(found[ident])
    return [Delivered(found[ident], id=ident, dropped=True) for ident in wanted]


def flush(search: Sequence[str] = ()) -> Iterator[Delivered]:
    """Tries to deliver everything, oldest first; what cannot be delivered stays.

    `search` are folders to look through for containers that are not where they were, and for what
    had to wait outside of the spool.
    """
    with spool.only_one():
        spool.clean()
        for item in spool.waiting(search):
            if isinstance(item, SifprovError):
                yield Delivered("", error=str(item))
                continue
            try:
                targets = _deliver(item, search)
            except (SifprovError, OSError) as error:
                hint = getattr(error, "hint", None)
                why = f"{error} ({hint})" if hint else str(error)
                yield Delivered(item.path, error=why, id=item.id)
                continue
            with suppress(FileNotFoundError):  # another host's flush did the same
                os.unlink(item.path)
            yield Delivered(item.path, targets, id=item.id)


def _deliver(item: spool.Waiting, search: Sequence[str]) -> tuple[str, ...]:
    if item.record and item.target:
        place = Place(item.kind, item.target)
        try:
            append_to(place, item.record, once=True, lineage=item.lineage)
        except FileError:
            moved = _moved(item, search)
            if moved is None:
                raise
            append_to(moved, item.record, once=True, lineage=item.lineage)
            place = moved
        remember(place, item.record)
        return (place.path,)
    if not item.request:
        raise FileError(f"{item.path}: holds nothing")
    return _deliver_request(item, item.request, search)


def _moved(item: spool.Waiting, search: Sequence[str]) -> Place | None:
    """Finds the container of a record by its UUID in the folders `search`."""
    if item.kind != CONTAINER or item.record is None:
        return None
    for path in _files(search):
        found = identify(path)
        if found.uuid == item.record.container and found.partition:
            return Place(CONTAINER, path)
    return None


def _files(search: Iterable[str]) -> Iterator[str]:
    for where in search:
        try:
            with os.scandir(where) as entries:
                yield from sorted(os.path.abspath(e.path) for e in entries if e.is_file())
        except OSError as error:
            raise MissingError(f"{where}: {error.strerror}") from error


def _deliver_request(
    item: spool.Waiting, lines: tuple[bytes, bytes], search: Sequence[str]
) -> tuple[str, ...]:
    first, second = lines
    request, end = parse_request(first), parse_end(second)
    started = capture.begin(_found_again(request, search), Deadline())
    finished = capture.finish(started, end, Deadline(), late=True)
    written = finished.written
    for each in written:
        if each.spooled and each.kept is None:
            raise FileError(each.spooled)
    if request.live and request.id:
        from sifprov.capture.live import report_late  # few runs are reported

        report_late(request, end, finished)
    # What still cannot be delivered is now in the spool as a record of its own.
    waits = [w.spooled for w in written if w.spooled]
    if waits and len(waits) == len(written):
        os.unlink(item.path)
        raise FileError("; ".join(waits))
    return tuple(w.path for w in written if not w.spooled)


def _found_again(request: CaptureRequest, search: Sequence[str]) -> CaptureRequest:
    """Returns a request with the paths that its images have now: by their names, for it knows
    no more of them."""
    names = {os.path.basename(path): path for path in reversed(list(_files(search)))}

    def now(path: str) -> str:
        whole = os.path.join(request.cwd, path)
        return path if os.path.exists(whole) else names.get(os.path.basename(path), path)

    return replace(
        request,
        image=now(request.image),
        binds=tuple(replace(b, source=now(b.source)) for b in request.binds),
        images=tuple(replace(i, path=now(i.path)) for i in request.images),
    )
