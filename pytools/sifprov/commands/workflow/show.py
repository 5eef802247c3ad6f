"""`sifprov workflow show`"""

from __future__ import annotations

import os

import click

from sifprov.commands.workflow.common import JSON, out, print_json, stdout
from sifprov.commands.workflow.shown import run_lines
from sifprov.errors import Exit, NoRecordError
from sifprov.workflow import history
from sifprov.workflow.history import COMPLETE
from sifprov.workflow.load import load


@click.command("show")
@click.argument("file", metavar="WF.json|NAME.workflow.jsonl", type=click.Path())
@click.option("--all", "everything", is_flag=True, help="All executions, not the last one alone.")
@JSON
def command(file: str, everything: bool, as_json: bool) -> int:
    """Show the executions of a workflow that are recorded beside it.

    Each names its steps, how they went, and the records of their outputs; `sifprov trail` of one of
    these shows what made it. Exit code 0 where the last execution is complete, 1 where it failed or
    was interrupted.

    \b
    Examples:
      sifprov workflow show wf.json
      sifprov workflow show maps.workflow.jsonl --all
      sifprov workflow show wf.json --json | jq -r '.executions[-1].id'
    """
    path = file
    if not file.endswith(history.SUFFIX):
        loaded = load(file)
        path = history.history_of(loaded.folder, loaded.workflow.name)
        if not os.path.lexists(path):
            raise NoRecordError(f"{file}: this workflow was not run yet")
    runs = history.read(path)
    shown = runs if everything else runs[-1:]
    if as_json:
        print_json({
            "executions": [run.to_json() for run in shown],
            "schema": "sifprov.workflow-show/1",
        })  # fmt: skip
    else:
        for run in shown:
            for line in run_lines(run, stdout()):
                out(line)
    return Exit.OK if runs[-1].state == COMPLETE else Exit.DIFFERS
