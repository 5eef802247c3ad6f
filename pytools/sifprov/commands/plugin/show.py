"""What the plugin's verbs share: the options that name runtimes, and the status as text."""

from __future__ import annotations

from collections.abc import Sequence

import click

from sifprov.errors import Exit
from sifprov.pluginadmin import Status
from sifprov.terminal import printable

runtime_option = click.option("--runtime", metavar="PROGRAM", help="The runtime to work on.")
all_option = click.option(
    "--all", "every", is_flag=True, help="Work on every runtime that is found."
)


def show(state: Status) -> None:
    """Prints a status."""
    runtime = state.place.runtime
    click.echo(f"runtime    {runtime.name} {runtime.version}, {printable(runtime.path)}")
    version = f", version {printable(state.version or 'unknown')}" if state.installed else ""
    click.echo(f"plugin     {state.state.value}{version}")
    if state.installed:
        click.echo(f"helper     {printable(' '.join(state.helper))}")
        click.echo(f"config     {printable(str(state.place.config))}")
    for problem in state.problems:
        click.echo(f"problem    {printable(problem)}")


def exit_code(states: Sequence[Status]) -> Exit:
    """Returns 0 when a plugin is there and none is wrong, 1 when one is wrong, 3 when none is."""
    installed = [state for state in states if state.installed]
    if not installed:
        return Exit.MISSING
    return Exit.DIFFERS if any(state.problems for state in installed) else Exit.OK
