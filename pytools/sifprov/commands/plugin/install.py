"""`sifprov plugin install`"""

from __future__ import annotations

import os
from pathlib import Path

import click

from sifprov import pluginadmin
from sifprov.commands.plugin.each import on_each
from sifprov.commands.plugin.show import all_option, exit_code, runtime_option, show
from sifprov.commands.progress import steps
from sifprov.errors import Exit
from sifprov.pluginadmin import Place
from sifprov.pluginadmin.machine import all_places, named_place, the_only
from sifprov.sitelog import SiteLog


@click.command("install")
@runtime_option
@all_option
@click.option(
    "--python",
    metavar="PROGRAM",
    help="The Python that runs the helper; only root may be able to change it "
    "[default: /usr/bin/python3].",
)
@click.option(
    "--object",
    "compiled",
    metavar="FILE",
    help="Install what 'plugin compile' made for this build of the runtime.",
)
@click.option("--no-trial", is_flag=True, help="Do not try a run after installing.")
@click.option(
    "--if-installed", is_flag=True, help="Only where it is installed and not in order: for hooks."
)
@click.option(
    "--site-log",
    metavar="PATH",
    help="Write a line for each run there: /dev/log, or a file of root's; 'none' ends it "
    "[default: what is configured].",
)
@click.option("--site-log-argv", is_flag=True, help="With the command line, secrets hidden.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all went well.")
def command(
    runtime: str | None,
    every: bool,
    python: str | None,
    compiled: str | None,
    no_trial: bool,
    if_installed: bool,
    site_log: str | None,
    site_log_argv: bool,
    quiet: bool,
) -> int:
    """Compile the plugin for a runtime and install it, with its helper. Wants root.

    Without --runtime it is the one that is found, or $SIFPROV_RUNTIME. The runtime's own source
    tree and the Go that it was built with must be there, or, with --object, what was compiled where
    they are. A real run is tried then; when it fails,
    what was there before is put back. From then on every run that writes into a data container is
    recorded, whoever starts it.

    \b
    Examples:
      sudo sifprov plugin install
      sudo sifprov plugin install --runtime /opt/singularity/bin/singularity
      sudo sifprov plugin install --object /srv/site/sifprov.sif
      sudo sifprov plugin install --all --if-installed
      sudo sifprov plugin install --site-log /dev/log
    """
    if compiled and every:
        raise click.UsageError("--object fits one runtime, so it does not go with --all")
    log = _site_log(site_log, site_log_argv)
    named = named_place(runtime)
    places = [named] if named else all_places()[0]
    if if_installed:
        places = [place for place in places if pluginadmin.status(place).mendable]
        if not places:
            return Exit.OK
    if every:
        places = [place for place in places if not place.refuses_plugins] or places
    elif compiled or not if_installed:
        places = [the_only(places, or_all=not compiled)]

    def work(place: Place) -> Exit:
        with steps() as step:
            state = pluginadmin.install(
                place,
                python=python,
                compiled=Path(compiled) if compiled else None,
                try_it=not no_trial,
                site_log=log,
                on_step=step,
            )
        if not quiet or state.problems:
            show(state)
        return exit_code([state])

    return on_each(places, work)


def _site_log(to: str | None, argv: bool) -> SiteLog | None:
    if to is None:
        if argv:
            raise click.UsageError("--site-log-argv goes with --site-log")
        return None
    if to != "none" and (not os.path.isabs(to) or os.path.normpath(to) != to):
        raise click.UsageError(f"--site-log: {to} is no absolute path")
    return SiteLog("" if to == "none" else to, argv)
