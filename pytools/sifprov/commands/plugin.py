"""`sifprov plugin`"""

from __future__ import annotations

import json

import click

from sifprov import pluginadmin
from sifprov.commands.progress import steps
from sifprov.errors import Exit
from sifprov.runtime.find import find_runtime
from sifprov.terminal import printable

_runtime = click.option(
    "--runtime", metavar="PROGRAM", help="The singularity to work on [default: the one on PATH]."
)


@click.group("plugin")
def command() -> None:
    """Install, look at and remove the plugin that records plain runs.

    \b
    Examples:
      sudo sifprov plugin install
      sifprov plugin status
      sudo sifprov plugin remove
    """


@command.command("install")
@_runtime
@click.option(
    "--python",
    metavar="PROGRAM",
    help="The Python that runs the helper; only root may be able to change it "
    "[default: /usr/bin/python3].",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all went well.")
def install(runtime: str | None, python: str | None, quiet: bool) -> int:
    """Compile the plugin for a runtime and install it, with its helper. Wants root.

    The runtime's own source tree and the Go that it was built with must be there. From then on
    every run that writes into a data container is recorded, whoever starts it.

    \b
    Examples:
      sudo sifprov plugin install
      sudo sifprov plugin install --runtime /opt/singularity/bin/singularity
    """
    place = pluginadmin.find_place(find_runtime(runtime))
    with steps() as show:
        state = pluginadmin.install(place, python=python, on_step=show)
    return _show(state, quiet=quiet and not state.problems)


@command.command("status")
@_runtime
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def status(runtime: str | None, as_json: bool) -> int:
    """Say whether the plugin is installed and in order. It is not loaded for that.

    Exits with 0 when it is, with 1 when something is wrong, with 3 when it is not installed.

    \b
    Example:
      sifprov plugin status
    """
    state = pluginadmin.status(pluginadmin.find_place(find_runtime(runtime)))
    if as_json:
        click.echo(json.dumps(state.to_json(), indent=2, sort_keys=True))
    return _show(state, quiet=as_json)


@command.command("remove")
@_runtime
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all went well.")
def remove(runtime: str | None, quiet: bool) -> int:
    """Remove the plugin, its helper and its configuration. Wants root.

    Works also when the plugin does not load any more.

    \b
    Example:
      sudo sifprov plugin remove
    """
    place = pluginadmin.find_place(find_runtime(runtime))
    removed = pluginadmin.remove(place)
    if not quiet:
        text = "removed from" if removed else "was not installed in"
        click.echo(f"plugin {text} {printable(place.runtime.path)}")
    return Exit.OK


def _show(state: pluginadmin.Status, *, quiet: bool) -> int:
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
