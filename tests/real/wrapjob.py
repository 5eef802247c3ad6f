"""A job that `sifprov exec` runs: on either runtime, with no plugin's help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sifprov.content import Deadline
from sifprov.identity import identify
from sifprov.partition import scan_partition
from tests.real.harness import Finished
from tests.real.job import BINDS, Job


@dataclass(frozen=True)
class WrapJob(Job):
    """`exec` goes through the wrapper, `bare` does not."""

    @property
    def is_apptainer(self) -> bool:
        return Path(self.runtime).name == "apptainer"

    def wrapped(self, action: str, *words: str) -> list[str]:
        """The command line of `sifprov ACTION`."""
        return [self.sifprov, action, "--runtime", self.runtime, *self.flags, *words]

    def exec(
        self,
        *command: str,
        binds: tuple[str, ...] = BINDS,
        env: dict[str, str] | None = None,
        options: tuple[str, ...] = (),
    ) -> Finished:
        words = [*options, *(word for bind in binds for word in ("-B", bind)), self.app, *command]
        return self.run(self.wrapped("exec", *words), env=self.env(env))

    def bare(self, *words: str, env: dict[str, str] | None = None) -> Finished:
        """`exec` by the runtime alone."""
        argv = [self.runtime, "exec", *self.flags, *words]
        return self.run(argv, env={"SIFPROV_CAPTURED": "1", **self.env(env)})

    def env(self, more: dict[str, str] | None = None) -> dict[str, str]:
        return {"HOME": str(self.path(".")), **(more or {})}

    def last(self, name: str = "output.sif") -> dict[str, Any]:
        """The only record of a run."""
        (record,) = [r for r in self.records(name) if r["run"]]
        return record

    def content_now(self, name: str = "output.sif") -> str:
        identity = identify(str(self.path(name)))
        assert identity.partition
        return scan_partition(str(self.path(name)), identity.partition, Deadline()).digest

    def waiting(self) -> list[Path]:
        return list(self.path(".local/state/sifprov/spool").glob("*.request.jsonl"))
