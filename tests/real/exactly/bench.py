"""Runs one and the same command line bare and captured, and says in what the two differ.

`bare` is the runtime with no plugin to load. The ways of capture are the plugin, and the wrapper
(beside a runtime without the plugin). Each run stands in a fresh folder of the same path,
so that messages that name files are the same.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import shutil
import stat
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path

from sifprov.errors import FileError, SifprovError
from sifprov.filesystem import FileSystem, Node
from sifprov.filesystem.opening import open_filesystem
from sifprov.identity import identify
from sifprov.model.record import Run
from sifprov.records import read_records
from sifprov.sif import Partition, open_image
from tests.real.exactly.case import Case
from tests.real.exactly.live import Live
from tests.real.harness import SYSTEM_PATH, kill_tree, plugin_state

BARE = "bare"
WAYS = ("plugin", "wrapper")
LIMIT = 120.0
AT_ONCE = 3
SPOOL = "home/.local/state/sifprov/spool"


@dataclass(frozen=True)
class Site:
    """A runtime, the user who runs it, and what is there to run. `flags` is what `exec` wants here
    in any case; `folder` belongs to the user and holds the containers that cases copy."""

    runtime: str
    user: str
    flags: tuple[str, ...]
    app: str
    sifprov: str
    folder: Path

    @property
    def name(self) -> str:
        """`apptainer-user` and such."""
        return f"{self.kind}-{'root' if self.is_root else 'user'}"

    @property
    def kind(self) -> str:
        """`singularity` or `apptainer`."""
        return Path(self.runtime).name

    @property
    def is_root(self) -> bool:
        return pwd.getpwnam(self.user).pw_uid == 0

    def program(self, way: str) -> str:
        return self.sifprov if way == "wrapper" else self.runtime

    def environment(self, folder: Path) -> dict[str, str]:
        """What every run has around it, bare or not."""
        return {
            "PATH": SYSTEM_PATH,
            "HOME": str(folder / "home"),
            "USER": self.user,
            "LOGNAME": self.user,
            "LANG": "C.UTF-8",
            "SIFPROV_RUNTIME": self.runtime,
        }

    def popen(
        self, argv: Sequence[str], cwd: Path, env: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Starts a program as the user, in a session of its own."""
        account = pwd.getpwnam(self.user)
        other = account.pw_uid != os.getuid()
        return subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            user=account.pw_uid if other else None,
            group=account.pw_gid if other else None,
            extra_groups=[] if other else None,
            umask=0o022,
        )

    def own(self, path: Path) -> Path:
        """Gives a file or folder to the user."""
        account = pwd.getpwnam(self.user)
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
        return path


