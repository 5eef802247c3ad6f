"""`sifprov plugin remove`"""

from __future__ import annotations

import click

from sifprov import pluginadmin
from sifprov.commands.plugin.each import on_each
from sifprov.commands.plugin.show import all_option, runtime_option
from sifprov.errors import Exit
from sifprov.pluginadmin import Place
from sifprov.pluginadmin.machine import all_places, named_place, the_only
from sifprov.terminal import printable


@click.command("remove")
@runtime_option
@all_option
@click.option("--if-stale", is_flag=True, help="Only where it makes every run fail: for hooks.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all went well.")
def command(runtime: str | None, every: bool, if_stale: bool, quiet: bool) -> int:
    """Remove the plugin, its helper and its configuration. Wants root.

    Without --runtime it is the one that has the plugin, or $SIFPROV_RUNTIME. Works also when the
    plugin does not load any more.

    \b
    Examples:
      sudo sifprov plugin remove
      sudo sifprov plugin remove --all
      sudo sifprov plugin remove --all --if-stale
    """
    named = named_place(runtime)
    if named:
        places = [named]
    else:
        found, _ = all_places()
        places = [place for place in found if pluginadmin.status(place).installed] or found
    if if_stale:
        places = [place for place in places if pluginadmin.status(place).runs_fail]
    elif not named and not every and any(place.folder.exists() for place in places):
        places = [the_only(places)]

    def work(place: Place) -> Exit:
        removed = pluginadmin.remove(place)
        if not quiet:
            text = "removed from" if removed else "was not installed in"
            click.echo(f"plugin {text} {printable(place.runtime.path)}")
        return Exit.OK

    return on_each(places, work)
