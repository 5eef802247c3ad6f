"""The files that wait in a spool: what they hold, and how they are read (docs/formats.md).

| name | holds |
|---|---|
| `UUID.record.json` | a finished record, with the place that it is for |
| `UUID.request.jsonl` | a capture request, of which nobody could make a record |
| `UUID.started.jsonl` | the first line of one, of a run that goes on; its recorder holds a lock |
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from functools import partial

from sifprov.embedded import Lineage, collect, open_lineage
from sifprov.errors import FileError, RecordError
from sifprov.frozen import dataclass
from sifprov.model.canonical import dumps, loads
from sifprov.model.reader import Reader
from sifprov.model.record import Record
from sifprov.placement import CONTAINER, KINDS

SCHEMA = "sifprov.spool/1"
RECORD, REQUEST, STARTED = ".record.json", ".request.jsonl", ".started.jsonl"
_KINDS = (RECORD, REQUEST, STARTED)
# Of a file that has to wait outside of the spool.
PREFIX = ".sifprov-"
# A record with what it embeds.
MAX_FILE = 64 * 1024 * 1024


@dataclass(frozen=True)
class Waiting:
    """One file of the spool; exactly one of `record` (for the place `kind`, `target`) and
    `request`. `since_ns` is the time since when it waits, `reason` says why; `embedded` are the
    objects of lineage that belong to the record."""

    path: str
    target: str | None = None
    record: Record | None = None
    request: tuple[bytes, bytes] | None = None
    kind: str = CONTAINER
    reason: str | None = None
    since_ns: int = 0
    embedded: tuple[bytes, ...] = ()

    @property
    def lineage(self) -> Lineage:
        """What the record is to embed, as far as it can be read."""
        found = collect((n, len(d), partial(open_lineage, d)) for n, d in enumerate(self.embedded))
        reason = f"what was kept of it is broken: {found.errors[0][1]}" if found.errors else None
        return Lineage(found.documents, reason=reason)

    @property
    def id(self) -> str:
        """What a user calls it: the UUID in its file's name."""
        name = os.path.basename(self.path).removeprefix(PREFIX)
        return name.partition(".")[0]


def names(where: str) -> list[str]:
    """Returns the names of the files that wait in a folder. Raises OSError."""
    return [n for n in os.listdir(where) if n.endswith(_KINDS)]


def no_link(path: str, flags: int) -> int:
    """Opens a file of ours, never through a link or a FIFO. Raises OSError."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)


def read_all(paths: Iterable[str]) -> Iterator[Waiting | FileError]:
    """Reads files that wait, the oldest first, but runs of unknown end last: when one of
    them is known better, that is then there already. A broken file comes as its error."""
    for path in sorted(paths, key=_age):
        try:
            found = _read(path)
            if found:
                yield found
        except FileNotFoundError:
            continue  # another flush was faster
        except (OSError, RecordError, FileError) as error:
            yield FileError(f"{path}: {error}", hint="look at it, then remove it by hand")


def _age(path: str) -> tuple[bool, int, str]:
    last = path.endswith(STARTED)
    try:
        return last, os.lstat(path).st_mtime_ns, path
    except OSError:
        return last, 0, path


def _read(path: str) -> Waiting | None:
    """Reads a file that waits; None for that of a run which goes on."""
    with open(path, "rb", opener=no_link) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise FileError("no regular file")
        if path.endswith(STARTED) and _is_locked(file.fileno()):
            return None
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise FileError(f"more than {MAX_FILE} bytes")
    since = status.st_mtime_ns
    if path.endswith((REQUEST, STARTED)):
        first, _, second = data.partition(b"\n")
        return Waiting(path, request=(first, second), since_ns=since)
    r = Reader(loads(data), "")
    r.word("schema", SCHEMA)
    found = Waiting(
        path,
        target=r.text("target"),
        record=Record.from_json(r.json("record")),
        kind=r.word("kind", *KINDS),
        reason=r.optional("reason", r.text),
        since_ns=since,
        embedded=r.items("lineage", lambda value, _: dumps(value)) if r.has("lineage") else (),
    )
    r.end()
    return found


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False
