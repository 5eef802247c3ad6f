"""`sifprov workflow check`"""

from __future__ import annotations

import click

from sifprov.commands.progress import steps
from sifprov.commands.workflow.common import (
    FILE,
    JSON,
    OPTION,
    RUNTIME,
    out,
    print_json,
    read_plan,
    stdout,
)
from sifprov.commands.workflow.shown import due_lines
from sifprov.model.canonical import Json, text_to_json
from sifprov.terminal import counted, printable
from sifprov.workflow import engine
from sifprov.workflow.engine import Due
from sifprov.workflow.graph import counted_composition
from sifprov.workflow.plan import Plan


@click.command("check")
@FILE
@RUNTIME
@OPTION
@JSON
def command(file: str, runtime: str | None, options: tuple[str, ...], as_json: bool) -> None:
    """Check WF.json and its files, and say which steps have to run, and why.

    A step is up to date when its outputs were made by it, from an application and inputs with the
    contents that they have now, by the same command, and have not changed since. No time of a file
    counts.

    \b
    Examples:
      sifprov workflow check wf.json
      sifprov workflow check wf.json --json | jq '.steps[] | select(.why)'
    """
    plan = read_plan(file, runtime, options)
    engine.check(plan)
    with steps() as step:
        due = engine.due(plan, step)
    show(plan, due, as_json=as_json)


def show(plan: Plan, due: tuple[Due, ...], *, as_json: bool) -> None:
    """Prints what would be done."""
    if as_json:
        print_json(to_json(plan, due))
        return
    counted_one = counted_composition(plan.workflow)
    declared = f", by its application containers {counted_one}"
    out(
        f"{printable(plan.workflow.name)}: {counted(len(due), 'step')}, {plan.composition}"
        + (declared if counted_one != plan.composition else "")
    )
    for line in due_lines(plan, due, stdout()):
        out(line)


def to_json(plan: Plan, due: tuple[Due, ...]) -> dict[str, Json]:
    """Returns what `--json` prints of it (`sif_layouts/schemas/workflow-check.schema.json`)."""
    return {
        "composition": plan.composition,
        "folder": text_to_json(plan.folder),
        "name": plan.workflow.name,
        "schema": "sifprov.workflow-check/1",
        "steps": [
            {
                "activity": each.activity,
                "behind": [plan.step(n).activity for n in each.behind],
                "runs": each.runs,
                "why": None if each.why is None else text_to_json(each.why),
            }
            for each in due
        ],
    }
