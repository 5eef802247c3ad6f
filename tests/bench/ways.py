"""The ways to run a job: bare, recorded by sifprov in two ways, and by its peers.

Each is given the same command line. Every way has a folder of its own with its own containers.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from sifprov.trail import read_carrier
from tests.bench.jobs import Job, Site, copy
from tests.bench.peers import peer, version
from tests.real.harness import plugin_state

LIMIT = 300.0
BARE, PLUGIN, WRAPPER = "bare runtime", "sifprov, plugin", "sifprov exec"


class NotRunError(Exception):
    """Why a way does not run here."""


def run(argv: Sequence[str | Path], cwd: Path, env: dict[str, str]) -> tuple[float, str]:
    """Runs a program that must succeed. Returns the seconds that it took, and its last words on
    standard error."""
    started = time.perf_counter()
    try:
        done = subprocess.run(
            argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, errors="replace", timeout=LIMIT, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotRunError(str(error)) from error
    took = time.perf_counter() - started
    last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
    if done.returncode:
        raise NotRunError(f"exit code {done.returncode}: {last}")
    return took, last


def stored_in(folder: Path) -> int:
    """The bytes that a folder takes on the disk."""
    found = [folder, *folder.rglob("*")] if folder.exists() else []
    return sum(path.lstat().st_blocks * 512 for path in found)


class Way(ABC):
    """One way to run a job in `folder`. `records` says in words what it keeps."""

    name: str
    records: str
    sees_plugin = False

    def __init__(self, site: Site) -> None:
        self.site = site
        self.folder = site.folder / "none"
        self.said = ""  # by the last run, on standard error

    @property
    def version(self) -> str:
        """The version of the recording program."""
        return ""

    @property
    def env(self) -> dict[str, str]:
        """The environment of the run."""
        return self.site.env

    def prepare(self, job: Job) -> None:
        """Makes everything that a run needs."""
        number = len(list(self.site.folder.iterdir()))
        self.folder = self.site.fresh(f"way-{number}")

    def restore(self, job: Job) -> None:
        """What is not measured: before each run the output is as it was at first."""
        copy(self.site.folder / "output.sif", self.folder / "output.sif")

    @abstractmethod
    def argv(self, job: Job) -> Sequence[str | Path]:
        """The command line."""

    @abstractmethod
    def stored(self) -> int:
        """The bytes that the last run has stored. Raises NotRunError when it recorded nothing."""

    def once(self, job: Job) -> float:
        """Runs the job. Returns seconds."""
        self.restore(job)
        with plugin_state(self.site.runtime, present=self.sees_plugin):
            took, self.said = run(self.argv(job), self.folder, self.env)
        return took


class Bare(Way):
    """The runtime without a plugin."""

    name, records = BARE, "nothing"

    def argv(self, job: Job) -> Sequence[str | Path]:
        return self.site.argv(job.script)

    def stored(self) -> int:
        return 0


class Plugin(Bare):
    """The runtime with the plugin."""

    name, sees_plugin = PLUGIN, True
    records = (
        "command, times, outcome, user, host, resources; UUID and content digest of application, "
        "input and output; what led to the input; inside the output, chained and signable"
    )

    def stored(self) -> int:
        output = self.folder / "output.sif"
        if not read_carrier(str(output)).good:
            raise NotRunError(f"no record was written: {self.said}")
        return output.stat().st_size - (self.site.folder / "output.sif").stat().st_size


class Wrapper(Plugin):
    """`sifprov exec`, beside a runtime without the plugin."""

    name, sees_plugin, records = WRAPPER, False, "the same"

    def argv(self, job: Job) -> Sequence[str | Path]:
        program = str(Path(sys.executable).with_name("sifprov"))
        start = (program, "exec", "--runtime", self.site.runtime)
        return self.site.argv(job.script, program=start)


class Peer(Way):
    """A program from PyPI."""

    package: str

    @property
    def version(self) -> str:
        return version(self.package)

    @property
    def programs(self) -> Path:
        """The folder of the peer's programs."""
        return peer(self.package)

    @property
    def env(self) -> dict[str, str]:
        return {**self.site.env, "PATH": f"{self.programs}:{self.site.env['PATH']}"}

    def results(self) -> Path:
        """Where the peer keeps what it records."""
        return self.folder / "kept"

    def stored(self) -> int:
        kept = stored_in(self.results())
        if not kept:
            raise NotRunError("it stored nothing")
        return kept

    def restore(self, job: Job) -> None:
        super().restore(job)
        shutil.rmtree(self.results(), ignore_errors=True)


