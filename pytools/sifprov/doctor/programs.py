"""The programs that sifprov calls, and their versions."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable

from sifprov.doctor.check import Check, bad, ok, warn

# As pyext2fs does: an ordinary user's PATH often lacks where these live.
_MORE = ("/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin", "/bin")
_VERSION = re.compile(r"\b(\d+\.\d+(?:\.\d+)*)")
_OLDEST_PYTHON = (3, 10)
_EXT = ("mke2fs", "debugfs", "e2fsck", "resize2fs")
_SQUASHFS = ("mksquashfs",)


def find_program(name: str, more: tuple[str, ...] = _MORE) -> str | None:
    """Returns where a program is: on PATH or in the system's folders."""
    for folder in (*os.environ.get("PATH", "").split(os.pathsep), *more):
        path = os.path.join(folder, name)
        if folder and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def ask_version(path: str) -> str:
    """Returns the version that a program prints, or `?`."""
    option = "-version" if "squashfs" in path else "-V"
    try:
        done = subprocess.run(
            [path, option], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=20, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return "?"
    match = _VERSION.search(done.stderr + done.stdout)
    return match.group(1) if match else "?"


Find = Callable[[str], str | None]
Ask = Callable[[str], str]


def e2fsprogs(find: Find = find_program, ask: Ask = ask_version) -> Check:
    """The programs that make, read and check ext3: data containers need them."""
    return _programs("e2fsprogs", _EXT, bad, "install e2fsprogs", find, ask)


def squashfs_tools(find: Find = find_program, ask: Ask = ask_version) -> Check:
    """The program that makes sealed containers."""
    hint = "install squashfs-tools; only 'data seal' and '--fs squashfs' need it"
    return _programs("squashfs-tools", _SQUASHFS, warn, hint, find, ask)


def _programs(
    name: str,
    wanted: tuple[str, ...],
    grade: Callable[[str, str, str], Check],
    hint: str,
    find: Find,
    ask: Ask,
) -> Check:
    paths = {program: find(program) for program in wanted}
    missing = [program for program, path in paths.items() if path is None]
    if missing:
        return grade(name, f"not found: {', '.join(missing)}", hint)
    by_version: dict[str, list[str]] = {}
    for program, path in paths.items():
        by_version.setdefault(ask(path or ""), []).append(program)
    text = "; ".join(f"{', '.join(some)} {version}" for version, some in by_version.items())
    return ok(name, text)


def python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Check:
    """The Python that runs this program."""
    text = ".".join(map(str, version))
    if version < _OLDEST_PYTHON:
        return bad("python", f"{text} is too old", "use Python 3.10 or later")
    return ok("python", f"{text}, {sys.executable}")
