"""`sifprov plugin`: what an administrator does with the runtime's plugin."""

from __future__ import annotations

import click

from sifprov.commands.lazy import LazyGroup

_VERBS = {
    "compile": ("sifprov.commands.plugin.compile", "Compile the plugin into a file."),
    "install": ("sifprov.commands.plugin.install", "Compile the plugin and install it."),
    "remove": ("sifprov.commands.plugin.remove", "Remove the plugin and its helper."),
    "status": ("sifprov.commands.plugin.status", "Say whether the plugin is in order."),
}


@click.command("plugin", cls=LazyGroup, verbs=_VERBS)
def command() -> None:
    """Install, look at and remove the plugin that records plain runs.

    \b
    Examples:
      sudo sifprov plugin install
      sifprov plugin status
      sudo sifprov plugin remove
    """
