"""`sifprov trail`"""

from __future__ import annotations

import json
import os

import click

from sifprov.errors import Exit
from sifprov.render.tree import render
from sifprov.settings import load
from sifprov.trail import read_trail


@click.command("trail")
@click.argument("container", metavar="OUT", type=click.Path())
@click.option(
    "--json", "as_json", is_flag=True, help="Print the whole trail as JSON, for programs."
)
@click.option(
    "--search", multiple=True, metavar="DIR", type=click.Path(file_okay=False, exists=True),
    help="Look for ancestors here too (may be repeated).",
)  # fmt: skip
@click.option(
    "--metadata", metavar="PATH", type=click.Path(exists=True),
    help="The metadata container or sidecar that has records [default: $SIFPROV_METADATA, or the"
    " setting].",
)  # fmt: skip
def command(container: str, as_json: bool, search: tuple[str, ...], metadata: str | None) -> int:
    """Show what made OUT, from what, when and with which command.

    OUT is a container, a folder with a sidecar, a sidecar, or a metadata container. The newest
    record comes first. Input containers that carry a trail of their own are followed where they can
    be found: at the recorded path, beside OUT, and in the folders given by --search.

    \b
    Examples:
      sifprov trail output.sif
      sifprov trail output.sif --metadata records.sif
      sifprov trail results/
      sifprov trail --json output.sif | jq '.container.records[-1].record.run.argv'
    """
    place = load().metadata if metadata is None else metadata
    trail = read_trail(container, search, os.path.abspath(place) if place else "")
    if as_json:
        click.echo(json.dumps(trail.to_json(), indent=2, ensure_ascii=True, sort_keys=True))
    else:
        click.echo(render(trail))
    return Exit.OK if trail.start.good else Exit.DIFFERS
