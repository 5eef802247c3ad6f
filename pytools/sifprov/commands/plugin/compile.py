"""`sifprov plugin compile`"""

from __future__ import annotations

from pathlib import Path

import click

from sifprov import pluginadmin
from sifprov.commands.plugin.show import runtime_option
from sifprov.commands.progress import steps
from sifprov.errors import Exit
from sifprov.pluginadmin.machine import all_places, named_place, the_only
from sifprov.terminal import printable


@click.command("compile")
@runtime_option
@click.option(
    "-o", "--output", "path", metavar="FILE", required=True, help="The new file to write."
)
def command(runtime: str | None, path: str) -> int:
    """Compile the plugin for a runtime into a file, which 'plugin install --object' takes.

    It fits every machine that has the same build of the runtime: neither its source nor Go is
    needed there. Without --runtime it is the one that is found, or $SIFPROV_RUNTIME.

    \b
    Examples:
      sudo sifprov plugin compile -o /srv/site/sifprov.sif
      sudo sifprov plugin install --object /srv/site/sifprov.sif
    """
    place = named_place(runtime) or the_only(all_places()[0], or_all=False)
    with steps() as step:
        step("compiling the plugin")
        pluginadmin.compile_to(place, Path(path))
    named = printable(place.runtime.path)
    click.echo(f"made {printable(path)}: the plugin for {named} {place.runtime.version}")
    return Exit.OK
