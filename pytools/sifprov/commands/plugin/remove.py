"""`sifprov plugin remove`"""

from __future__ import annotations

import click

from sifprov import pluginadmin
from sifprov.commands.plugin.show import runtime_option
from sifprov.errors import Exit
from sifprov.runtime.find import find_runtime
from sifprov.terminal import printable


@click.command("remove")
@runtime_option
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all went well.")
def command(runtime: str | None, quiet: bool) -> int:
    """Remove the plugin, its helper and its configuration. Wants root.

    Works also when the plugin does not load any more.

    \b
    Example:
      sudo sifprov plugin remove
    """
    place = pluginadmin.find_place(find_runtime(runtime))
    removed = pluginadmin.remove(place)
    if not quiet:
        text = "removed from" if removed else "was not installed in"
        click.echo(f"plugin {text} {printable(place.runtime.path)}")
    return Exit.OK
