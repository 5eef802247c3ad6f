"""`sifprov rerun`"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping

import click

from sifprov.commands.compare import parse_tolerance
from sifprov.commands.place import ContainerPath
from sifprov.commands.progress import steps
from sifprov.commands.replayed import Shown, to_json
from sifprov.commands.replayplan import PlanTree
from sifprov.commands.workflow.common import snakemake_options
from sifprov.errors import Exit
from sifprov.render.colour import Palette
from sifprov.replay.document import paths
from sifprov.replay.document import to_json as plan_to_json
from sifprov.replay.job import replay
from sifprov.replay.plan import Options, plan
from sifprov.replay.schedule import Execution
from sifprov.replay.steps import Plan
from sifprov.replay.work import next_name
from sifprov.settings import metadata_place
from sifprov.terminal import command as command_line
from sifprov.terminal import printable
from sifprov.workflow.replayed import make_ahead
from sifprov.workflow.snakemake import Engine
from sifprov.workflow.work import FAILED, RUNNING, UP_TO_DATE, State


@click.command("rerun")
@click.argument("container", metavar="OUT.sif[@ID]", type=ContainerPath(is_reference=True))
@click.option(
    "--record", metavar="ID", default="",
    help="The record to replay: its id, or how that begins; also an ancestor's [default: the last"
    " run's].",
)  # fmt: skip
@click.option(
    "--from-origin", is_flag=True,
    help="Replay every run that led there, from the original data on.",
)  # fmt: skip
@click.option(
    "--jobs", metavar="N", type=click.IntRange(1), default=1, show_default=True,
    help="Replay up to N runs at a time, where they do not need each other.",
)  # fmt: skip
@click.option(
    "--engine", type=click.Choice(["sifprov", "snakemake"]), default="sifprov", show_default=True,
    help="What starts the runs: snakemake can do so on a cluster.",
)  # fmt: skip
@snakemake_options
@click.option(
    "--search", multiple=True, metavar="DIR", type=click.Path(file_okay=False),
    help="Look for containers below this folder too (may be repeated).",
)  # fmt: skip
@click.option(
    "--with", "inputs", multiple=True, metavar="KEY=FILE",
    help="Use FILE in place of a data container: KEY is a mount point of the replayed run, or a"
    " container's name or UUID anywhere in the plan (may be repeated).",
)  # fmt: skip
@click.option(
    "--app", "applications", multiple=True, metavar="[KEY=]FILE",
    help="Use FILE as the application, of the replayed run unless KEY names another (may be"
    " repeated).",
)  # fmt: skip
@click.option(
    "--set-arg", "arguments", multiple=True, metavar="OLD=NEW",
    help="Replace each argument of the replayed command that is just OLD (may be repeated).",
)  # fmt: skip
@click.option("--runtime", metavar="PROGRAM", help="The singularity or apptainer to use.")
@click.option(
    "--into", metavar="NEW.sif", type=click.Path(),
    help="The new container [default: OUT.rerun-N.sif beside OUT.sif].",
)  # fmt: skip
@click.option("--keep", is_flag=True, help="Keep the containers made on the way, in NEW.parts/.")
@click.option(
    "--tolerance", metavar="T",
    help="Numbers that differ by at most T · max(1, |a|, |b|) are alike, as in 1e-6.",
)  # fmt: skip
@click.option(
    "--metadata", metavar="PATH", type=click.Path(),
    help="The metadata container or sidecar that has the records, and takes the replay's [default:"
    " $SIFPROV_METADATA, or the setting].",
)  # fmt: skip
@click.option(
    "--force", is_flag=True, help="Go on although a container's content is not the recorded one."
)
@click.option("--dry-run", is_flag=True, help="Print the plan and its commands; run nothing.")
@click.option(
    "--json", "as_json", is_flag=True,
    help="Print the result as JSON; the applications write to standard error.",
)  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="Print the verdict alone.")
@click.option("-v", "--verbose", is_flag=True, help="Print all steps and all files.")
def command(
    container: str,
    record: str,
    from_origin: bool,
    jobs: int,
    engine: str,
    executor: str | None,
    profile: str | None,
    more: tuple[str, ...],
    search: tuple[str, ...],
    inputs: tuple[str, ...],
    applications: tuple[str, ...],
    arguments: tuple[str, ...],
    runtime: str | None,
    into: str | None,
    keep: bool,
    tolerance: str | None,
    metadata: str | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Replay what made OUT.sif in a new container, and say whether it came out the same.

    Every container is found by its content, then by its UUID: where it was, beside OUT.sif, below
    the folders of --search and of SIFPROV_PATH. The run begins with what its output held then. The
    new container is compared with OUT.sif file by file: same in every byte; alike, when what has
    other bytes is equal by its kind (pixels of PNG, numbers within --tolerance); or it differs. The
    verdict is recorded in the new container. Nothing that exists is written to. A replay that was
    interrupted goes on when it is started again.

    \b
    Examples:
      sifprov rerun output.sif
      sifprov rerun output.sif --dry-run
      sifprov rerun output.sif --search /archive --from-origin --jobs 4
      sifprov rerun output.sif --from-origin --engine snakemake --executor slurm --jobs 50
      sifprov rerun output.sif --with /Inputs=other.sif --set-arg 10=20 --into trial.sif
      sifprov rerun output.sif --tolerance 1e-9 --json | jq -r .verdict
    """
    limit = parse_tolerance(tolerance)
    terminal = _Terminal(keep=keep, quiet=quiet, verbose=verbose)
    with steps() as step:

        def on_step(text: str) -> None:
            step(printable(text))

        options = Options(
            record=record, from_origin=from_origin, search=search, inputs=inputs,
            applications=applications, arguments=arguments, runtime=runtime, force=force,
            metadata=metadata_place(metadata), on_step=on_step,
        )  # fmt: skip
        planned = plan(container, options)
    if dry_run:
        files = paths(planned, into or next_name(planned))
        if as_json:
            _print_json(plan_to_json(planned, files[planned.wanted]))
        else:
            terminal.plan(planned, files)
        return Exit.OK
    ahead = None
    if engine == "snakemake":
        ahead = make_ahead(
            planned, container, options, Engine(jobs, executor, profile, more),
            environ=os.environ, on_state=terminal.state,
        )  # fmt: skip
    elif executor or profile or more:
        raise click.UsageError("--executor, --profile and --snakemake-option want --engine")
    with steps() as step:
        execution = Execution(
            jobs=jobs, stdout=sys.stderr.fileno() if as_json else None, on_step=on_step,
            on_command=terminal.command,
        )  # fmt: skip
        done = replay(
            planned, execution, into=into, keep=keep, tolerance=limit,
            on_begin=lambda names: terminal.announce(planned, names), ahead=ahead,
        )  # fmt: skip
    terminal.notes(done.warnings)
    if as_json:
        _print_json(to_json(done, planned.notes))
    else:
        paint = Palette(sys.stdout.isatty() and not os.environ.get("NO_COLOR"))
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        shown = Shown(done, paint, width=width, verbose=verbose)
        for line in [shown.verdict()] if quiet else shown.lines():
            click.echo(line, color=True)
    return Exit.OK if done.same else Exit.DIFFERS


