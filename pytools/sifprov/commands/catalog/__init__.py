"""`sifprov catalog`: the verbs that look after the catalog, one file each."""

from __future__ import annotations

import click

from sifprov.commands.lazy import LazyGroup

_VERBS = {
    "deliver": ("sifprov.commands.catalog.deliver", "Take in what runs have reported."),
}


@click.command("catalog", cls=LazyGroup, verbs=_VERBS)
def command() -> None:
    """Look after the catalog of many containers.

    \b
    Examples:
      sifprov catalog deliver
    """
