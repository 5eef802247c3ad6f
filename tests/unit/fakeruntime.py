"""A program that stands for a runtime in fast tests: it writes into ext3 by debugfs, as
`exec … APP join NAME`, the file `f` of each input and NAME, one after the other, into the file `f`
of each output; where that is there, into NAME.

Beside it, `log` gets a line at the start and at the end of each run; while `hold-NAME` is there the
run waits, and with `fail-NAME` it ends with 3, with `refuse-NAME` before anything is touched.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

LAUNCHER = '#!/bin/sh\nexec {python} -I -S {program} {folder} "$@"\n'


def install(folder: Path) -> Path:
    """Makes the program `folder/singularity`."""
    program = folder / "singularity"
    program.write_text(
        LAUNCHER.format(python=sys.executable, program=Path(__file__).resolve(), folder=folder)
    )
    program.chmod(0o755)
    return program


def starts(folder: Path) -> list[str]:
    """The names of the runs that were begun, in their order."""
    log = folder / "log"
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.split()[1] for line in lines if line.startswith("begin")]


def offset_of(path: str) -> int:
    """Where the partition of a data container begins: it is the first object."""
    with open(path, "rb") as file:
        file.seek(4096 + 17)
        return int.from_bytes(file.read(8), "little")


def _main(folder: Path, argv: list[str]) -> int:
    if argv[0] == "--version":
        print("singularity-ce version 4.3.3")
        return 0
    name = argv[-1]
    if (folder / f"refuse-{name}").exists():
        return 255
    _note(folder, f"begin {name}")
    binds = [argv[at + 1].split(":") for at, word in enumerate(argv) if word == "--bind"]
    text = b""
    for path, _, options in binds:
        source = options.split(",")[0].removeprefix("image-src=")
        if options.endswith(",ro"):
            text += _debugfs(path, f"cat {source}/f")
    hold = folder / f"hold-{name}"
    if hold.exists():
        # A process below the runtime, as a command is.
        wait = 'while [ -e "$0" ]; do sleep 0.02; done'
        subprocess.run(["/bin/sh", "-c", wait, hold], check=True)
    print(f"out {name}", flush=True)
    print(f"err {name}", file=sys.stderr, flush=True)
    for path, _, options in binds:
        source = options.split(",")[0].removeprefix("image-src=")
        if not options.endswith(",ro"):
            new = folder / f"new-{name}-{os.getpid()}"
            new.write_bytes(text + name.encode() + b"\n")
            _write(path, new, f"{source}/{name if _debugfs(path, f'cat {source}/f') else 'f'}")
            new.unlink()
    _note(folder, f"end {name}")
    return 3 if (folder / f"fail-{name}").exists() else 0


def _note(folder: Path, line: str) -> None:
    with (folder / "log").open("a") as file:
        file.write(f"{line} {time.monotonic()}\n")


def _write(path: str, new: Path, name: str) -> None:
    # Left to itself debugfs counts in seconds: what a run writes in its first one would seem to be
    # older than the run.
    seconds, ns = divmod(time.time_ns(), 10**9)
    _debugfs(path, f"write {new} {name}", seconds)
    _debugfs(path, f"set_inode_field {name} ctime_extra {ns << 2}", seconds)


def _debugfs(path: str, command: str, now: int | None = None) -> bytes:
    """Lets debugfs do one thing, at the time `now` where it is to write (seconds since 1970)."""
    argv = ["/sbin/debugfs", *([] if now is None else ["-w"]), "-R", command]
    argv.append(f"{path}?offset={offset_of(path)}")
    env = {"E2FSPROGS_FAKE_TIME": str(now or "")}
    return subprocess.run(argv, capture_output=True, check=True, env=env).stdout


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1]), sys.argv[2:]))