class Datalad(Peer):
    """`datalad run` in a dataset that holds the containers."""

    name = package = "datalad"
    records = (
        "command, exit code, names of inputs and outputs that the user lists, in a git commit; "
        "MD5 of these files, and each version of the output whole"
    )
    before = 0

    def prepare(self, job: Job) -> None:
        super().prepare(job)
        run(["datalad", "create", "--force", "."], self.folder, self.env)
        run(["datalad", "save", "-m", "inputs"], self.folder, self.env)

    def restore(self, job: Job) -> None:
        # The next run changes the output again; it needs no other state.
        self.before = stored_in(self.folder / ".git")

    def argv(self, job: Job) -> Sequence[str | Path]:
        # One word: it is a template, in which braces would be placeholders.
        command = shlex.join(self.site.argv(job.script))
        return ["datalad", "run", "--input", "input.sif", "--output", "output.sif", command]

    def stored(self) -> int:
        return stored_in(self.folder / ".git") - self.before


class Reprozip(Peer):
    """`reprozip trace`."""

    name, package = "reprozip trace", "reprozip"
    records = (
        "every process and every file that it opened, by its path on the host or in the container; "
        "environment; no digests; copies of files only when packed later"
    )

    @property
    def env(self) -> dict[str, str]:
        return {**super().env, "REPROZIP_USAGE_STATS": "off"}

    def argv(self, job: Job) -> Sequence[str | Path]:
        return ["reprozip", "trace", "-d", "kept", *self.site.argv(job.script)]


class Cwltool(Peer):
    """`cwltool --provenance` with a tool description of the command line."""

    name, package = "cwltool --provenance", "cwltool"
    records = (
        "command, times, SHA-1 of listed inputs and outputs, as W3C PROV in a folder of its own, "
        "with a whole copy of each of these files"
    )

    def prepare(self, job: Job) -> None:
        super().prepare(job)
        # `$(` begins a reference of CWL's.
        words = [word.replace("$(", "\\$(") for word in self.site.argv(job.script)]
        listing = [
            {"entry": "$(inputs.input)"},
            {"entry": "$(inputs.output)", "writable": True},
        ]
        tool = {
            "cwlVersion": "v1.2",
            "class": "CommandLineTool",
            "requirements": {"InitialWorkDirRequirement": {"listing": listing}},
            "baseCommand": [],
            "arguments": words,
            "inputs": {"input": "File", "output": "File"},
            "outputs": {"result": {"type": "File", "outputBinding": {"glob": "output.sif"}}},
        }
        names = {n: {"class": "File", "path": f"{n}.sif"} for n in ("input", "output")}
        (self.folder / "tool.cwl").write_text(json.dumps(tool))
        (self.folder / "job.json").write_text(json.dumps(names))

    def argv(self, job: Job) -> Sequence[str | Path]:
        return ["cwltool", "--provenance", "kept", "--outdir", "out", "tool.cwl", "job.json"]


class Duct(Peer):
    """`duct`, of con-duct."""

    name = package = "duct"
    records = (
        "command, times, exit code, processor time and memory over time, output streams; "
        "nothing of the files"
    )

    def argv(self, job: Job) -> Sequence[str | Path]:
        return ["duct", "--quiet", "-p", "kept/", *self.site.argv(job.script)]


WAYS: tuple[type[Way], ...] = (Bare, Plugin, Wrapper, Duct, Datalad, Reprozip, Cwltool)
