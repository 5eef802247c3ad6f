"""Whether the folder that a container was made from still is what it was."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from sifprov.content import Deadline, make_tree, scan_folder
from sifprov.errors import SifprovError
from sifprov.frozen import replace
from sifprov.listing import Entry, Tree
from sifprov.model.record import Origin


def mount_of(origin: Origin, mounts: Sequence[str], listed: Sequence[Entry] | None) -> str | None:
    """Returns at which of the mount points the origin's folder gives the recorded content; None
    where it does not. `listed` are the files that the record tells."""
    if not os.path.isabs(origin.source):
        return None
    for mount in mounts:
        # A record may name any folder: the whole disk is not read for it.
        if listed is not None and not _may_be(origin.source, mount, listed):
            continue
        try:
            tree = scan_folder(origin.source, Deadline())
        except (SifprovError, ValueError):
            return None
        for each in mounts:
            if below(tree, each).digest == origin.digest:
                return each
        return None
    return None


def below(tree: Tree, mount: str) -> Tree:
    """Returns the tree of a container that holds `tree` at its mount point."""
    top = os.fsencode(mount.strip("/"))
    parts = top.split(b"/")
    folders = [Entry(b"/".join(parts[: n + 1]), "d", None, "-") for n in range(len(parts))]
    inside = [replace(e, path=top + b"/" + e.path) for e in tree.entries]
    return make_tree([*folders, *inside], tree.changed_ns)


def _may_be(source: str, mount: str, listed: Sequence[Entry]) -> bool:
    """Whether the folder has the listed names and sizes; no content is read."""
    top = os.fsencode(mount.strip("/")) + b"/"
    wanted = {e.path[len(top) :]: e for e in listed if e.path.startswith(top)}
    todo, count = [b""], 0
    while todo:
        folder = todo.pop()
        try:
            with os.scandir(os.path.join(os.fsencode(source), folder)) as entries:
                for each in entries:
                    path = folder + b"/" + each.name if folder else each.name
                    status = each.stat(follow_symlinks=False)
                    entry = wanted.get(path)
                    if entry is None or not _fits(entry, status):
                        return False
                    count += 1
                    if entry.kind == "d":
                        todo.append(path)
        except (OSError, ValueError):
            return False
    return count == len(wanted)


def _fits(entry: Entry, status: os.stat_result) -> bool:
    kinds = {"f": stat.S_ISREG, "x": stat.S_ISREG, "d": stat.S_ISDIR, "l": stat.S_ISLNK}
    is_kind = kinds.get(entry.kind)
    return is_kind is None or (is_kind(status.st_mode) and entry.size in (None, status.st_size))
