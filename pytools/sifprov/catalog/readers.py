"""Reads files in several processes. One that a file kills costs that file alone."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from sifprov.catalog.read import UNREADABLE, File, Reader, Seen
from sifprov.catalog.told import Told
from sifprov.catalog.walk import stat_of

Chunk = Sequence[File]
Found = tuple[list[Seen], list[Told]]
Start = Callable[[], AbstractContextManager[Reader]]
# So few chunks are read here: no process is started for them.
_FEW = 3
# A process has the next one when it is done with one.
_AHEAD = 2


def read_all(
    chunks: Iterable[Chunk], start: Start, jobs: int, *, alone: Callable[[], None] = lambda: None
) -> Iterator[Found]:
    """Yields what is found in each chunk, in no order; `start` opens what reads, in each of `jobs`
    processes. Chunks are taken as there is room for them. `alone` is called before a process is
    started in another's place: no other thread may be at work then."""
    rest = iter(chunks)
    first: list[Chunk] = []
    for chunk in rest:
        first.append(chunk)
        if len(first) > _FEW and jobs > 1:
            break
        if jobs == 1:
            break
    if jobs > 1 and len(first) > _FEW:
        yield from _Processes(start, jobs, alone).read(_joined(first, rest))
        return
    with start() as reader:
        for chunk in _joined(first, rest):
            yield reader.read(chunk)


def _joined(first: list[Chunk], rest: Iterator[Chunk]) -> Iterator[Chunk]:
    yield from first
    yield from rest


class _Worker:
    def __init__(self, start: Start) -> None:
        context = multiprocessing.get_context("fork")
        self.connection, theirs = context.Pipe()
        self.work: deque[Chunk] = deque()
        self._process = context.Process(
            target=_serve, args=(start, theirs, self.connection), daemon=True
        )
        self._process.start()
        theirs.close()

    def send(self, chunk: Chunk) -> None:
        self.work.append(chunk)
        # A dead one is found when its answer is read.
        with suppress(OSError):
            self.connection.send(chunk)

    def stop(self) -> None:
        self.connection.close()
        self._process.terminate()
        self._process.join()


class _Processes:
    def __init__(self, start: Start, jobs: int, alone: Callable[[], None]) -> None:
        self._start, self._jobs, self._alone = start, jobs, alone
        self._workers: list[_Worker] = []
        self._again: deque[Chunk] = deque()

    def read(self, chunks: Iterator[Chunk]) -> Iterator[Found]:
        try:
            self._workers = [_Worker(self._start) for _ in range(self._jobs)]
            while True:
                self._fill(chunks)
                busy: dict[Any, _Worker] = {w.connection: w for w in self._workers if w.work}
                if not busy:
                    return
                for ready in wait(list(busy)):
                    yield from self._answer(busy[ready])
        finally:
            for worker in self._workers:
                worker.stop()

    def _fill(self, chunks: Iterator[Chunk]) -> None:
        for ahead in range(_AHEAD):
            for worker in self._workers:
                if len(worker.work) > ahead:
                    continue
                chunk = self._again.popleft() if self._again else next(chunks, None)
                if chunk is not None:
                    worker.send(chunk)

    def _answer(self, worker: _Worker) -> Iterator[Found]:
        try:
            answer = worker.connection.recv()
        except (EOFError, OSError):
            yield from self._died(worker)
            return
        worker.work.popleft()
        if isinstance(answer, BaseException):
            raise answer
        yield answer

    def _died(self, worker: _Worker) -> Iterator[Found]:
        """Goes on with another process: the files that it was at come one by one."""
        culprits, *others = worker.work
        self._again.extend(others)
        if len(culprits) == 1:
            yield [seen for f in culprits if (seen := _unreadable(f))], []
        else:
            self._again.extend([f] for f in culprits)
        worker.stop()
        self._alone()
        self._workers[self._workers.index(worker)] = _Worker(self._start)


def _unreadable(file: File) -> Seen | None:
    try:
        status = os.lstat(os.path.join(file.folder, file.name))
    except OSError:
        return None
    return Seen(file, UNREADABLE, stat_of(status), "the process that read it was killed")


def _serve(start: Start, connection: Connection, theirs: Connection) -> None:
    """What a process does: until nobody asks any more."""
    # An interrupt on the terminal is for the one who started us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    theirs.close()
    with suppress(EOFError, BrokenPipeError):
        try:
            with start() as reader:
                while True:
                    connection.send(reader.read(connection.recv()))
        except (EOFError, BrokenPipeError):
            raise
        except BaseException as error:  # raised again, by whoever waits
            connection.send(error)
