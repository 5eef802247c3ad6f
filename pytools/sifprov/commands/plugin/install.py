"""`sifprov plugin install`"""

from __future__ import annotations

import click

from sifprov import pluginadmin
from sifprov.commands.plugin.show import runtime_option, show
from sifprov.commands.progress import steps
from sifprov.runtime.find import find_runtime


@click.command("install")
@runtime_option
@click.option(
    "--python",
    metavar="PROGRAM",
    help="The Python that runs the helper; only root may be able to change it "
    "[default: /usr/bin/python3].",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all went well.")
def command(runtime: str | None, python: str | None, quiet: bool) -> int:
    """Compile the plugin for a runtime and install it, with its helper. Wants root.

    The runtime's own source tree and the Go that it was built with must be there. From then on
    every run that writes into a data container is recorded, whoever starts it.

    \b
    Examples:
      sudo sifprov plugin install
      sudo sifprov plugin install --runtime /opt/singularity/bin/singularity
    """
    place = pluginadmin.find_place(find_runtime(runtime))
    with steps() as step:
        state = pluginadmin.install(place, python=python, on_step=step)
    return show(state, quiet=quiet and not state.problems)
