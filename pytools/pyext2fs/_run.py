"""The one door to the programs of e2fsprogs, and the one family of errors."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

# An ordinary user's PATH often lacks the folders where these programs live.
_SYSTEM_DIRS = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin")
_ENVIRONMENT = {
    "LC_ALL": "C",
    "PATH": ":".join(_SYSTEM_DIRS),
    # Every option is explicit: the system's mke2fs.conf adds features of its own.
    "MKE2FS_CONFIG": "/dev/null",
    # debugfs: neither readline, which echoes, nor a pager.
    "SS_READLINE_PATH": "none",
    "DEBUGFS_PAGER": "__none__",
    "PAGER": "__none__",
}
_FULL = (
    b"Could not allocate",
    b"No space left on device",
    b"No free space in",
    b"smaller than minimum",
)


class Ext2fsError(Exception):
    """Something about an ext2, ext3 or ext4 filesystem failed.

    `argv`, `returncode` and `stderr` are the program's, or empty where none was run.
    """

    def __init__(
        self,
        message: str,
        argv: Sequence[str] = (),
        returncode: int | None = None,
        stderr: str = "",
    ) -> None:
        super().__init__(message)
        self.argv = tuple(argv)
        self.returncode = returncode
        self.stderr = stderr


class ToolMissing(Ext2fsError):  # noqa: N818 - the name says it all
    """A program of e2fsprogs is not installed."""


class NoSpace(Ext2fsError):  # noqa: N818 - the name says it all
    """The filesystem has no block or no inode left for what it was to hold."""


class CorruptFilesystem(Ext2fsError):  # noqa: N818 - the name says it all
    """The bytes are no filesystem, or one that breaks the rules of its format."""


class SourceChanged(Ext2fsError):  # noqa: N818 - the name says it all
    """A source folder changed while it was being copied."""


def find_tool(name: str) -> str:
    """Path of a program: PATH first, then the system's folders."""
    for folder in (*os.environ.get("PATH", "").split(":"), *_SYSTEM_DIRS):
        path = os.path.join(folder, name)
        if folder.startswith("/") and os.access(path, os.X_OK):
            return path
    raise ToolMissing(f"{name} not found: install the Debian package e2fsprogs", [name])


def fake_time(timestamp: int | None) -> dict[str, str]:
    """What makes the programs take `timestamp` for the present, in seconds since 1970."""
    return {} if timestamp is None else {"E2FSPROGS_FAKE_TIME": str(timestamp)}


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """The environment that every program gets, and nothing else."""
    return {**_ENVIRONMENT, **(extra or {})}


@contextmanager
def opened(path: str | bytes | os.PathLike[str], writable: bool = False) -> Iterator[int]:
    """Open the file that holds a filesystem.

    The programs get this descriptor as `/proc/self/fd/N`, because they would take a `?` in a path
    for the start of their own options, and a leading `-` for an option.
    """
    try:
        fd = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC)
    except OSError as e:
        raise Ext2fsError(f"{os.fsdecode(path)}: {e.strerror}") from e
    try:
        yield fd
    finally:
        os.close(fd)


def device(fd: int) -> str:
    return f"/proc/self/fd/{fd}"


def device_at(fd: int, offset: int) -> str:
    return f"/proc/self/fd/{fd}?offset={offset}" if offset else device(fd)


def run(
    tool: str,
    arguments: Sequence[str],
    fd: int,
    *,
    ok: Sequence[int] = (0,),
    timeout: float | None = None,
    env: dict[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> tuple[int, str, str]:
    """Run a program on the open file `fd`; (exit code, stdout, stderr).

    Raises Ext2fsError for an exit code outside `ok`, NoSpace where the program says it was full.
    """
    import subprocess

    argv = [find_tool(tool), *arguments]
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            env=environment(env),
            pass_fds=(fd, *pass_fds),
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as e:
        raise Ext2fsError(f"{tool} took longer than {timeout} s", argv) from e
    except OSError as e:
        raise Ext2fsError(f"{tool}: {e.strerror}", argv) from e
    stderr = done.stderr.decode(errors="replace")
    if done.returncode not in ok:
        raise failure(tool, argv, done.returncode, done.stdout.decode(errors="replace"), stderr)
    return done.returncode, done.stdout.decode(errors="replace"), stderr


def failure(
    tool: str, argv: Sequence[str], returncode: int, stdout: str, stderr: str
) -> Ext2fsError:
    """The error for a program that failed, with the program's own words."""
    lines = [line for line in (stderr or stdout).splitlines() if line.strip()]
    said = "; ".join(line for line in lines if "mke2fs.conf" not in line)
    full = any(word in (stderr + stdout).encode() for word in _FULL)
    kind = NoSpace if full else Ext2fsError
    return kind(f"{tool} failed ({returncode}): {said}", argv, returncode, stderr)
