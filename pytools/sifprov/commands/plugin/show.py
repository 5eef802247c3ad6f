"""What the plugin's verbs share: the option that names the runtime, and the status as text."""

from __future__ import annotations

import click

from sifprov import pluginadmin
from sifprov.errors import Exit
from sifprov.terminal import printable

runtime_option = click.option(
    "--runtime", metavar="PROGRAM", help="The singularity to work on [default: the one on PATH]."
)


def show(state: pluginadmin.Status, *, quiet: bool) -> int:
    """Prints a status; returns the exit code that belongs to it."""
    runtime = state.place.runtime
    if not quiet:
        click.echo(f"runtime    {runtime.name} {runtime.version}, {printable(runtime.path)}")
        text = f"version {state.version or 'unknown'}" if state.installed else "not installed"
        click.echo(f"plugin     {text}")
        if state.installed:
            click.echo(f"helper     {printable(' '.join(state.helper))}")
            click.echo(f"config     {printable(str(state.place.config))}")
        for problem in state.problems:
            click.echo(f"problem    {printable(problem)}")
    if not state.installed:
        return Exit.MISSING
    return Exit.DIFFERS if state.problems else Exit.OK
