"""Running programs as root or as an ordinary user, always under a time limit."""

from __future__ import annotations

import contextlib
import os
import pwd
import shlex
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Finished:
    """What a program left behind. `code` is negative when a signal ended it."""

    argv: list[str]
    code: int
    stdout: str
    stderr: str

    def expect(self, code: int = 0) -> Finished:
        """Fail the test, showing both streams, when the exit code is not `code`."""
        assert self.code == code, (
            f"exit code {self.code}, not {code}: {shlex.join(self.argv)}\n"
            f"--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"
        )
        return self


def as_user(
    argv: Sequence[str | os.PathLike[str]],
    user: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    timeout: float = 120.0,
    stdin: str = "",
) -> Finished:
    """Run `argv` as `user`, with a clean environment plus `env`; on a time-out fail the test.

    At the time limit the process, its group and all its descendants are killed.
    """
    account = pwd.getpwnam(user)
    environment = {
        "PATH": SYSTEM_PATH,
        "HOME": account.pw_dir,
        "USER": user,
        "LOGNAME": user,
        "LANG": "C.UTF-8",
        **(env or {}),
    }
    other = account.pw_uid != os.getuid()
    command = [os.fspath(word) for word in argv]
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",
        start_new_session=True,
        user=account.pw_uid if other else None,
        group=account.pw_gid if other else None,
        extra_groups=[] if other else None,
        umask=0o022,
    )
    try:
        stdout, stderr = process.communicate(stdin, timeout=timeout)
    except BaseException as error:
        kill_tree(process.pid)
        stdout, stderr = process.communicate(timeout=10)
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        raise AssertionError(
            f"no end within {timeout:g} s: {shlex.join(command)}\n"
            f"--- stdout\n{stdout}\n--- stderr\n{stderr}"
        ) from None
    return Finished(command, process.returncode, stdout, stderr)


def kill_tree(pid: int) -> None:
    """Kill a session leader's process group and its descendants in other groups."""
    doomed = descendants(pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    kill_all(doomed)


def kill_all(pids: Iterable[int]) -> None:
    """Kill processes, some of which may have ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """The processes below `pid`, found by their parents' ids."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        child = int(folder.name)
        children.setdefault(parent_of(child), []).append(child)
    found: list[int] = []
    pending = [pid]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += below
    return found


@contextlib.contextmanager
def plugin_state(runtime: str, *, present: bool) -> Iterator[None]:
    """Takes every plugin out of the runtime's sight for a moment, unless it is to be `present`: the
    runtime looks for files *.meta."""
    folders = Path(runtime).parents[1].glob("libexec/*/plugin")
    away = [] if present else [path for folder in folders for path in folder.glob("*.meta")]
    for path in away:
        path.rename(path.with_suffix(".away"))
    try:
        yield
    finally:
        for path in away:
            path.with_suffix(".away").rename(path)


def parent_of(pid: int) -> int:
    """The parent of a process; 0 where it has ended, meanwhile or long ago."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return 0
    # The name, in parentheses, may hold anything: the state and the parent follow the last one.
    return int(stat.rpartition(")")[2].split()[1])


def words_of(pid: int) -> list[bytes]:
    """The command line of a process; empty for one that has ended, meanwhile or long ago."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
    return []


def leads_session(pid: int) -> bool:
    """Whether a process has a session of its own; one that has ended has none."""
    with contextlib.suppress(ProcessLookupError):
        return os.getsid(pid) == pid
    return False


def image_drivers() -> set[int]:
    """The FUSE drivers that mount images; a killed runtime leaves them behind. Those of tests on
    another machine (tools/own-machine) are left out."""
    found = set()
    here = _machine(Path("/proc/self"))
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            name = (folder / "comm").read_text()
            if name.startswith(("fuse2fs", "squashfuse")) and _machine(folder) == here:
                found.add(int(folder.name))
    return found


def _machine(process: Path) -> set[str]:
    """The devices of the file systems that tools/own-machine mounted where a process is."""
    lines = (process / "mountinfo").read_text(errors="replace").splitlines()
    return {line.split()[2] for line in lines if " - tmpfs sifprov " in line}


@dataclass(frozen=True)
class Runner:
    """`as_user` for one user, in a folder of its own that this user and root can reach."""

    user: str
    folder: Path

    @property
    def is_root(self) -> bool:
        return pwd.getpwnam(self.user).pw_uid == 0

    def __call__(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 120.0,
        stdin: str = "",
    ) -> Finished:
        return as_user(argv, self.user, cwd or self.folder, env, timeout, stdin)
