"""What the kernel lets a user do: user namespaces, FUSE, loop devices, capabilities."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from sifprov.doctor.check import Check, bad, ok, skip, warn

# An application container, an input and an output.
IMAGES_A_RUN = 3
_FEW_RUNS = 10


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def make_namespace() -> str | None:
    """Makes a user namespace with a mapped root, in a process of its own; says what failed."""
    try:
        done = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--mount", "true"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"not tried: {error}"
    return done.stderr.strip() or "refused" if done.returncode else None


def user_namespaces(
    *, proc: Path = Path("/proc"), make: Callable[[], str | None] = make_namespace
) -> Check:
    """Whether this user can make user namespaces: by the settings, then by trying."""
    name = "user namespaces"
    if not (proc / "self/ns/user").exists():
        return bad(name, "this kernel has none", "boot a kernel with CONFIG_USER_NS")
    if _number(proc / "sys/user/max_user_namespaces") == 0:
        return bad(
            name, "forbidden: user.max_user_namespaces is 0",
            "as root: sysctl user.max_user_namespaces=15000, and keep it in /etc/sysctl.d",
        )  # fmt: skip
    failed = make()
    if failed is None:
        return ok(name, "tried: can be made")
    if failed.startswith("not tried"):
        return skip(name, failed)
    if _number(proc / "sys/kernel/unprivileged_userns_clone") == 0:
        return bad(
            name, "forbidden: kernel.unprivileged_userns_clone is 0",
            "as root: sysctl kernel.unprivileged_userns_clone=1, and keep it in /etc/sysctl.d",
        )  # fmt: skip
    if _number(proc / "sys/kernel/apparmor_restrict_unprivileged_userns") == 1:
        return warn(
            name, "AppArmor allows them only to programs with a profile",
            "install the runtime's package with its AppArmor profile, or as root: "
            "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        )  # fmt: skip
    return bad(
        name, f"cannot be made: {failed}", "ask the administrator; a container may forbid it"
    )


def subordinate_ids(
    user: str, find: Callable[[str], str | None], *, etc: Path = Path("/etc")
) -> Check:
    """Whether `--fakeroot` has a range of ids to map; plain runs need none."""
    name = "fakeroot"
    missing = [tool for tool in ("newuidmap", "newgidmap") if not find(tool)]
    if missing:
        return warn(name, f"{' and '.join(missing)} not found", "install uidmap (shadow-utils)")
    for file in ("subuid", "subgid"):
        try:
            lines = (etc / file).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        if not any(line.startswith((f"{user}:", f"{os.getuid()}:")) for line in lines):
            return warn(
                name, f"{user} has no range in {etc / file}: --fakeroot is limited",
                f"as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}",
            )  # fmt: skip
    return ok(name, "newuidmap, newgidmap and a range of ids are there")


def fuse(
    needed: str | None, programs: Mapping[str, str | None], *, device: Path = Path("/dev/fuse")
) -> Check:
    """Whether containers can be mounted by FUSE; `needed` says for what, None when not at all.

    `programs` has where the runtime finds each driver.
    """
    name = "fuse"
    if needed is None:
        return skip(name, "not needed: containers are mounted by the kernel")
    if not device.exists():
        return bad(name, f"{device} is not there; {needed}", "as root: modprobe fuse")
    if not os.access(device, os.R_OK | os.W_OK):
        mode = device.stat().st_mode & 0o777
        return bad(name, f"{device} is closed to you (mode {mode:o}); {needed}",
                   f"as root: chmod 666 {device}")  # fmt: skip
    missing = [program for program, path in programs.items() if not path]
    if missing:
        return bad(name, f"{' and '.join(missing)} not found; {needed}",
                   "install squashfuse and fuse2fs (e2fsprogs)")  # fmt: skip
    found = ", ".join(path for path in programs.values() if path)
    return ok(name, f"{device} is open; {found}")


def loop_devices(
    limit: int, *, conf: str, block: Path = Path("/sys/block"), dev: Path = Path("/dev")
) -> Check:
    """How many runs the loop devices allow at once; `limit` is the runtime's, `conf` its file."""
    name = "loop devices"
    if not (dev / "loop-control").exists() and not any(dev.glob("loop[0-9]*")):
        return bad(name, "there are none", "as root: modprobe loop")
    used = sum(1 for _ in block.glob("loop*/loop/backing_file"))
    runs = max(limit - used, 0) // IMAGES_A_RUN
    text = f"{used} of {limit} in use: room for {runs} runs at once with {IMAGES_A_RUN} images each"
    hint = f"raise 'max loop devices' in {conf}, or set 'shared loop devices = yes' there"
    if runs == 0:
        return bad(name, text, hint)
    return warn(name, text, hint) if runs < _FEW_RUNS else ok(name, text)


def capabilities(*, proc: Path = Path("/proc")) -> Check:
    """Whether root has all capabilities: the runtimes hand on all of them by default."""
    name = "capabilities"
    last = _number(proc / "sys/kernel/cap_last_cap")
    try:
        lines = (proc / "self/status").read_text(encoding="utf-8").splitlines()
        have = next(int(line.split()[1], 16) for line in lines if line.startswith("CapPrm:"))
    except (OSError, StopIteration, ValueError):
        return skip(name, f"{proc}/self/status says nothing of them")
    if last is None:
        return skip(name, f"{proc}/sys/kernel/cap_last_cap cannot be read")
    lacking = [str(number) for number in range(last + 1) if not have >> number & 1]
    if not lacking:
        return ok(name, "root has all")
    return warn(name, f"root lacks number {', '.join(lacking)}, so a plain exec fails",
                "as root, give exec, run and shell the option --no-privs")  # fmt: skip
