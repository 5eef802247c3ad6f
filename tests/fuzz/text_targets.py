"""Targets that read text: command lines, what is shown on a terminal, the kernel's mounts."""

from __future__ import annotations

import os
import re
import time
import unicodedata
from contextlib import suppress

from sifprov.errors import SifprovError
from sifprov.model.redact import HIDDEN, redact
from sifprov.roles import check_mount
from sifprov.runtime.argv import is_image_bind, parse, split_binds, without_image_binds
from sifprov.runtime.mounts import find_mount
from sifprov.sizes import parse_size
from sifprov.terminal import command, printable
from tests.fuzz.target import HERE, Memory, Target, as_argv, as_text

_MOUNTINFO = Memory()
# An argument has at most 128 KiB; what takes its square takes minutes there.
LONG = 100_000
LINEAR_SECONDS = 0.6
# Behind its loop device 7:0 stands `/`, from byte 32768 on.
_SYSFS = str(HERE / "sysfs")


def redaction(data: bytes) -> None:
    """Redaction names what it changed, and finds nothing more in what it made."""
    argv = as_argv(data)
    clean, places = redact(argv)
    assert len(clean) == len(argv)
    assert list(places) == [n for n, (a, b) in enumerate(zip(argv, clean, strict=True)) if a != b]
    assert all(HIDDEN in clean[n] for n in places)
    assert redact(clean)[0] == clean


def redaction_time(data: bytes) -> None:
    """The time for a long argument grows with its length, not with its square.

    Two bytes give the lengths of what comes once, before, and of what is repeated.
    """
    if len(data) < 3:
        return
    before, unit = data[0] % 24, data[1] % 16 + 1
    head, rest = data[2 : 2 + before], data[2 + before :]
    repeated, tail = rest[:unit], rest[unit : unit + 16]
    if not repeated:
        return
    text = as_text(head + repeated * (LONG // len(repeated)) + tail)
    # A busy machine may steal time from one try, hardly from three.
    taken = []
    for _ in range(3):
        start = time.process_time()
        redact([text])
        taken.append(time.process_time() - start)
        if taken[-1] < LINEAR_SECONDS:
            return
    raise AssertionError(f"{min(taken):.1f} s for {len(text)} characters")


def command_line(data: bytes) -> None:
    """A command line is taken apart without losing an argument."""
    argv = as_argv(data)
    found = parse(argv)
    if found is not None:
        options = [t for o in (*found.globals, *found.options) for t in o.tokens]
        whole = [found.program, *options, found.action, found.image, *found.args]
        # Only the two `--` that end options may go.
        assert 0 <= len(argv) - len(whole) <= 2
        kept = without_image_binds(found.options)
        assert not any(is_image_bind(s) for s in kept if s.startswith("--bind="))
        assert printable(command(argv)) == command(argv)
    for argument in argv:
        assert ",".join(split_binds(argument)) == ",".join(p for p in argument.split(",") if p)


def harmless(text: str) -> bool:
    """Whether a terminal only shows it: spaces of all kinds, and what Python calls printable."""
    return all(c.isprintable() or unicodedata.category(c) == "Zs" for c in text)


def terminal(data: bytes) -> None:
    """Nothing that acts on a terminal is left, and nothing is changed twice."""
    for text in (as_text(data), data.decode("utf-32-le", "ignore")):
        shown = printable(text)
        assert harmless(shown)
        assert printable(shown) == shown


def mounts(data: bytes) -> None:
    """Any mount table gives a mount point, or none."""
    _MOUNTINFO.fill(data)
    found = find_mount("/", 32768, 3, proc=_MOUNTINFO.path, sys=_SYSFS)
    points = [p for p in map(_point, data.split(b"\n")) if p is not None]
    assert (found is None) == (not points)
    if found is not None and b"\\" not in points[-1]:
        assert os.fsencode(found) == points[-1]


def _point(line: bytes) -> bytes | None:
    """Where this line says that the partition is mounted, by loop device or by FUSE."""
    fields, _, kind = line.partition(b" - ")
    number, root, point = [*fields.split(b" "), *[b""] * 5][2:5]
    by_fuse = kind.startswith(b"fuse") and point.endswith(b"/session/data-images/3")
    here = by_fuse if not re.fullmatch(rb"7:\d+", number) else number == b"7:0"
    return point if root == b"/" and here else None


def typed(data: bytes) -> None:
    """Sizes and mount points that people type."""
    text = as_text(data)
    with suppress(SifprovError):
        assert parse_size(text) >= 0
    try:
        mount = check_mount(text)
    except SifprovError:
        return
    assert check_mount(mount) == mount
    assert mount.startswith("/")


_SECRETS = ("--token", "--password=", "TOKEN=", "Authorization:", "Bearer ", "://u:", "@", "PASS=",
            "-----BEGIN PRIVATE KEY-----", "ghp_", "sk-", "eyJ", "?sig=", "pass:", "--pwd", "'",
            "\\\"", "=", "KEY", "--api-key", "Cookie: ", ",;", "[redacted]")  # fmt: skip
_OPTIONS = ("exec", "run", "shell", "--bind", "-B", "--mount", ":image-src=/", ",ro", "id=", "--",
            "-ceB", "--pwd", "--env", "app.sif", "\\x00")  # fmt: skip

TARGETS = (
    Target("redact", redaction, 80_000, max_len=600, words=_SECRETS),
    Target("redact-time", redaction_time, 2_000, max_len=60, words=_SECRETS),
    Target("argv", command_line, 400_000, max_len=256, words=_OPTIONS),
    Target("terminal", terminal, 400_000, max_len=128),
    Target("mounts", mounts, 400_000, max_len=512,
           words=("7:0 / ", "\\\\040", " - ext3 ", "\\\\777", " - fuse", "/session/data-images/3")),
    Target("typed", typed, 700_000, max_len=120, words=("KiB", "1.5G", "/../", "lost+found")),
)  # fmt: skip
