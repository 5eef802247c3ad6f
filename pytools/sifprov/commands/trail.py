"""`sifprov trail`"""

from __future__ import annotations

import json

import click

from sifprov.errors import Exit
from sifprov.render.tree import render
from sifprov.trail import read_trail


@click.command("trail")
@click.argument("container", metavar="OUT.sif", type=click.Path())
@click.option(
    "--json", "as_json", is_flag=True, help="Print the whole trail as JSON, for programs."
)
@click.option(
    "--search", multiple=True, metavar="DIR", type=click.Path(file_okay=False, exists=True),
    help="Look for ancestors here too (may be repeated).",
)  # fmt: skip
def command(container: str, as_json: bool, search: tuple[str, ...]) -> int:
    """Show what made OUT.sif, from what, when and with which command.

    The newest record comes first. Input containers that carry a trail of their own are followed
    where they can be found: at the recorded path, beside OUT.sif, and in the folders given by
    --search.

    \b
    Examples:
      sifprov trail output.sif
      sifprov trail --json output.sif | jq '.container.records[-1].record.run.argv'
    """
    trail = read_trail(container, search)
    if as_json:
        click.echo(json.dumps(trail.to_json(), indent=2, ensure_ascii=True, sort_keys=True))
    else:
        click.echo(render(trail))
    return Exit.OK if trail.start.good else Exit.DIFFERS
