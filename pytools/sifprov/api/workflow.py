"""Workflows from Python."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sifprov.workflow.engine import Due, Executed
    from sifprov.workflow.plan import Plan


def check_workflow(path: str | os.PathLike[str]) -> tuple[Due, ...]:
    """Returns which steps of a workflow file have to run, and why (`sifprov workflow check`).
    Raises FileError for a file that is none, MissingError for files that it names."""
    from sifprov.workflow import engine

    plan = _plan(path, None, ())
    engine.check(plan)
    return engine.due(plan)


def run_workflow(
    path: str | os.PathLike[str],
    *,
    jobs: int | None = None,
    executor: str | None = None,
    profile: str | os.PathLike[str] | None = None,
    runtime: str | None = None,
    runtime_options: tuple[str, ...] = (),
    environ: Mapping[str, str] | None = None,
) -> Executed:
    """Runs the steps of a workflow file that are not up to date, as `sifprov workflow run` does.

    `jobs` steps at most go side by side; `executor` and `profile` are Snakemake's. Prints nothing.
    Raises StepError where a step fails, MissingError, FileError.
    """
    from sifprov.workflow import engine
    from sifprov.workflow.snakemake import Engine

    how = Engine(jobs, executor, None if profile is None else os.fspath(profile))
    plan = _plan(path, runtime, runtime_options)
    return engine.execute(plan, how, environ=os.environ if environ is None else environ)


def _plan(path: str | os.PathLike[str], runtime: str | None, options: tuple[str, ...]) -> Plan:
    from sifprov.workflow.load import load
    from sifprov.workflow.plan import Plan

    loaded = load(os.fspath(path))
    return Plan(loaded.workflow, loaded.folder, runtime=runtime, options=options)
