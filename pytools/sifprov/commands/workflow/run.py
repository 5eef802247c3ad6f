"""`sifprov workflow run`"""

from __future__ import annotations

import os
import sys

import click

from sifprov.commands.progress import steps
from sifprov.commands.workflow import check
from sifprov.commands.workflow.common import (
    FILE,
    JSON,
    OPTION,
    RUNTIME,
    out,
    palette,
    print_json,
    read_plan,
    snakemake_options,
)
from sifprov.commands.workflow.shown import state_line, summary
from sifprov.terminal import printable
from sifprov.workflow import engine
from sifprov.workflow.snakemake import Engine
from sifprov.workflow.work import RUNNING, State


@click.command("run")
@FILE
@click.option(
    "--jobs", metavar="N", type=click.IntRange(1),
    help="Run up to N steps at a time; here, as many processors [default: all of them; with another"
    " executor 100].",
)  # fmt: skip
@snakemake_options
@RUNTIME
@OPTION
@click.option("--dry-run", is_flag=True, help="Say which steps would run, and why; run nothing.")
@JSON
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all went well.")
def command(
    file: str,
    jobs: int | None,
    executor: str | None,
    profile: str | None,
    more: tuple[str, ...],
    runtime: str | None,
    options: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run the steps of WF.json that are not up to date; Snakemake decides when and where.

    WF.json may also be a workflow file of the thesis's prototype or of ProvDeploy. Each step is a
    recorded run (`sifprov exec`), and its outputs have their names only when it ended with 0 and
    its record is in them; those of a failed one are called NAME.failed.sif. What ties all runs of
    an execution together is recorded in NAME.workflow.jsonl beside WF.json. An execution that was
    interrupted, or failed, goes on when it is started again.

    \b
    Examples:
      sifprov workflow run wf.json
      sifprov workflow run wf.json --dry-run
      sifprov workflow run wf.json --jobs 4
      sifprov workflow run wf.json --executor slurm --jobs 50
      sifprov workflow run wf.json --profile mysite
    """
    plan = read_plan(file, runtime, options)
    if dry_run:
        engine.check(plan)
        with steps() as step:
            due = engine.due(plan, step)
        check.show(plan, due, as_json=as_json)
        return
    told = _Told(quiet=quiet)
    with steps() as step:
        done = engine.execute(
            plan,
            Engine(jobs, executor, profile, more),
            environ=os.environ,
            on_due=told.due,
            on_state=lambda state: told.state(state, step),
            on_step=lambda text: step(printable(text)),
        )
    if as_json:
        print_json(done.record.to_json() if done.record else check.to_json(plan, done.due))
    elif not quiet:
        name = printable(plan.workflow.name)
        if done.record is None:
            count = len(done.due)
            what = f"all {count} steps are" if count > 1 else "its step is"
            out(f"{name}: {what} up to date")
        else:
            out(f"{name}: {summary(done.record)}; execution {done.record.id}")


class _Told:
    """What is told while steps run, on standard error."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._total = self._ended = 0
        self._running: dict[int, str] = {}
        self._paint = palette(sys.stderr)

    def due(self, due: tuple[engine.Due, ...]) -> None:
        """How many are to run."""
        self._total = sum(each.runs for each in due)

    def state(self, state: State, step: object) -> None:
        """A step has begun or ended."""
        if state.state == RUNNING:
            self._running[state.number] = state.activity
        else:
            self._running.pop(state.number, None)
            self._ended += 1
            line = state_line(state, self._total, self._ended, self._paint)
            if line and not self._quiet:
                clear = "\r\x1b[K" if sys.stderr.isatty() else ""
                click.echo(clear + line, err=True, color=True)
        if self._running and callable(step):
            step(f"running {', '.join(map(printable, self._running.values()))}")
