"""The workflow that a trail's end belongs to, where its records say so (the fact `workflow`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sifprov.export.crate.actions import COMPLETED, FAILED, Action
from sifprov.export.crate.things import Ref, Things, moment, ours
from sifprov.export.facts import Facts
from sifprov.export.vocabulary import NAMESPACE, by_value, text
from sifprov.frozen import dataclass
from sifprov.model.graph import Activity, Graph
from sifprov.model.record import Run
from sifprov.model.timestamp import to_ns

SCRIPT = "workflow.sh"
_SHELL = "https://pubs.opengroup.org/onlinepubs/9699919799/utilities/V3_chap02.html"


@dataclass(frozen=True)
class Part:
    """A run that belongs to a workflow: by its `name`, in the execution `id`; `step` and
    `composition` are empty where the record does not tell them."""

    key: str
    run: Run
    name: str
    id: str
    step: str
    composition: str


def part(activity: Activity) -> Part | None:
    """Returns how a run belongs to a workflow; None for one that belongs to none."""
    run = activity.run
    if run is None:
        return None
    facts = Facts(run.facts)
    word = {n: facts.word("workflow", n) or "" for n in ("name", "id", "activity", "composition")}
    if not word["name"]:
        return None
    return Part(activity.key, run, word["name"], word["id"], word["activity"], word["composition"])


@dataclass(frozen=True)
class Workflow:
    """The workflow in the crate; `steps` where every run of it says which step it was."""

    ref: Ref
    steps: bool


def add_workflow(
    things: Things, graph: Graph, actions: Mapping[str, Action], digest: str
) -> Workflow | None:
    """Adds the workflow that made the graph's first target and each execution of it; returns None
    where that belongs to none. `digest` is that of the script."""
    ends = [graph.entities[key] for key in graph.targets if key in graph.entities]
    makers = [a for e in ends if (a := graph.activities.get(e.generated_by or ""))]
    main = next((p for activity in makers if (p := part(activity))), None)
    if main is None:
        return None
    parts = [p for activity in graph.activities.values() if (p := part(activity))]
    parts = [p for p in parts if p.name == main.name]
    steps = all(p.step for p in parts)
    positions = {name: n for n, name in enumerate(dict.fromkeys(p.step for p in parts))}
    step_refs = {
        name: _step(things, main.name, name, n, [actions[p.key] for p in parts if p.step == name])
        for name, n in (positions.items() if steps else ())
    }
    ref = things.add_data(
        SCRIPT,
        "File SoftwareSourceCode ComputationalWorkflow" + (" HowTo" if steps else ""),
        text(main.name),
        {
            "description": "all runs of the trail, as a script that was written from their records;"
            " not the file that the workflow was defined in",
            "encodingFormat": "application/x-sh",
            "programmingLanguage": things.add(
                "language-sh", "ComputerLanguage", "POSIX shell", {"url": _SHELL}
            ),
            "version": digest,
            "hasPart": _once(actions[p.key].tool for p in parts),
            "step": [*step_refs.values()],
        },
        SCRIPT,
    )
    by_id: dict[str, list[Part]] = {}
    for each in parts:
        by_id.setdefault(each.id, []).append(each)
    for members in by_id.values():
        _execution(things, ref, members, actions)
    for each in parts if steps else ():
        _control(things, each, step_refs[each.step], actions[each.key])
    return Workflow(ref, steps)


def _step(things: Things, workflow: str, name: str, place: int, runs: list[Action]) -> Ref:
    return things.add(
        by_value("step", {"step": name, "workflow": workflow}),
        "HowToStep",
        text(name),
        {"position": str(place), "workExample": _once(run.tool for run in runs)},
    )


def _control(things: Things, it: Part, step: Ref, action: Action) -> None:
    error = "the run of this step failed" if action.failed else None
    things.add(
        by_value("control", {"run": it.key}),
        "ControlAction",
        text(f"step {it.step}"),
        {
            "instrument": step,
            "object": action.ref,
            "actionStatus": FAILED if error else COMPLETED,
            "error": error,
        },
    )


def _execution(
    things: Things, workflow: Ref, members: list[Part], actions: Mapping[str, Action]
) -> None:
    done = [actions[p.key] for p in members]
    made = _once(ref for action in done for ref in action.made)
    inner = {ref["@id"] for ref in made}
    used = _once(r for action in done for r in action.used if r["@id"] not in inner)
    bad = sum(action.failed for action in done)
    ended = [p.run.ended for p in members if p.run.ended]
    compositions = {p.composition: None for p in members if p.composition}
    first = members[0]
    ref = things.add(
        by_value("workflow-execution", {"id": first.id, "name": first.name}),
        "CreateAction",
        text(f"execution of {first.name}"),
        {
            "description": text(f"the {len(members)} recorded runs of this execution"),
            "instrument": workflow,
            "object": used,
            "result": made,
            "startTime": moment(min((p.run.started for p in members), key=to_ns)),
            "endTime": moment(max(ended, key=to_ns)) if len(ended) == len(members) else None,
            "agent": _once(action.agent for action in done if action.agent),
            "actionStatus": FAILED if bad else COMPLETED,
            "error": f"{bad} of {len(members)} runs failed" if bad else None,
            "additionalType": {"@id": NAMESPACE + "WorkflowExecution"},
            **ours({"workflow_id": text(first.id) or None, "composition": map(text, compositions)}),
        },
    )
    things.of_root("mentions", [ref])


def _once(refs: Iterable[Ref]) -> list[Ref]:
    return [{"@id": at} for at in dict.fromkeys(ref["@id"] for ref in refs)]
