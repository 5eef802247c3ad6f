"""What a new output holds when its run is replayed: chosen from what is at hand, then built.

The content is proved: of Kept, Copied and Refilled by the recorded tree digest, when it is chosen
and again when it is built. Where no record tells of an earlier state, nothing can be proved, and
older.py says what was there all the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from sifprov.frozen import replace
from sifprov.listing import Entry, Tree
from sifprov.manifests import stated
from sifprov.model.container import OUTPUT, Container
from sifprov.model.manifest import Manifest
from sifprov.model.record import Origin, Record
from sifprov.model.timestamp import to_ns
from sifprov.replay import fill
from sifprov.replay.find import Finder
from sifprov.replay.layout import mounts
from sifprov.replay.older import unchanged_since
from sifprov.replay.origin import mount_of
from sifprov.replay.steps import (
    Continued,
    Copied,
    Fresh,
    Kept,
    Refilled,
    Room,
    Start,
    Target,
)

Lists = Callable[[Container | Origin], Manifest | None]
# What a run may leave behind of its own, beside what it left in the end.
_LEAST_FREE, _LEAST_FILES = 256 << 20, 16384
_TIMES = 4


def choose(
    container: Container,
    previous: Record | None,
    finder: Finder,
    lists: Lists,
    *,
    from_origin: bool = False,
    began: str | None = None,
) -> Start | None:
    """Returns what the output `container` of a recorded run is to start with.

    `previous` is the record (of a run or an origin) that tells what it held then, None where it
    carried none: then it is taken for empty, but for what was in it, unchanged to this day, when
    the run `began`. `lists` returns the files that a record tells. None: that content is nowhere at
    hand; then the run of `previous` must be replayed first (Continued), where it has one.
    """
    like, room = finder.layout_of(container), _room(lists(container))
    if previous is None:
        older = _older(finder, like, began) if like and began else None
        return Kept(like, older, room, untold=True) if like and older else Fresh(like, room)
    about = stated(previous)
    if about is None or about.digest is None:
        return None
    ways: list[Callable[[], Start | None]] = [
        lambda: _kept(lists(about), finder, like, room),
        lambda: _copied(container, about.digest, finder, like, room),
        lambda: _refilled(container, previous.origin, lists, like, room),
    ]
    if from_origin:
        # Rather the data themselves than what is left of them in a result.
        ways.append(ways.pop(0))
    return next((start for way in ways if (start := way())), None)


def build(
    start: Start,
    target: Target,
    path: str,
    made: Mapping[str, str],
    on_step: Callable[[str], None] = lambda text: None,
) -> None:
    """Makes the new container `path`, which must not exist, as the replay of a run begins with it.

    `made` are the files of finished states. Beside `path`, only names that begin with it are used.
    Nothing is left when it fails. Raises FileError, MissingError.

    A continued state is a copy with UUID and records, for it is the same container that goes on;
    all others are new ones, without the records of the original. What they begin with is told by an
    origin record, as a sealed container's does.
    """
    match start:
        case Fresh():
            fill.fresh(path, target.container, start, on_step)
        case Kept():
            fill.kept(path, target, start, on_step)
        case Copied():
            fill.copied(path, target, start, on_step)
        case Refilled():
            fill.refilled(path, target.container, start, on_step)
        case Continued():
            fill.continued(path, made[start.state], on_step)


def _room(manifest: Manifest | None) -> Room:
    if manifest is None:
        return Room()
    free = max(_TIMES * sum(e.size or 0 for e in manifest.entries), _LEAST_FREE)
    return Room(free, max(_TIMES * len(manifest.entries), _LEAST_FILES))


def _kept(before: Manifest | None, finder: Finder, like: str | None, room: Room) -> Kept | None:
    """All of an earlier state, where it still stands in the container."""
    if before is None or like is None or not _can_be_copied(before.entries):
        return None
    now = finder.tree_of(like)
    if now is None or not set(before.entries) <= set(now.entries):
        return None
    return Kept(like, before.tree, room)


def _older(finder: Finder, like: str, began: str) -> Tree | None:
    """The files that nobody changed since before a run, where there are any; the folders that they
    stand in belong to them."""
    paths = unchanged_since(like, to_ns(began))
    tree = finder.tree_of(like) if paths else None
    if tree is None:
        return None
    paths |= {p[:n] for p in paths for n in range(len(p)) if p[n : n + 1] == b"/"}
    entries = tuple(e for e in tree.entries if e.path in paths)
    return Tree(entries, tree.changed_ns) if _can_be_copied(entries) else None


def _can_be_copied(entries: Iterable[Entry]) -> bool:
    """Whether the files can be made by way of a folder: devices are not, and who is not root cannot
    read what is closed to its owner."""
    needs = {} if os.geteuid() == 0 else {"d": 0o500, "f": 0o400, "x": 0o400}
    return not any(e.kind in "bc" or needs.get(e.kind, 0) & ~(e.mode or 0) for e in entries)


def _copied(
    container: Container, digest: str | None, finder: Finder, like: str | None, room: Room
) -> Copied | None:
    found = finder.by_digest(replace(container, digest=digest), role=OUTPUT)
    return Copied(found, like, room) if found else None


def _refilled(
    container: Container, origin: Origin | None, lists: Lists, like: str | None, room: Room
) -> Refilled | None:
    """The folder that the container was made from, where its content is what it was."""
    if origin is None or not os.path.isdir(origin.source):
        return None
    listed = lists(origin)
    mount = mount_of(origin, mounts(container, like), listed.entries if listed else None)
    return Refilled(origin, mount, like, room) if mount else None
