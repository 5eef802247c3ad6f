"""`sifprov workflow step`"""

from __future__ import annotations

import os

import click

from sifprov.commands.workflow.common import out
from sifprov.terminal import printable
from sifprov.workflow.plan import plan_of_file
from sifprov.workflow.step import carry_out
from sifprov.workflow.work import UP_TO_DATE, Steps


@click.command("step")
@click.argument("snakefile", type=click.Path())
@click.argument("number", type=click.IntRange(1))
def command(snakefile: str, number: int) -> None:
    """Run one step of the workflow in SNAKEFILE, where it is not up to date.

    Snakemake calls it, in the folder where it keeps `.sifprov/`: what the step prints and how it
    went are there.

    \b
    Examples:
      sifprov workflow step Snakefile 2
    """
    state = carry_out(plan_of_file(snakefile), number, Steps(os.getcwd()), os.environ)
    word = "up to date" if state.state == UP_TO_DATE else "done"
    out(f"{word}: {printable(state.activity)}")
