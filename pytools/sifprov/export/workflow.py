"""The whole trail as one workflow and one execution of it."""

from __future__ import annotations

from sifprov.export.agents import associate
from sifprov.export.relations import influence, member
from sifprov.export.runs import Runs
from sifprov.export.statements import Statements
from sifprov.export.vocabulary import by_value, text
from sifprov.model.canonical import Json
from sifprov.model.graph import Graph
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
    times = [r for a in graph.activities.values() if (r := a.run)]
    started = [to_ns(run.started) for run in times]
    ended = [to_ns(run.ended) for run in times if run.ended is not None]
    start = min(started, default=None)
    end = max(ended) if ended and len(ended) == len(times) else None
    if start is not None and end is not None and end < start:
        start = end = None
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
