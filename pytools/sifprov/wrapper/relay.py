"""The relay's work: hands the output on and keeps the first and the last of it."""

from __future__ import annotations

import os
import select
from collections.abc import Sequence

from sifprov.model.log import Collector
from sifprov.wrapper.tee import read_some, write_all


def relay(
    streams: Sequence[tuple[str, int, int]], limit: int, log: int, ended: int, done: int
) -> None:
    """Hands on (name, source, target) until every source has ended.

    When `ended` closes, the application has ended: what was written by then is handed on, the log
    goes to `log`, and `done` says so. Background processes may write on; that is handed on too.
    """
    collector: Collector | None = Collector(limit, [name for name, _, _ in streams])
    sources = {source: (name, target) for name, source, target in streams}
    watched = {*sources, ended}

    def take(source: int) -> None:
        nonlocal collector
        name, target = sources[source]
        data = read_some(source)
        try:
            if data and collector:
                collector.add(name, data)
        except MemoryError:
            collector = None  # to hand it on counts more than to keep it
        if not data or not write_all(target, data):
            # Without a reader, whoever writes is to learn of it.
            os.close(source)
            del sources[source]
            watched.discard(source)

    while sources or ended in watched:
        ready = select.select([*watched], [], [])[0]
        for source in [s for s in ready if s != ended]:
            take(source)
        if ended in ready:
            while sources and (late := select.select([*sources], [], [], 0)[0]):
                for source in late:
                    take(source)
            watched.discard(ended)
            good = collector is not None and write_all(log, collector.log().to_bytes())
            write_all(done, b"1" if good else b"0")
            os.close(done)
