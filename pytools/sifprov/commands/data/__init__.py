"""`sifprov data`: the verbs of data containers, one file each."""

from __future__ import annotations

import click

from sifprov.commands.lazy import LazyGroup

_VERBS = {
    "cat": ("sifprov.commands.data.cat", "Print a file of a data container."),
    "create": ("sifprov.commands.data.create", "Make a data container."),
    "extract": ("sifprov.commands.data.extract", "Copy the files of a data container."),
    "grow": ("sifprov.commands.data.grow", "Enlarge a data container in place."),
    "layouts": ("sifprov.commands.data.layouts", "List the layouts that create knows."),
    "info": ("sifprov.commands.data.info", "Show what a container is."),
    "ls": ("sifprov.commands.data.ls", "List the files of a data container."),
    "seal": ("sifprov.commands.data.seal", "Make a read-only, compressed copy."),
}


@click.command("data", cls=LazyGroup, verbs=_VERBS)
def command() -> None:
    """Make and look into data containers: SIF files whose payload is one data partition.

    \b
    Examples:
      sifprov data create input.sif --from ./data --mount /Inputs
      sifprov data create output.sif --free 8M --mount /Outputs
    """
