"""The crate of a trail: which profiles it follows, and what it is as a whole."""

from __future__ import annotations

from collections.abc import Mapping

from sifprov.export.attributes import lists_of_files
from sifprov.export.crate.accounts import Records
from sifprov.export.crate.actions import Action, Actions
from sifprov.export.crate.containers import Containers, InCrate
from sifprov.export.crate.things import BASED_ON, Ref, Things, moment, ours
from sifprov.export.crate.workflows import add_workflow
from sifprov.export.vocabulary import by_value, is_address, text
from sifprov.frozen import dataclass
from sifprov.model.graph import Graph
from sifprov.model.timestamp import to_ns
from sifprov.terminal import counted

_PROFILES = "https://w3id.org/ro/wfrun/"
_VERSION = "0.5"
_WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
NOT_STATED = "not stated"


@dataclass(frozen=True)
class Contents:
    """What goes into a crate besides its metadata: the containers' `files` by the graph's keys, and
    the SHA-256 (`sha256:HEX`) of the `script` that a workflow stands as."""

    files: Mapping[str, InCrate]
    script: str


def crate_of(graph: Graph, contents: Contents, licence: str = "") -> tuple[str, bool]:
    """Returns the metadata file of a trail's crate, and whether the script is a part of it.

    Raises ImportError without the library.
    """
    things = Things()
    containers, records = Containers(things, contents.files), Records(things)
    listed = lists_of_files(graph)
    for key, entity in graph.entities.items():
        containers.add(entity, listed.get(key))
    maker = Actions(things, graph, containers, records)
    actions = {key: maker.add(activity) for key, activity in graph.activities.items()}
    for key, entity in graph.entities.items():
        before = graph.entities.get(entity.revision_of or "")
        if before and before.key != key:
            things.relate(containers.of(entity), BASED_ON, containers.of(before))
    for word in graph.words:
        records.add_loose(word)
    records.finish()
    workflow = add_workflow(things, graph, actions, contents.script)
    profiles = ["process"] if actions else []
    if workflow:
        profiles += ["workflow", "provenance"] if workflow.steps else ["workflow"]
    _conform(things, profiles)
    _whole(things, graph, containers, actions, licence, workflow.ref if workflow else None)
    return things.text(), workflow is not None


def _conform(things: Things, profiles: list[str]) -> None:
    """States the profiles that the crate follows, and no others."""
    for name in profiles:
        at, label = f"{_PROFILES}{name}/{_VERSION}", f"{name.capitalize()} Run Crate"
        things.of_root("conformsTo", [_profile(things, at, label, _VERSION)])
    if "workflow" in profiles:
        profile = _profile(things, _WORKFLOW_CRATE, "Workflow RO-Crate", "1.0")
        things.of_root("conformsTo", [profile])
        things.descriptor_follows(_WORKFLOW_CRATE)


def _profile(things: Things, at: str, label: str, version: str) -> Ref:
    return things.add_at(at, "CreativeWork", label, {"version": version})


def _whole(
    things: Things,
    graph: Graph,
    containers: Containers,
    actions: Mapping[str, Action],
    licence: str,
    workflow: Ref | None,
) -> None:
    targets = [graph.entities[key] for key in graph.targets if key in graph.entities]
    names = [text(t.name) for t in targets if t.name]
    makers = [e.generated_by for e in targets if e.generated_by in actions]
    authors = {a["@id"]: a for key in makers if (a := actions[key or ""].agent)}
    runs = sum(1 for a in graph.activities.values() if a.run)
    told = f"{counted(runs, 'run')} and {counted(len(graph.activities) - runs, 'making')}"
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    things.describe(
        {
            "name": f"What made {shown or 'a container'}",
            "description": f"The record trail of {shown or 'a container'}: {told} of containers, as"
            " sifprov recorded them in the containers themselves.",
            "datePublished": moment(_newest(graph)),
            "license": _licence(things, licence),
            "author": [*authors.values()],
            "mainEntity": workflow,
            "about": [containers.of(t) for t in targets] if not workflow else None,
            **ours({"problem": map(text, graph.problems)}),
        }
    )


def _newest(graph: Graph) -> str:
    """When the newest of the records was made: the crate of a trail does not depend on the day on
    which it is written."""
    times = [r.recorded for a in graph.activities.values() for r in (a.record, *a.words) if r]
    return max((*times, *(w.recorded for w in graph.words)), key=to_ns, default=_EPOCH)


_EPOCH = "1970-01-01T00:00:00Z"


def _licence(things: Things, licence: str) -> Ref:
    if is_address(licence):
        return things.add_at(licence, "CreativeWork", licence, {})
    told = None if licence else "No record says under which terms others may use what is here."
    name = by_value("licence", {"text": licence})
    return things.add(name, "CreativeWork", text(licence) or NOT_STATED, {"description": told})
