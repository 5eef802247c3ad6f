"""`sifprov catalog`: the verbs that look after the catalog, one file each."""

from __future__ import annotations

import click

from sifprov.commands.lazy import LazyGroup

_VERBS = {
    "deliver": ("sifprov.commands.catalog.deliver", "Take in what runs have reported."),
    "rebuild": ("sifprov.commands.catalog.rebuild", "Read all known containers again."),
    "status": ("sifprov.commands.catalog.status", "Show where the catalog is and what it holds."),
}


@click.command("catalog", cls=LazyGroup, verbs=_VERBS)
def command() -> None:
    """Look after the catalog of many containers.

    \b
    Examples:
      sifprov catalog status
      sifprov catalog rebuild
    """