@dataclass
class Outcome:
    """What one run left behind. `code` is negative where a signal ended it."""

    code: int
    stdout: bytes
    stderr: bytes
    files: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    records: dict[str, list[Run]] = field(default_factory=dict)
    spooled: int = 0
    trouble: str = ""

    def differences(self, other: Outcome) -> list[str]:
        """One line for everything in which another run was different."""
        found = []
        for name in ("code", "stdout", "stderr", "files", "notes"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                found += [f"{name}:", *unified_diff(_lines(mine), _lines(theirs), "bare", "here")]
        return found


def _lines(value: object) -> list[str]:
    if isinstance(value, bytes):
        return [repr(line)[1:] for line in value.splitlines(keepends=True)]
    if isinstance(value, dict):
        return [f"{name}: {what}" for name, what in value.items()]
    return [repr(value)]


def fresh_folder(site: Site, name: str, containers: Sequence[str]) -> Path:
    """Returns a new folder of the user's, with copies of containers; it is the same every time."""
    folder = site.folder / name
    if folder.exists():
        shutil.rmtree(folder)
    for path in (folder, folder / "home"):
        path.mkdir()
        site.own(path)
    for container in containers:
        shutil.copyfile(site.folder / container, folder / container)
        site.own(folder / container)
    return folder


def run(site: Site, way: str, case: Case) -> Outcome:
    """Runs a case in one way, in its own fresh folder. The plugin's state is the caller's."""
    folder = fresh_folder(site, case.name, case.containers)
    env = {**site.environment(folder), **case.environment(site.folder)}
    if case.prepare:
        made = site.popen(["bash", "-euc", case.prepare, site.runtime, site.app], folder, env)
        output, errors = made.communicate(timeout=LIMIT)
        assert made.returncode == 0, f"{case.name}: {output!r} {errors!r}"
    argv = case.argv(site.program(way), site.flags, site.app, site.folder)
    process = site.popen(argv, folder, {k: v for k, v in env.items() if k not in case.unset})
    live = Live(process, case.name)
    try:
        if case.during:
            case.during(live)
        stdout, stderr = process.communicate(case.stdin, timeout=LIMIT)
    except BaseException as error:
        kill_tree(process.pid)
        stdout, stderr = process.communicate(timeout=10)
        shown = f"{live.seen + stdout!r} {stderr!r}"
        raise AssertionError(f"{site.name} {way} {case.name}: {error!r}\n{shown}") from error
    finally:
        live.end()
    return Outcome(
        process.returncode,
        _scrub(case, live.seen + stdout, process.pid),
        _scrub(case, stderr, process.pid),
        _files(folder),
        live.notes,
        {path.name: records_of(path) for path in folder.glob("*.sif") if path.is_file()},
        len(list((folder / SPOOL).glob("*.*"))),
    )


def run_all(site: Site, way: str, cases: Sequence[Case]) -> dict[str, Outcome]:
    """Runs cases, a few at once, with the plugin in the state that the way wants."""
    with plugin_state(site.runtime, present=way == "plugin"), ThreadPoolExecutor(AT_ONCE) as pool:
        results = pool.map(lambda case: _try(site, way, case), cases)
        return dict(zip([case.name for case in cases], results, strict=True))


def _try(site: Site, way: str, case: Case) -> Outcome:
    """What goes wrong in one case is no other's trouble."""
    try:
        return run(site, way, case)
    except (AssertionError, OSError, SifprovError) as error:
        return Outcome(0, b"", b"", trouble=str(error) or repr(error))


def _scrub(case: Case, text: bytes, pid: int) -> bytes:
    """Takes out what differs from one bare run to the next."""
    for pattern, instead in case.scrub:
        text = re.sub(pattern.replace(b"PID", b"%d" % pid), instead, text)
    return text


def wait_for_record(path: Path) -> Run:
    """Returns the newest record, which may be written after everybody else has ended."""
    deadline = time.monotonic() + LIMIT
    while not records_of(path):
        assert time.monotonic() < deadline, f"no record in {path}"
        time.sleep(0.1)
    return records_of(path)[-1]


def records_of(path: Path) -> list[Run]:
    """Returns the recorded runs, oldest first."""
    if identify(str(path)).partition is None:
        return []
    with open_image(str(path)) as (file, image):
        stored = read_records(file, image)
    assert all(entry.record for entry in stored), stored
    return [entry.record.run for entry in stored if entry.record and entry.record.run]


def _files(folder: Path) -> dict[str, str]:
    """What stands in the folder and in the data containers of it, less what is ours."""
    found = {}
    for path in sorted(folder.rglob("*")):
        relative = str(path.relative_to(folder))
        if relative.startswith(
            ("home/.local", "home/.cache", "home/.singularity", "home/.apptain")
        ):
            continue
        info = path.lstat()
        line = f"{stat.filemode(info.st_mode)} {info.st_uid}:{info.st_gid}"
        partition = identify(str(path)).partition if stat.S_ISREG(info.st_mode) else None
        if partition:
            for inside, what in _tree(path, partition).items():
                found[f"{relative}!{inside}"] = what
        elif stat.S_ISREG(info.st_mode) and path.suffix not in (".img", ".ext3"):
            # Of a raw ext3 image, times and counts change with each mount.
            line += " " + hashlib.sha256(path.read_bytes()).hexdigest()
        found[relative] = line
    return found


def _tree(path: Path, partition: Partition) -> dict[str, str]:
    """The files of a data partition, which the kernel may unmount a moment after the run's end."""
    deadline = time.monotonic() + LIMIT
    while True:
        try:
            with open_filesystem(str(path), partition) as fs:
                return {os.fsdecode(node.path): _describe(fs, node) for node in fs.walk()}
        except FileError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def _describe(fs: FileSystem, node: Node) -> str:
    content = hashlib.sha256()
    for piece in fs.content(node) if node.is_file else ():
        content.update(piece)
    return f"{stat.filemode(node.mode)} {node.uid}:{node.gid} {content.hexdigest()}"
