"""Workflows for tests: documents, and a folder where they run by a program that stands for the
runtime (fakeruntime.py)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.unit import fakeruntime
from tests.unit.verified import make_app

from sifprov.carrier import read_carrier
from sifprov.create import create_data
from sifprov.model.record import INPUT, Record

MOUNTS = {"raw": "/In", "prep": "/Prep", "left": "/Left", "right": "/Right", "join": "/Join"}


def step(activity: str, inputs: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    """A step that makes the output of its own name from other outputs; from `raw.sif` where that
    is named."""
    return {
        "activity": activity,
        "application": "app.sif",
        "inputs": [
            {"file": "raw.sif", "mount": "/In"}
            if name == "raw"
            else {"output": name, "mount": MOUNTS.get(name, f"/{name}")}
            for name in inputs
        ],
        "outputs": [{"name": activity, "mount": MOUNTS.get(activity, f"/{activity}"),
                     "free": "64K"}],
        "command": ["join", activity],
        **fields,
    }  # fmt: skip


def document(*steps: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A workflow of these steps."""
    return {"schema": "sifprov.workflow/1", "name": "w", "steps": list(steps), **fields}


def diamond(**fields: Any) -> dict[str, Any]:
    """Four steps: one, two beside each other, one."""
    return document(
        step("join", ("left", "right")),
        step("left", ("prep",)),
        step("right", ("prep",)),
        step("prep", ("raw",)),
        **fields,
    )


@dataclass(frozen=True)
class Site:
    """A folder with `raw.sif`, `app.sif`, the stand-in and `w.json`."""

    folder: Path
    env: dict[str, str]

    def path(self, name: str) -> Path:
        return self.folder / name

    def write(self, what: dict[str, Any], name: str = "w.json") -> Path:
        path = self.path(name)
        path.write_text(json.dumps(what))
        return path

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "sifprov", *words]

    def cli(self, *words: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.argv(*words), env=self.env, cwd=self.folder, text=True, capture_output=True,
            check=False, stdin=subprocess.DEVNULL, timeout=240,
        )  # fmt: skip
        assert code is None or done.returncode == code, done.stdout + done.stderr
        return done

    def run(self, *words: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        return self.cli("workflow", "run", "w.json", *words, code=code)

    def begin(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.argv("workflow", "run", "w.json"), env=self.env, cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip

    def started(self) -> list[str]:
        """The runs since this was asked last, in their order."""
        found = fakeruntime.starts(self.folder)
        self.path("log").unlink(missing_ok=True)
        return found

    def wait_for(self, name: str) -> None:
        end = time.monotonic() + 120
        while name not in fakeruntime.starts(self.folder):
            assert time.monotonic() < end
            time.sleep(0.02)

    def record(self, name: str) -> Record:
        """The newest record of a container."""
        return read_carrier(str(self.path(name)), embedded=False).good[-1][1]

    def part(self, name: str) -> dict[str, Any]:
        run = self.record(name).run
        assert run
        value: Any = next(f.value for f in run.facts if f.name == "workflow")
        return dict(value)

    def text(self, name: str, path: str) -> str:
        return self.cli("data", "cat", name, path).stdout


def make_raw(folder: Path, text: str = "raw\n", name: str = "raw.sif") -> None:
    """Makes the given input, of other content than before."""
    source = folder / "source"
    source.mkdir(exist_ok=True)
    (source / "f").write_text(text)
    (folder / name).unlink(missing_ok=True)
    create_data(str(folder / name), mount="/In", role=INPUT, source=str(source))


def make_site(folder: Path, runtime: Path | None = None) -> Site:
    """Lays out a folder; the stand-in is there, or in the folder `runtime`."""
    folder.mkdir(exist_ok=True)
    program = fakeruntime.install(runtime or folder)
    make_app(folder / "app.sif")
    make_raw(folder)
    env = {
        "HOME": str(folder), "PATH": os.environ["PATH"], "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CACHE_HOME": str(folder / "cache"), "SIFPROV_RUNTIME": str(program),
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }  # fmt: skip
    return Site(folder, env)
