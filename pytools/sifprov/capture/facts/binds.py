"""What was mounted in the container, from where: its own mount table, read when its process had
been started (proc(5), "mountinfo"). Home, /tmp and the site's binds stand there too."""

from __future__ import annotations

import os
from collections.abc import Sequence

from sifprov.capture.facts.text import bounded
from sifprov.frozen import NamedTuple
from sifprov.model.canonical import Json
from sifprov.model.fact import Fact
from sifprov.model.record import NOT_STARTED, UNKNOWN
from sifprov.model.request import CaptureEnd, CaptureRequest
from sifprov.runtime.mounts import plain

_MAX_BINDS = 500


class Mount(NamedTuple):
    """One line of a mount table: the folder `root` of a file system stands at `point`."""

    device: bytes
    root: bytes
    point: bytes
    kind: bytes
    read_only: bool


def binds(request: CaptureRequest, end: CaptureEnd, own: str = "/proc/self/mountinfo") -> Fact:
    """Returns the fact `binds`; `own` is the mount table by which host folders are known."""
    if not end.mounts:
        reason = {
            UNKNOWN: "the runtime was killed",
            NOT_STARTED: "the container was never started",
        }.get(end.outcome, "the container's process had ended before its mounts could be read")
        return Fact("binds", None, reason=reason)
    try:
        with open(own, "rb") as file:
            host = parse_mounts(file.read())
    except OSError:
        host = ()
    images = {os.path.normpath(b.destination): b for b in request.binds}
    found = parse_mounts(end.mounts)
    value: list[Json] = []
    for mount in found[:_MAX_BINDS]:
        point = os.fsdecode(mount.point)
        entry: dict[str, Json] = {
            "destination": bounded(point),
            "read_only": mount.read_only,
            "type": bounded(os.fsdecode(mount.kind)),
        }
        image = images.get(point)
        source = os.fsdecode(host_path(mount, host) or b"")
        if image:
            entry["image"] = bounded(os.path.join(request.cwd, image.source))
            entry["source"] = bounded(image.image_src or "/")
            # By FUSE, what cannot be written is shown as what can.
            entry["read_only"] = mount.read_only or image.read_only
        elif source:
            entry["source"] = bounded(source)
        value.append(entry)
    more = f", the first {_MAX_BINDS} of {len(found)}" if len(found) > _MAX_BINDS else ""
    return Fact("binds", value, source=f"mount table of the container's process{more}")


def parse_mounts(table: bytes) -> tuple[Mount, ...]:
    """Reads a mount table; lines of another form are left out."""
    found = []
    for line in table.split(b"\n"):
        # 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
        fields, dash, rest = line.partition(b" - ")
        words, last = fields.split(b" "), rest.split(b" ")
        if not dash or len(words) < 6 or len(last) < 3:
            continue
        options = words[5].split(b",") + last[2].split(b",")
        found.append(Mount(words[2], plain(words[3]), plain(words[4]), last[0], b"ro" in options))
    return tuple(found)


def host_path(mount: Mount, host: Sequence[Mount]) -> bytes | None:
    """Returns where the mounted folder stands on the host, None where it stands nowhere there."""
    best: Mount | None = None
    for each in host:
        if each.device != mount.device or not _is_below(mount.root, each.root):
            continue
        if best is None or len(each.root) > len(best.root):
            best = each
    if best is None:
        return None
    rest = mount.root[len(best.root) :].lstrip(b"/")
    return best.point.rstrip(b"/") + b"/" + rest if rest else best.point


def _is_below(path: bytes, folder: bytes) -> bool:
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")
