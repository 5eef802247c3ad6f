"""What is special about a container's content, then and now, in plain words."""

from __future__ import annotations

from collections.abc import Iterator

from sifprov.changes import CHANGED, IN_USE, WAS_PROVISIONAL, Standing
from sifprov.model.record import (
    CHANGED_OUTSIDE,
    PROVISIONAL,
    SOURCE_LINK,
    SOURCE_OUTSIDE,
    Container,
)
from sifprov.render.clock import local_time
from sifprov.terminal import printable

_MARKED = {
    CHANGED_OUTSIDE: "! had been changed since its newest record, by no recorded run",
    SOURCE_LINK: "! its folder was reached through a symbolic link inside the container",
    SOURCE_OUTSIDE: "! a link led out of it: the application saw files of the host in its place",
    PROVISIONAL: "! provisional: ",
}


def mark_lines(container: Container) -> Iterator[str]:
    """Yields what the record says is special about a container."""
    for mark in container.marks:
        if mark == PROVISIONAL:
            why = container.reason if container.digest else None
            yield _MARKED[mark] + printable(why or "more can have been written afterwards")
        elif mark in _MARKED:
            yield _MARKED[mark]


def standing_lines(now: Standing | None, recorded: str | None) -> Iterator[str]:
    """Yields how the content stands now, where it is not what was recorded (`recorded`, the newest
    record's digest)."""
    if now is None:
        return
    if now.state == IN_USE:
        yield f"in use: {printable(now.who or 'a run')} can still write into it"
    elif now.state == CHANGED and now.changed_at:
        when = local_time(now.changed_at)
        yield f"! changed {when}, after its newest record, by no recorded run:"
        yield "  'sifprov flush' delivers a record that waits; 'sifprov rerun' shows what differs"
    elif now.state == WAS_PROVISIONAL:
        if now.digest is None:
            return
        if now.digest == recorded:
            yield f"provisional then, and still {now.digest}: nothing more was written"
        else:
            yield f"provisional then, now {now.digest}: more was written after the record was made"
