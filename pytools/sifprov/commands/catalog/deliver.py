"""`sifprov catalog deliver`"""

from __future__ import annotations

import os
import signal

import click

from sifprov import livereports
from sifprov.commands.answers import catalog_option
from sifprov.commands.following import take
from sifprov.errors import Exit
from sifprov.terminal import counted

# Seconds that a delivery in the background may take.
LIMIT = 60


@click.command("deliver")
@click.option("-q", "--quiet", is_flag=True, help="Print only what went wrong.")
@click.option(
    "--background", is_flag=True,
    help=f"With a low priority, and for {LIMIT} s at most; what is not delivered waits on.",
)  # fmt: skip
@catalog_option
def command(quiet: bool, background: bool, catalog: str | None) -> int:
    """Take what runs have reported into the catalog.

    Who reads the catalog does that first. Where it is on a server, a run that 'sifprov exec'
    records starts this in the background, so that others see it at once. One at a time does it for
    a user and a machine.

    \b
    Examples:
      sifprov catalog deliver
      sifprov catalog deliver --background
    """
    if background:
        os.chdir("/")  # hold no folder busy
        # Not the lowest: beside an application that takes every processor it would never be done.
        os.nice(10)
        # By the signal's own effect: a server that does not answer holds every call.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(LIMIT)
    count = 0
    # What is left while the last one is about to go is not to wait for the next.
    while livereports.count():
        with livereports.delivering() as is_alone:
            taken = _deliver(catalog) if is_alone else 0
        if not taken:
            break
        count += taken
    if not (quiet or background):
        click.echo(f"{counted(count, 'report')} delivered")
    return Exit.OK


def _deliver(place: str | None) -> int:
    from sifprov.catalog.store import open_catalog

    with open_catalog(place, create=True) as catalog:
        return take(catalog)
