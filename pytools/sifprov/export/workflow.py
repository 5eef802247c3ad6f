"""The whole trail as one workflow and one execution of it; and each workflow that runs say they
were part of."""

from __future__ import annotations

from sifprov.export.agents import associate
from sifprov.export.relations import influence, member
from sifprov.export.runs import Runs
from sifprov.export.statements import Statements
from sifprov.export.vocabulary import by_value, text
from sifprov.model.canonical import Json
from sifprov.model.graph import Graph
from sifprov.model.record import Run
from sifprov.model.timestamp import to_ns


def add_workflow(s: Statements, graph: Graph, runs: Runs, activities: dict[str, str]) -> None:
    """States the workflow: its members are the start commands, and its execution has had a part in
    every run and making. `activities` are their names by key."""
    key: list[Json] = [*graph.targets]
    names = [graph.entities[t].name for t in graph.targets if t in graph.entities]
    label = text(names[0]) if names else None
    workflow = s.entity(
        by_value("workflow", key),
        "Workflow prov:Plan prov:Collection",
        label,
        {"name": map(text, names), "problem": map(text, graph.problems)},
    )
    for plan in runs.commands:
        member(s, workflow, plan)
    start, end = _span([r for a in graph.activities.values() if (r := a.run)])
    execution = s.activity(
        by_value("workflow-execution", key),
        "WorkflowExecution",
        label,
        start,
        end,
        {"job_id": runs.jobs, "elapsed_us": runs.elapsed_us},
    )
    if not runs.users:
        associate(s, execution, None, f"association-{execution}", workflow)
    for user in runs.users:
        associate(s, execution, user, f"association-{execution}-{user}", workflow)
    for name in activities.values():
        influence(s, name, execution)
    for (title, id_), runs_of_it in runs.parts.items():
        _add_named(s, title, id_, runs_of_it)


def _add_named(
    s: Statements, title: str, id_: str | None, runs: list[tuple[str, Run, str]]
) -> None:
    """States a workflow that runs name, and the execution of it that they were part of, as far as
    the trail holds its runs."""
    workflow = s.entity(
        by_value("workflow", {"name": title}),
        "Workflow prov:Plan prov:Collection",
        text(title),
        {"name": text(title)},
    )
    start, end = _span([run for _, run, _ in runs])
    execution = s.activity(
        by_value("workflow-execution", {"id": id_, "name": title}),
        "WorkflowExecution",
        text(title),
        start,
        end,
        {"id": id_},
    )
    associate(s, execution, None, f"association-{execution}", workflow)
    for name, _, plan in runs:
        member(s, workflow, plan)
        influence(s, name, execution)


def _span(runs: list[Run]) -> tuple[int | None, int | None]:
    """When the first of these runs began and the last one ended, as far as their times have an
    order."""
    started = [to_ns(run.started) for run in runs]
    ended = [to_ns(run.ended) for run in runs if run.ended is not None]
    start = min(started, default=None)
    end = max(ended) if ended and len(ended) == len(runs) else None
    if start is not None and end is not None and end < start:
        return None, None
    return start, end
