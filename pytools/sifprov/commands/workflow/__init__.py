"""`sifprov workflow`: the verbs of workflows, one file each."""

from __future__ import annotations

import click

from sifprov.commands.lazy import LazyGroup

_VERBS = {
    "check": ("sifprov.commands.workflow.check", "Check a workflow file, and what has to run."),
    "convert": ("sifprov.commands.workflow.convert", "Write another program's file as ours."),
    "run": ("sifprov.commands.workflow.run", "Run what is not up to date, by Snakemake."),
    "show": ("sifprov.commands.workflow.show", "Show the executions of a workflow."),
    "step": ("sifprov.commands.workflow.step", "Run one step; Snakemake calls it."),
}


@click.command("workflow", cls=LazyGroup, verbs=_VERBS)
def command() -> None:
    """Run several containerized steps as one workflow; each is a recorded run.

    \b
    Examples:
      sifprov workflow check wf.json
      sifprov workflow run wf.json
      sifprov workflow show wf.json
    """
