"""One command line to compare, described once for every way of running it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.real.exactly.live import Live

SITES = ("singularity-root", "singularity-user", "apptainer-root", "apptainer-user")
USERS = ("singularity-user", "apptainer-user")
INPUT = "input.sif:/Inputs:image-src=/Inputs,ro"
OUTPUT = "output.sif:/Outputs:image-src=/Outputs"
COPY = "cat /Inputs/data.txt > /Outputs/copy.txt"


@dataclass(frozen=True)
class Case:
    """`PROGRAM ACTION FLAGS OPTIONS -B… IMAGE COMMAND`, and what is around it.

    `line` starts it from a line of bash in which "$@" is the command line; `prepare` is one run in
    the folder before ($0 is the runtime, $1 the application). `code` is what the bare run has to
    end with and `says` what it prints, so that a case that fails for another reason is noticed.
    `records` is how many the container `output` gets when captured. {folder} stands for the run's
    own folder, {site} for that of the containers which are not copied. Bytes that are no UTF-8
    are surrogates.
    """

    name: str
    command: tuple[str, ...] = ("sh", "-c", COPY)
    code: int | None = 0
    records: int = 1
    action: str = "exec"
    options: tuple[str, ...] = ()
    binds: tuple[str, ...] = (INPUT, OUTPUT)
    image: str | None = None
    containers: tuple[str, ...] = ("input.sif", "output.sif")
    line: str = ""
    stdin: bytes = b""
    env: tuple[tuple[str, str], ...] = ()
    unset: frozenset[str] = frozenset()
    prepare: str = ""
    during: Callable[[Live], None] | None = None
    scrub: tuple[tuple[bytes, bytes], ...] = ()
    output: str = "output.sif"
    says: bytes = b""
    outcome: str = ""
    ways: tuple[str, ...] = ("plugin", "wrapper")
    sites: tuple[str, ...] = SITES
    refused: bool = False

    def environment(self, site: Path) -> dict[str, str]:
        return {name: self._filled(value, site) for name, value in self.env}

    def argv(self, program: str, flags: tuple[str, ...], app: str, site: Path) -> list[str]:
        words = [program, self.action, *flags, *self.options]
        for bind in self.binds:
            words += ["-B", bind]
        if self.image != "":
            words.append(self.image or app)
        words = [self._filled(word, site) for word in (*words, *self.command)]
        return ["bash", "-c", self.line, "bash", *words] if self.line else words

    def _filled(self, text: str, site: Path) -> str:
        return text.replace("{folder}", str(site / self.name)).replace("{site}", str(site))


def refused(case: Case) -> Case:
    """The runtime takes none of it. That may be recorded: as what was never started."""
    return replace(case, code=case.code or None, records=0, refused=True)