def _print_json(document: object) -> None:
    click.echo(json.dumps(document, indent=2, sort_keys=True))


class _Terminal:
    """What is told before and while a plan is carried out, on standard error."""

    def __init__(self, *, keep: bool, quiet: bool, verbose: bool) -> None:
        self._keep, self._quiet, self._verbose = keep, quiet, verbose

    def plan(self, planned: Plan, files: Mapping[str, str]) -> None:
        """Prints a plan that is not carried out."""
        self.notes(planned.notes)
        paint = Palette(sys.stdout.isatty() and not os.environ.get("NO_COLOR"))
        tree = PlanTree(planned, files, paint, keep=self._keep, whole=True, commands=True)
        for line in tree.lines():
            click.echo(line, color=True)

    def announce(self, planned: Plan, files: Mapping[str, str]) -> None:
        """Tells what is about to be done."""
        self.notes(planned.notes)
        if self._quiet:
            return
        paint = Palette(sys.stderr.isatty() and not os.environ.get("NO_COLOR"))
        tree = PlanTree(planned, files, paint, keep=self._keep, whole=self._verbose)
        for line in tree.lines():
            click.echo(line, err=True, color=True)

    def notes(self, notes: tuple[str, ...]) -> None:
        """Prints what is to be known of it all."""
        for note in () if self._quiet else notes:
            click.echo(f"note: {printable(note)}", err=True)

    def state(self, state: State, total: int) -> None:
        """Tells of a run that Snakemake has started, when it has ended."""
        if not self._quiet and state.state != RUNNING:
            word = {FAILED: "failed", UP_TO_DATE: "done before:"}.get(state.state, "done")
            click.echo(f"[{state.number}/{total}] {word} run {state.activity[:8]}", err=True)

    def command(self, argv: tuple[str, ...]) -> None:
        """Prints the command that begins, where the line of progress was."""
        if sys.stderr.isatty():
            click.echo("\r\x1b[K", err=True, nl=False, color=True)
        if not self._quiet:
            click.echo("$ " + command_line(argv), err=True)
