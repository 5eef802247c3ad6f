"""`sifprov data layouts`"""

from __future__ import annotations

import json

import click

from sifprov.layouts import all_layouts
from sifprov.terminal import printable


@click.command("layouts")
@click.option("--json", "as_json", is_flag=True, help="Print the layouts themselves.")
def command(as_json: bool) -> None:
    """List the layouts that 'sifprov data create --layout' knows by name.

    A layout of your own is a JSON file: print one with --json, change it, give its path.

    \b
    Examples:
      sifprov data layouts
      sifprov data create results.sif --layout output --free 2G
      sifprov data create field.sif --layout ./field.json --from ./data
    """
    found = all_layouts()
    if as_json:
        click.echo(json.dumps([layout.to_json() for layout in found], indent=2))
        return
    for layout in found:
        room = f", {layout.free} free" if layout.free != "0" else ""
        what = f"{layout.role} at {layout.mount or 'a given place'}, {layout.fs}{room}"
        click.echo(f"{layout.name:<10} {what:<40} {printable(layout.description)}")
