"""`sifprov flush`"""

from __future__ import annotations

import click

from sifprov.errors import Exit
from sifprov.flush import flush
from sifprov.spool import folder
from sifprov.terminal import printable


@click.command("flush")
def command() -> int:
    """Deliver the records that could not be written into their container at the time.

    A container that was read-only, full, locked or gone leaves its record in
    ~/.local/state/sifprov/spool. What still cannot be delivered stays there.

    \b
    Example:
      sifprov flush
    """
    code = Exit.OK
    count = 0
    for done in flush():
        count += 1
        if done.error:
            code = Exit.MISSING
            click.echo(f"sifprov: kept: {printable(done.error)}", err=True)
        else:
            for target in done.targets:
                click.echo(f"recorded in {printable(target)}")
    if not count:
        click.echo(f"nothing waits in {printable(folder())}")
    return code
