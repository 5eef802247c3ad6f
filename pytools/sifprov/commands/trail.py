"""`sifprov trail`"""

from __future__ import annotations

import os
import sys

import click

from sifprov.errors import Exit
from sifprov.settings import load
from sifprov.trail import read_trail
from sifprov.trailformats import FORMATS, TREE, Style, format_of, write

_DEPTH = click.IntRange(min=1)


@click.command("trail")
@click.argument("container", metavar="OUT", type=click.Path())
@click.option(
    "--format", "format_", type=click.Choice(sorted(FORMATS)),
    help="What to print [default: tree, or what the suffix of -o FILE says].",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(dir_okay=False),
    help="Write into FILE, which is replaced when all is written.",
)  # fmt: skip
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
    help="Look for ancestors here too (may be repeated).",
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
    depth: int | None,
    collapse: bool | None,
    color: str,
    search: tuple[str, ...],
    metadata: str | None,
) -> int:
    """Show what made OUT, from what, when and with which command.

    OUT is a container, a folder with a sidecar, a sidecar, or a metadata container. The newest
    record comes first. Where the ancestors are gone, their records are read from OUT itself; those
    that can be found, at the recorded path, beside OUT and in the folders given by --search, are
    compared with what is recorded.

    \b
    Examples:
      sifprov trail output.sif
      sifprov trail output.sif -o trail.html
      sifprov trail output.sif --metadata records.sif
      sifprov trail results/ --depth 2
      sifprov trail --json output.sif | jq '.container.records[-1].record.run.argv'
    """
    wanted = format_of("json" if as_json else format_, output)
    place = load().metadata if metadata is None else metadata
    trail = read_trail(container, search, os.path.abspath(place) if place else "")
    terminal = sys.stdout.isatty() and output is None
    colour = terminal and not os.environ.get("NO_COLOR") if color == "auto" else color == "always"
    style = Style(
        colour=colour and wanted == TREE,
        depth=depth,
        collapse=terminal if collapse is None else collapse,
    )
    text = FORMATS[wanted](trail, style)
    if output:
        write(output, text)
    else:
        click.echo(text, nl=not text.endswith("\n"), color=True)
    return Exit.OK if trail.start.good or trail.start.foreign else Exit.DIFFERS
