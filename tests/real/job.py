"""A small job on real containers: one input, one output, a command of busybox's shell."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sifprov.carrier import read_carrier
from tests.real.harness import Finished, Runner

INPUT_TEXT = "one\ntwo\nthree\n"
# Copies its input, so that the result depends on it.
COPY = "cat /Inputs/data.txt > /Outputs/copy.txt"
BINDS = ("input.sif:/Inputs:image-src=/Inputs", "output.sif:/Outputs:image-src=/Outputs")


@dataclass(frozen=True)
class Job:
    """`input.sif` and `output.sif` in the runner's folder, and how to run on them."""

    run: Runner
    runtime: str
    sifprov: str
    app: str
    flags: list[str]

    def path(self, name: str) -> Path:
        return self.run.folder / name

    def sibling(self, name: str) -> Job:
        """The same job in a folder of its own, with copies of both containers."""
        made = replace(self, run=replace(self.run, folder=self.path(name)))
        self.run(["mkdir", name]).expect()
        self.run(["cp", "-r", "input.sif", "output.sif", "data", name]).expect()
        return made

    def create(self, size: str = "1M") -> None:
        """Lays out both containers as the user: copies of those that were made for the first job,
        which takes a tenth of the time. Their origin names the folder that those were made of."""
        kept = self.run.folder.with_name(f"{self.run.user}-{size}")
        if not kept.exists():
            kept.mkdir(mode=0o755)
            shutil.chown(kept, self.run.user)
            replace(self, run=replace(self.run, folder=kept)).make(size)
        names = (f"{kept}/{name}" for name in ("data", "input.sif", "output.sif"))
        self.run(["cp", "-a", *names, "."]).expect()

    def make(self, size: str) -> None:
        """Makes both containers as the user."""
        source = self.path("data")
        self.run(["mkdir", "-p", source]).expect()
        self.run(["sh", "-c", f'printf "{INPUT_TEXT}" > data/data.txt']).expect()
        self.cli("data", "create", "input.sif", "--from", "data", "--mount", "/Inputs").expect()
        self.cli("data", "create", "output.sif", "--free", size, "--mount", "/Outputs").expect()

    def cli(self, *argv: str | Path, cwd: Path | None = None, home: Path | None = None) -> Finished:
        """Runs `sifprov`."""
        env = {"HOME": str(home or self.path("."))}
        return self.run([self.sifprov, *argv], cwd=cwd, env=env)

    def exec(
        self,
        *command: str,
        binds: tuple[str, ...] = BINDS,
        env: dict[str, str] | None = None,
        options: tuple[str, ...] = (),
    ) -> Finished:
        """Runs a command in the application container, plainly by the runtime."""
        argv = [self.runtime, "exec", *self.flags, *options]
        for bind in binds:
            argv += ["-B", bind]
        home = {"HOME": str(self.path("."))}
        return self.run([*argv, self.app, *command], env={**home, **(env or {})})

    def shell(self, script: str) -> Finished:
        """Runs a script of the container's shell."""
        return self.exec("sh", "-c", script)

    def records(self, name: str = "output.sif") -> list[dict[str, Any]]:
        """Returns the container's records, oldest first; an empty list when it has none."""
        stored = read_carrier(str(self.path(name)), embedded=False).records
        assert all(s.record for s in stored), stored
        return [json.loads(json.dumps(s.record.to_json())) for s in stored if s.record]

    def objects(self, name: str) -> list[str]:
        """Returns the object lines that the runtime's own `sif list` prints."""
        done = self.run([self.runtime, "sif", "list", name]).expect()
        return [line for line in done.stdout.splitlines() if line[:1].isdigit()]

    def check_file_system(self, name: str) -> None:
        """Lets e2fsck read the (unmounted) partition: it must be clean."""
        offset = self.objects(name)[0].split("|")[3].split("-")[0]
        done = subprocess.run(
            ["/sbin/e2fsck", "-fn", f"{self.path(name)}?offset={int(offset)}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
