"""`sifprov plugin status`"""

from __future__ import annotations

import json

import click

from sifprov import pluginadmin
from sifprov.commands.plugin.show import runtime_option, show
from sifprov.runtime.find import find_runtime


@click.command("status")
@runtime_option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(runtime: str | None, as_json: bool) -> int:
    """Say whether the plugin is installed and in order. It is not loaded for that.

    Exits with 0 when it is, with 1 when something is wrong, with 3 when it is not installed.

    \b
    Example:
      sifprov plugin status
    """
    state = pluginadmin.status(pluginadmin.find_place(find_runtime(runtime)))
    if as_json:
        click.echo(json.dumps(state.to_json(), indent=2, sort_keys=True))
    return show(state, quiet=as_json)
