"""`sifprov trail`"""

from __future__ import annotations

import os
import sys

import click

from sifprov.commands.place import ContainerPath
from sifprov.commands.progress import steps
from sifprov.errors import Exit
from sifprov.settings import metadata_place
from sifprov.trail import read_trail
from sifprov.trailformats import (
    FORMATS,
    TREE,
    Style,
    file_text,
    format_of,
    script_text,
    write,
)

_DEPTH = click.IntRange(min=1)


@click.command("trail")
@click.argument("container", metavar="OUT", type=ContainerPath())
@click.option(
    "--format", "format_", type=click.Choice(sorted(FORMATS)),
    help="What to print [default: tree, or what the suffix of -o FILE says].",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(dir_okay=False),
    help="Write into FILE, which is replaced when all is written.",
)  # fmt: skip
@click.option("--file", "file_", metavar="PATH", help="Say which run made this file of OUT.")
@click.option("--script", is_flag=True, help="Print a shell script that does it all again.")
@click.option("--depth", type=_DEPTH, metavar="N", help="Show N runs one behind the other. [tree]")
@click.option(
    "--collapse/--no-collapse", default=None,
    help="Show a few of what is alike, and how many there are [default: on a terminal]. [tree]",
)  # fmt: skip
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True,
    help="Colour; auto: on a terminal, unless $NO_COLOR is set. [tree]",
)  # fmt: skip
@click.option(
    "--search", multiple=True, metavar="DIR", type=click.Path(file_okay=False, exists=True),
    help="Look for ancestors below this folder too (may be repeated).",
)  # fmt: skip
@click.option(
    "--metadata", metavar="PATH", type=click.Path(exists=True),
    help="The metadata container or sidecar that has records [default: $SIFPROV_METADATA, or the"
    " setting].",
)  # fmt: skip
def command(
    container: str,
    format_: str | None,
    as_json: bool,
    output: str | None,
    file_: str | None,
    script: bool,
    depth: int | None,
    collapse: bool | None,
    color: str,
    search: tuple[str, ...],
    metadata: str | None,
) -> int:
    """Show what made OUT, from what, when and with which command.

    OUT is a container, a folder with a sidecar, a sidecar, or a metadata container. The newest
    record comes first. Where the ancestors are gone, their records are read from OUT itself; those
    that can be found, at the recorded path, beside OUT and below the folders given by --search, are
    compared with what is recorded.

    --file answers from the lists of files in the records: PATH is one in the container, such as
    /Outputs/plot.png, or as the application saw it. --script prints the runs, oldest first, as they
    can be done again in a new folder.

    \b
    Examples:
      sifprov trail output.sif
      sifprov trail output.sif -o trail.html
      sifprov trail output.sif --metadata records.sif
      sifprov trail results/ --depth 2
      sifprov trail output.sif --file /Outputs/plot.png
      sifprov trail output.sif --script > again.sh
      sifprov trail --json output.sif | jq '.container.records[-1].record.run.argv'
    """
    _check_alone(file_=file_, script=script, format_=format_, as_json=as_json)
    wanted = format_of("json" if as_json else TREE if file_ or script else format_, output)
    place = metadata_place(metadata)
    with steps() as step:
        trail = read_trail(container, search, place, on_step=step)
    terminal = sys.stdout.isatty() and output is None
    colour = terminal and not os.environ.get("NO_COLOR") if color == "auto" else color == "always"
    style = Style(
        colour=colour and wanted == TREE,
        depth=depth,
        collapse=terminal if collapse is None else collapse,
    )
    if file_:
        text = file_text(trail, file_, wanted, style)
    else:
        text = script_text(trail) if script else FORMATS[wanted](trail, style)
    if output:
        write(output, text)
    else:
        click.echo(text, nl=not text.endswith("\n"), color=True)
    return Exit.OK if trail.start.good or trail.start.foreign else Exit.DIFFERS


def _check_alone(*, file_: str | None, script: bool, format_: str | None, as_json: bool) -> None:
    """Raises UsageError for options that ask for two things at once."""
    asked = {"--file": file_, "--script": script, "--format": format_, "--json": as_json}
    given = [name for name, value in asked.items() if value]
    if len(given) > 1 and given != ["--file", "--json"]:
        raise click.UsageError(f"{' and '.join(given)} do not go together")
