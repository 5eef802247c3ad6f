"""Runs jobs side by side. `concurrent.futures` would cost the helper more than it needs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    _T = TypeVar("_T")

_MOST = 8


def run_all(jobs: Sequence[Callable[[], _T]], *, threads: int | None = None) -> list[_T]:
    """Returns the results of `jobs` in their order.

    As many run at a time as this process has processors, and no more than eight. When a job raises,
    no further one is begun, and its error is raised.
    """
    count = min(len(jobs), _MOST, threads or len(os.sched_getaffinity(0)))
    results: dict[int, _T] = {}
    errors: list[BaseException] = []
    waiting = iter(enumerate(jobs))
    lock = threading.Lock()

    def work() -> None:
        while not errors:
            with lock:
                number, job = next(waiting, (-1, None))
            if job is None:
                return
            try:
                results[number] = job()
            except BaseException as error:  # raised again, by whoever waits
                errors.append(error)

    # Ours is one of them; the others end with the process, should it be interrupted.
    others = [threading.Thread(target=work, daemon=True) for _ in range(count - 1)]
    for thread in others:
        thread.start()
    work()
    for thread in others:
        thread.join()
    if errors:
        raise errors[0]
    return [results[number] for number in range(len(jobs))]
