"""Indexes what is below some paths: what is new or has changed is read, the rest only looked at.

Files are read by several processes and put in by a thread of this one, some hundred in a
transaction, while the next are collected: what was
committed stays when it is killed, and the next one goes on there. A second one at the same time
begins at the other end, and what either has read in the meantime the other passes over.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from sqlalchemy import Connection

from sifprov.catalog.bulk import Bulk
from sifprov.catalog.finish import Finish
from sifprov.catalog.ingest import Ingest
from sifprov.catalog.locations import Twin
from sifprov.catalog.read import FOREIGN, UNREADABLE, VANISHED, File, Reader, Seen
from sifprov.catalog.readers import Chunk, Found, read_all
from sifprov.catalog.store import Catalog
from sifprov.catalog.told import Told
from sifprov.catalog.walk import Page, Stat, Walk
from sifprov.frozen import dataclass

# Files that are read as one piece of work, and bytes of their paths: a pipe has room for them.
_CHUNK = 64
_PATHS = 32 * 1024
# What is put in at a time, and after how many seconds in any case.
_FILES, _RECORDS, _SECONDS = 512, 4096, 1.0
_REASONS = 5
# That are made between two looks for garbage.
_OBJECTS = 100_000
_KNOWN = "name, id, device, inode, size, mtime_ns, ctime_ns, status"


@dataclass(frozen=True)
class Summary:
    """What an index found: containers and sidecars by what has become of them, and `records` that
    are new in the catalog. `foreign` carry no record. `reasons` are the first paths that could not
    be read, each with the reason; `failed` those of the given paths that are not there or cannot
    be looked through."""

    new: int
    unchanged: int
    changed: int
    moved: int
    copied: int
    vanished: int
    forgotten: int
    unreadable: int
    foreign: int
    records: int
    seconds: float
    reasons: tuple[tuple[str, str], ...] = ()
    failed: tuple[str, ...] = ()


def index(
    catalog: Catalog,
    paths: Sequence[str],
    *,
    jobs: int | None = None,
    prune: bool = False,
    on_step: Callable[[str], None] = lambda text: None,
) -> Summary:
    """Indexes `paths`, files or folders with all below them; `jobs` processes read. `prune` forgets
    what has vanished. Raises FileError where the catalog fails."""
    jobs = jobs or min(len(os.sched_getaffinity(0)), 8)
    with _seldom_collecting(), catalog.indexing() as is_first, catalog.looking() as bulk:
        walk = Walk(paths, backwards=not is_first)
        return _Index(catalog, bulk, walk, on_step).run(jobs, prune=prune)


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Lets Python look for garbage less often: rows and records refer to nothing in a circle."""
    before = gc.get_threshold()
    gc.set_threshold(_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


class _Index:
    def __init__(
        self, catalog: Catalog, bulk: Bulk, walk: Walk, on_step: Callable[[str], None]
    ) -> None:
        self._catalog, self._bulk, self._walk, self._on_step = catalog, bulk, walk, on_step
        self._ingest = Ingest(catalog)
        self._finish = Finish(catalog, walk)
        self._known: dict[tuple[str, str], int] = {}
        self._hosts: dict[str, tuple[str, str]] = {}
        self._seen: list[Seen] = []
        self._told: dict[str, Told] = {}
        self._put_at = self._shown_at = time.monotonic()
        self._writer = ThreadPoolExecutor(1)
        self._writing: tuple[Future[tuple[int, list[Twin]]], list[Seen]] | None = None
        self._counts = dict.fromkeys(("new", "unchanged", "changed", "foreign", "unreadable"), 0)
        self._records = 0
        self._reasons: list[tuple[str, str]] = []

    def run(self, jobs: int, *, prune: bool) -> Summary:
        began = time.monotonic()
        try:
            for found in read_all(self._chunks(), self._reader, jobs, alone=self._rest):
                self._take(found)
            self._put()
            self._settle()
        finally:
            self._writer.shutdown()
        self._on_step("looking for what has moved or vanished")
        ended = self._finish.run(self._bulk, prune=prune)
        self._reasons += self._walk.problems[: max(_REASONS - len(self._reasons), 0)]
        roots = {root: None for root, _ in self._walk.problems if root in self._walk.roots}
        counts = {**self._counts, **ended}
        # What was only moved or copied is told as that.
        counts["new"] -= counts["moved"] + counts["copied"]
        self._catalog.tidy(self._records)
        return Summary(
            **counts,
            records=self._records,
            seconds=time.monotonic() - began,
            reasons=tuple(self._reasons),
            failed=tuple(roots),
        )

    @contextmanager
    def _reader(self) -> Iterator[Reader]:
        """What reads files, in a process of its own."""
        with self._catalog.looking() as bulk:
            yield Reader(lambda asked: _known(bulk, asked))

    def _chunks(self) -> Iterator[Chunk]:
        """Yields what is to be read, and counts what is not."""
        chunk: list[File] = []
        room = _PATHS
        for page in self._walk:
            self._show(page.folder)
            self._hosts[page.folder] = page.host, page.key
            for name, (on_disk, _) in self._to_read(page).items():
                chunk.append(File(page.folder, on_disk, name))
                room -= len(page.folder) + 2 * len(name)
                if len(chunk) == _CHUNK or room < 0:
                    yield chunk
                    chunk, room = [], _PATHS
        if chunk:
            yield chunk

    def _to_read(self, page: Page) -> dict[str, tuple[str, Stat]]:
        rest = dict(page.files)
        for name, number, *state, status in _rows(self._bulk, page):
            there = rest.get(name)
            if there is None:
                if status != VANISHED:
                    self._finish.gone[number] = page.host, page.key, name
            elif status == VANISHED:
                continue
            elif there[1] == tuple(state):
                del rest[name]
                self._counts["unchanged"] += 1
                self._counts["foreign"] += status == FOREIGN
                self._counts["unreadable"] += status == UNREADABLE
            else:
                self._known[page.folder, name] = number
        return rest

    def _take(self, found: Found) -> None:
        seen, told = found
        self._seen += seen
        self._told.update((t.digest, t) for t in told)
        full = len(self._seen) >= _FILES or len(self._told) >= _RECORDS
        if full or time.monotonic() - self._put_at > _SECONDS:
            self._put()

    def _put(self) -> None:
        """Begins to put in what was read, in one transaction, when the one before is done."""
        self._settle()
        self._put_at = time.monotonic()
        if not self._seen and not self._told:
            return
        seen, self._seen = self._seen, []
        told, self._told = self._told, {}
        by_folder: dict[tuple[str, str], list[Seen]] = {}
        for each in seen:
            by_folder.setdefault(self._hosts[each.file.folder], []).append(each)
        inside = {digest for s in seen if s.is_inside for digest in s.own}

        def work(connection: Connection) -> tuple[int, list[Twin]]:
            with self._ingest.batch(connection) as batch:
                return batch.put(told.values(), inside), batch.put_locations(by_folder)

        def write() -> tuple[int, list[Twin]]:
            found = self._catalog.write(work)
            self._ingest.commit()
            return found

        self._writing = self._writer.submit(write), seen

    def _settle(self) -> None:
        """Waits until what was put in is committed. Raises FileError."""
        if self._writing is None:
            return
        (future, seen), self._writing = self._writing, None
        count, twins = future.result()
        self._records += count
        self._finish.twins += twins
        for each in seen:
            self._count(each)

    def _rest(self) -> None:
        """Ends the thread, until there is more to put in: a process that is forked beside it could
        wait for a lock that nobody gives back."""
        self._settle()
        self._writer.shutdown()
        self._writer = ThreadPoolExecutor(1)

    def _count(self, seen: Seen) -> None:
        known = self._known.pop((seen.file.folder, seen.file.key), None)
        self._counts["changed" if known else "new"] += 1
        self._counts["foreign"] += seen.status == FOREIGN
        if not known:
            self._finish.fresh(seen)
        if seen.reason:
            self._counts["unreadable"] += seen.status == UNREADABLE
            if len(self._reasons) < _REASONS:
                place = os.path.join(seen.file.folder, seen.file.name)
                self._reasons.append((place, seen.reason))

    def _show(self, folder: str) -> None:
        if time.monotonic() - self._shown_at > 0.1:
            self._shown_at = time.monotonic()
            done = sum(self._counts[n] for n in ("new", "changed", "unchanged"))
            self._on_step(f"{done} containers, {self._records} new records, now in {folder}")


def _rows(bulk: Bulk, page: Page) -> Iterator[tuple[str, int, int, int, int, int, int, str]]:
    """The rows of a page's files, and of those that it should have."""
    where = f"SELECT {_KNOWN} FROM location WHERE host = ? AND folder = ?"  # noqa: S608
    place = page.host, page.key
    if page.is_one:
        yield from bulk.run(f"{where} AND name = ?", *place, next(iter(page.files), ""))
    elif page.last:
        yield from bulk.run(f"{where} AND name > ? AND name <= ?", *place, page.after, page.last)
    else:
        yield from bulk.run(f"{where} AND name > ?", *place, page.after)


def _known(bulk: Bulk, digests: Collection[str]) -> set[str]:
    return {digest for (digest,) in bulk.rows("digest", "record", "digest", digests)}
