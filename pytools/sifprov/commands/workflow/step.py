"""`sifprov workflow step`"""

from __future__ import annotations

import os

import click

from sifprov.commands.workflow.common import out
from sifprov.terminal import printable
from sifprov.workflow.plan import data_of_file, plan_from_json
from sifprov.workflow.replayed import SCHEMA, replay_step
from sifprov.workflow.step import carry_out
from sifprov.workflow.work import UP_TO_DATE, Steps


@click.command("step")
@click.argument("snakefile", type=click.Path())
@click.argument("number", type=click.IntRange(1))
def command(snakefile: str, number: int) -> None:
    """Run one step of the workflow, or of the replay, in SNAKEFILE, where it is not up to date.

    Snakemake calls it, in the folder where it keeps `.sifprov/`: what the step prints and how it
    went are there.

    \b
    Examples:
      sifprov workflow step Snakefile 2
    """
    value, folder = data_of_file(snakefile), os.path.dirname(os.path.abspath(snakefile))
    steps = Steps(os.getcwd())
    if isinstance(value, dict) and value.get("schema") == SCHEMA:
        state = replay_step(value, number, steps, folder)
    else:
        state = carry_out(plan_from_json(value, folder), number, steps, os.environ)
    word = "up to date" if state.state == UP_TO_DATE else "done"
    out(f"{word}: {printable(state.activity)}")
