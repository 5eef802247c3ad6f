"""`sifprov rerun`"""

from __future__ import annotations

import json
import os
import sys

import click

from sifprov.commands.progress import steps
from sifprov.compare import DIFFERS, ONLY_FIRST, ONLY_SECOND, SAME, FileVerdict
from sifprov.errors import Exit
from sifprov.model.canonical import Json, text_to_json
from sifprov.plan import Options, plan
from sifprov.rerun import Verdict, execute
from sifprov.settings import metadata_place
from sifprov.terminal import command as command_line
from sifprov.terminal import printable, size

SCHEMA = "sifprov.rerun/1"
_WORDS = {
    SAME: "same",
    DIFFERS: "differs",
    ONLY_FIRST: "only in the original",
    ONLY_SECOND: "only in the replay",
}


@click.command("rerun")
@click.argument("container", metavar="OUT.sif", type=click.Path())
@click.option(
    "--into",
    metavar="NEW.sif",
    type=click.Path(),
    help="The fresh output [default: OUT.rerun-N.sif beside it].",
)
@click.option(
    "--search", multiple=True, metavar="DIR", type=click.Path(file_okay=False),
    help="Look for input and application containers here too (may be repeated).",
)  # fmt: skip
@click.option(
    "--metadata", metavar="PATH", type=click.Path(),
    help="The metadata container or sidecar that has the records, and takes the replay's [default:"
    " $SIFPROV_METADATA, or the setting].",
)  # fmt: skip
@click.option("--runtime", metavar="PROGRAM", help="The singularity or apptainer to use.")
@click.option(
    "--force", is_flag=True, help="Run although a container's content is not the recorded one."
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print the command and where each container was found; run nothing.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the verdict as JSON; the application writes to stderr.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print the verdict alone.")
def command(
    container: str,
    into: str | None,
    search: tuple[str, ...],
    metadata: str | None,
    runtime: str | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Replay the newest run recorded in OUT.sif and say whether the result is the same.

    Input and application containers are found by UUID and content digest: at the recorded path,
    beside OUT.sif, and in the folders given by --search. The command runs in a fresh output
    container, which is then compared with OUT.sif file by file. OUT.sif itself is only read.

    \b
    Examples:
      sifprov rerun output.sif
      sifprov rerun output.sif --search /archive/inputs --into again.sif
      sifprov rerun output.sif --dry-run
    """

    def note(text: str) -> None:
        if not quiet:
            click.echo(f"note: {printable(text)}", err=True)

    # Notes wait until the line of progress is gone.
    later: list[str] = []
    with steps() as step:
        place = metadata_place(metadata)
        options = Options(into, search, runtime, force, place, later.append, step)
        planned = plan(container, options)
    for text in later:
        note(text)
    for text in planned.notes:
        note(text)
    if dry_run:
        for found in (planned.application, *planned.inputs):
            click.echo(
                f"{found.container.role} {printable(found.container.name)}: {printable(found.path)}"
            )
        for output, path in planned.outputs:
            click.echo(f"output {printable(output.name)}: {printable(path)} (fresh)")
        click.echo("$ " + command_line(planned.argv))
        return Exit.OK
    if not quiet:
        click.echo("$ " + command_line(planned.argv), err=True)
    verdict = execute(planned, app_stdout=sys.stderr.fileno() if as_json else None)
    if verdict.spooled:
        note(verdict.spooled)
    if as_json:
        click.echo(json.dumps(_to_json(verdict), indent=2, sort_keys=True))
    else:
        _show(verdict, quiet)
    return Exit.OK if verdict.same else Exit.DIFFERS


def _show(verdict: Verdict, quiet: bool) -> None:
    if not quiet:
        for row in verdict.files:
            if row.verdict != SAME or (row.first and row.first.kind in "fxl"):
                click.echo(f"  {_WORDS[row.verdict]:<20}  {_file(row)}")
        click.echo(f"the replay is in {printable(verdict.into)}")
        if verdict.original_changed:
            click.echo(printable(verdict.original_changed))
    click.echo("same" if verdict.same else "differs")


def _file(row: FileVerdict) -> str:
    sizes = [size(e.size) for e in (row.first, row.second) if e and e.size is not None]
    text = " → ".join(dict.fromkeys(sizes))
    name = printable(os.fsdecode(row.path))
    return f"{name}  {text}".rstrip()


def _to_json(verdict: Verdict) -> Json:
    return {
        "argv": [text_to_json(a) for a in verdict.plan.argv],
        "digest": verdict.digest,
        "exit_code": verdict.code,
        "files": [
            {"path": text_to_json(os.fsdecode(f.path)), "verdict": f.verdict} for f in verdict.files
        ],
        "into": text_to_json(verdict.into),
        "original_changed": text_to_json(verdict.original_changed)
        if verdict.original_changed
        else None,
        "record": str(verdict.plan.record.id),
        "schema": SCHEMA,
        "verdict": "same" if verdict.same else "differs",
    }
