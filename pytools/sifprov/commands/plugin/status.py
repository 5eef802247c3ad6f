"""`sifprov plugin status`"""

from __future__ import annotations

import json

import click

from sifprov import pluginadmin
from sifprov.commands.plugin.show import exit_code, runtime_option, show
from sifprov.pluginadmin.machine import all_places, named_place
from sifprov.terminal import printable


@click.command("status")
@runtime_option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(runtime: str | None, as_json: bool) -> int:
    """Say whether the plugin is installed and in order. It is not loaded for that.

    Without --runtime it speaks of every runtime that is found: on PATH, in the usual folders, and
    $SIFPROV_RUNTIME. Exits with 0 when it is installed and in order, with 1 when something is wrong
    (stale: it does not load any more, and every run fails), with 3 when it is not installed.

    \b
    Examples:
      sifprov plugin status
      sifprov plugin status --json --runtime /opt/apptainer/bin/apptainer
    """
    named = named_place(runtime) if runtime else None
    places, skipped = ([named], []) if named else all_places()
    states = [pluginadmin.status(place) for place in places]
    if as_json:
        document = {
            "runtimes": [state.to_json() for state in states],
            "schema": pluginadmin.SCHEMA,
            "skipped": skipped,
        }
        click.echo(json.dumps(document, indent=2, sort_keys=True))
        return exit_code(states)
    for number, state in enumerate(states):
        if number:
            click.echo()
        show(state)
    for reason in skipped:
        click.echo(f"passed over: {printable(reason)}", err=True)
    return exit_code(states)
