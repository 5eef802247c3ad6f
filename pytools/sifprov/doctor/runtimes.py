"""The checks of one runtime, and in which way it mounts containers for this user."""

from __future__ import annotations

import os
import shutil
import stat
from enum import Enum

from sifprov.doctor import kernel
from sifprov.doctor.check import Check, Level, bad, ok, skip, warn
from sifprov.frozen import dataclass
from sifprov.pluginadmin import Place, State, Status
from sifprov.pluginadmin.place import read_conf

_MAX_LOOP_DEVICES = 256
_LEVELS = {
    State.GOOD: Level.OK,
    State.ABSENT: Level.SKIP,
    State.REFUSED: Level.SKIP,
    State.STALE: Level.BAD,
    State.RIVAL: Level.BAD,
}
_APPTAINER_PATH = "$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Way(Enum):
    """Who mounts the containers of this user; the value is how it is told."""

    ROOT = "by the kernel, as root"
    SETUID = "by the kernel, through the setuid starter"
    FUSE = "by FUSE, in a user namespace"


@dataclass(frozen=True)
class Examined:
    """A runtime's checks; `status` is None when it was not even possible to ask for its places."""

    checks: tuple[Check, ...]
    way: Way
    status: Status | None

    @property
    def obstacle(self) -> Check | None:
        """What keeps this user from running containers or binding data containers."""
        needed = ("user namespaces", "fuse", "ext3") if self.way is Way.FUSE else ("loop devices",)
        found = (c for c in self.checks if c.name in needed and not c.good)
        return next(found, None)


def examine(status: Status, namespaces: Check, *, uid: int) -> Examined:
    """Looks at a runtime for the user `uid`. Nothing is run with it."""
    place = status.place
    conf = read_conf(place.conf)
    problem = setuid_problem(place, conf)
    way = Way.ROOT if uid == 0 else Way.FUSE if problem else Way.SETUID
    checks = [plugin(status), building(place), setuid(problem, way)]
    if way is Way.FUSE:
        needed = "ordinary users' containers are mounted by it"
        checks += [namespaces, kernel.fuse(needed, fuse_programs(place, conf))]
        if place.word == "singularity":
            checks.append(no_ext3())
    else:
        try:
            limit = int(conf.get("max loop devices", _MAX_LOOP_DEVICES))
        except ValueError:
            limit = _MAX_LOOP_DEVICES
        checks += [kernel.fuse(None, {}), kernel.loop_devices(limit, conf=str(place.conf))]
        checks += [kernel.capabilities()] if uid == 0 else []
    return Examined(tuple(checks), way, status)


def plugin(status: Status) -> Check:
    """The plugin's state as a check."""
    word = status.state.value
    text = "; ".join([f"{word}, version {status.version}" if status.installed else word])
    if status.problems:
        text += ": " + "; ".join(status.problems)
    hint = None
    if status.state is State.ABSENT:
        hint = "sudo sifprov plugin install"
    elif status.problems:
        hint = "sudo sifprov plugin install, or 'remove' (docs/admin.md)"
    return Check("plugin", _LEVELS.get(status.state, Level.WARN), text, hint)


def building(place: Place) -> Check:
    """Whether a plugin could be compiled for this runtime."""
    name = "plugin support"
    if place.refuses_plugins:
        return skip(name, "this build refuses plugins, as packaged ones do (--reproducible)")
    if not (place.source / "pkg/plugin/plugin.go").is_file():
        return skip(name, f"a plugin wants --object FILE here: its source is not in {place.source}")
    return ok(name, "its source is there to compile a plugin with")


def setuid_problem(place: Place, conf: dict[str, str]) -> str | None:
    """Says why the setuid starter does not serve ordinary users; None when it does."""
    if place.build.get(f"{place.word.upper()}_SUID_INSTALL") == "0":
        return "this build has none"
    starter = next((path for path in place.starters if path.name == "starter-suid"), None)
    if starter is None:
        return "it is not installed"
    if conf.get("allow setuid", "yes") != "yes":
        return f"{place.conf} says 'allow setuid = no'"
    status = starter.stat()
    if status.st_uid != 0 or not status.st_mode & stat.S_ISUID:
        return f"{starter} is not setuid root"
    if os.statvfs(starter).f_flag & os.ST_NOSUID:
        return f"{starter} stands on a file system that is mounted nosuid"
    return None


def setuid(problem: str | None, way: Way) -> Check:
    """How containers are mounted for this user."""
    name = "setuid starter"
    if way is Way.ROOT:
        return skip(name, "not needed: you are root")
    if problem:
        return skip(name, f"{problem}: containers are mounted {way.value}")
    return ok(name, f"containers are mounted {way.value}")


def no_ext3() -> Check:
    """SingularityCE mounts ext3 images of ordinary users only through its setuid starter."""
    text = "without setuid, this runtime cannot bind ext3 containers"
    hint = "use Apptainer, sealed containers (sifprov data seal), or the setuid starter"
    return bad("ext3", text, hint)


def fuse_programs(place: Place, conf: dict[str, str]) -> dict[str, str | None]:
    """Returns where the runtime would find its drivers, by its own rules."""
    own = str(place.plugin_root.parent / "bin")
    path = f"{own}:{os.environ.get('PATH', '')}"
    if place.word == "apptainer":
        # pkg/util/apptainerconf: the user's PATH stands where `$PATH:` does, its own folder first.
        named = conf.get("binary path") or _APPTAINER_PATH
        mine = os.environ.get("PATH", "")
        if "$PATH:" in named:
            path = named.replace("$PATH:", f"{own}:{mine}:", 1)
        else:
            path = f"{own}:{named}"
    squashfuse = shutil.which("squashfuse_ll", path=path) or shutil.which("squashfuse", path=path)
    return {"squashfuse": squashfuse, "fuse2fs": shutil.which("fuse2fs", path=path)}


def unknown_place(problem: str, hint: str | None) -> Check:
    """The check of a runtime that could not be asked."""
    return warn("runtime", problem, hint or "mend or remove it")
