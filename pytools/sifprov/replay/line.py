"""The command line of a step, and the environment that it runs in. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from sifprov.replay.steps import Step


def command(step: Step, files: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the command line of a step; `files` are the paths of the states that it reads and
    makes, by state."""
    raise NotImplementedError


def environment(step: Step, environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment of a step's runtime: `environ`, but what the record lists as it was
    then, no images bound, and no folder of the host that the recorded run had not."""
    raise NotImplementedError
