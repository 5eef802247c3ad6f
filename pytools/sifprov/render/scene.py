"""What a picture of a graph shows: boxes with short, harmless texts, and the arrows between them.

Everything that draws starts here, so that a container or a run bears the same words in each format.
Texts are `printable`: whatever could act on a terminal or turn the direction of writing shows as an
escape. Markup stays as it is; each format escapes it in its own way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sifprov.model.annotation import Annotation
from sifprov.model.container import (
    CHANGED_OUTSIDE,
    PROVISIONAL,
    SOURCE_LINK,
    SOURCE_OUTSIDE,
    Container,
)
from sifprov.model.graph import EMBEDDED, MISSING, Activity, Entity, Graph
from sifprov.model.record import EXITED, NOT_STARTED, SIGNALED, UNKNOWN, Run
from sifprov.model.timestamp import to_ns
from sifprov.render.clock import local_time
from sifprov.terminal import command, printable

# Kinds of boxes, beside DATA, APPLICATION and FOLDER of the graph.
RUN, MAKING = "run", "making"
USED, MADE, REVISION = "used", "made", "revision"
# What a box is marked with, and the words on it.
TARGET, FAILED, UNSURE, PROBLEM, HELD = "target", "failed", "unsure", "problem", "embedded"
FLAGS = {
    TARGET: "shown here",
    MISSING: "missing",
    HELD: "only its record is at hand",
    PROVISIONAL: "provisional",
    CHANGED_OUTSIDE: "changed outside of runs",
    SOURCE_LINK: "reached by a link",
    SOURCE_OUTSIDE: "files of the host in its place",
    PROBLEM: "does not fit",
    FAILED: "failed",
    UNSURE: "outcome unknown",
}
_MAX_NAME, _MAX_COMMAND, _MAX_WORDS = 120, 160, 120


@dataclass(frozen=True)
class Box:
    """A container or an activity. `key` is the graph's, `id` a plain word that is unique in the
    scene. `members` are the ids of those that it stands for, where it is a group."""

    id: str
    key: str
    kind: str
    title: str
    lines: tuple[str, ...]
    flags: tuple[str, ...] = ()
    when: str | None = None
    members: tuple[str, ...] = ()

    @property
    def is_activity(self) -> bool:
        """Whether it is a run or a making."""
        return self.kind in (RUN, MAKING)


@dataclass(frozen=True)
class Arrow:
    """From one box (its id) to a later one: what a run used, or made, or the same container's
    earlier content (REVISION). `label` is the mount point, or says for how many arrows it
    stands."""

    source: str
    target: str
    kind: str
    label: str = ""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scene:
    """Boxes by id, in the graph's order, and arrows. `problems` are harmless lines."""

    boxes: Mapping[str, Box]
    arrows: tuple[Arrow, ...]
    problems: tuple[str, ...]
    title: str


def scene(graph: Graph) -> Scene:
    """Returns what a picture of `graph` shows."""
    entities = {key: f"e{i}" for i, key in enumerate(graph.entities)}
    activities = {key: f"a{i}" for i, key in enumerate(graph.activities)}
    boxes: dict[str, Box] = {}
    marks = _marks(graph)
    for key, entity in graph.entities.items():
        boxes[entities[key]] = _entity_box(
            entities[key], entity, marks.get(key, ()), key in graph.targets
        )
    for key, activity in graph.activities.items():
        boxes[activities[key]] = activity_box(activities[key], activity)
    arrows = tuple(_arrows(graph, entities, activities))
    names = [printable(clip(graph.entities[t].name, _MAX_NAME)) for t in graph.targets[:3]]
    title = ", ".join(names) + (" …" if len(graph.targets) > 3 else "")
    problems = tuple(printable(clip(p, 500)) for p in graph.problems)
    return Scene(boxes, arrows, problems, f"Record trail of {title}" if title else "Record trail")


def _marks(graph: Graph) -> dict[str, tuple[str, ...]]:
    """What any use of an entity says of its content."""
    found: dict[str, set[str]] = {}
    for activity in graph.activities.values():
        for usage in (*activity.used, *activity.generated):
            if usage.container.marks:
                found.setdefault(usage.entity, set()).update(usage.container.marks)
    return {key: tuple(sorted(marks)) for key, marks in found.items()}


def _entity_box(id_: str, entity: Entity, marks: tuple[str, ...], is_target: bool) -> Box:
    there = {MISSING: MISSING, EMBEDDED: HELD}.get(entity.standing)
    found = {*marks, *entity.container.marks, there, TARGET if is_target else None}
    found.add(PROBLEM if entity.problem else None)
    content = short(entity.digest) if entity.digest else "content not known"
    lines = [content, f"UUID {str(entity.uuid)[:8]}" if entity.uuid else "no UUID"]
    name = printable(clip(entity.name, _MAX_NAME)) or "(no name)"
    flags = tuple(flag for flag in FLAGS if flag in found)
    return Box(id_, entity.key, entity.kind, name, tuple(lines), flags)


def activity_box(id_: str, activity: Activity) -> Box:
    """Returns the box of a run or a making."""
    record, run = activity.record, activity.run
    if record is None:
        return _foreign_box(id_, activity)
    if run is None:
        source = record.origin.source if record.origin else ""
        title = printable(clip(source, _MAX_NAME)) or "(nothing)"
        line = f"{'sealed' if activity.used else 'made'} {local_time(record.recorded)}"
        return Box(id_, activity.key, MAKING, title, (line,), (), record.recorded)
    words = [record.annotation, *(w.annotation for w in activity.words)]
    said = [_words([w for w in words if w])]
    said += [f"replay: {w.verdict.result}" for w in activity.words if w.verdict][-1:]
    lines = (local_time(run.started), ended(run), *filter(None, said))
    good = run.outcome == EXITED and run.exit_code == 0
    flags = () if good else (UNSURE,) if run.outcome == UNKNOWN else (FAILED,)
    return Box(id_, activity.key, RUN, command_line(run), lines, flags, run.started)


def _foreign_box(id_: str, activity: Activity) -> Box:
    foreign = activity.foreign
    told = foreign.command if foreign and foreign.is_run else "files that are not named"
    kind = RUN if foreign and foreign.is_run else MAKING
    title = printable(clip(told, _MAX_COMMAND)) or "(no command)"
    return Box(id_, activity.key, kind, title, ("recorded by another program",))


def _arrows(
    graph: Graph, entities: Mapping[str, str], activities: Mapping[str, str]
) -> Iterator[Arrow]:
    for key, activity in graph.activities.items():
        for usage in activity.used:
            if usage.entity in entities:
                yield _arrow(entities[usage.entity], activities[key], USED, usage.container)
        for usage in activity.generated:
            if usage.entity in entities:
                yield _arrow(activities[key], entities[usage.entity], MADE, usage.container)
    for key, entity in graph.entities.items():
        if entity.revision_of in entities and entity.revision_of is not None:
            yield Arrow(entities[entity.revision_of], entities[key], REVISION)


def _arrow(source: str, target: str, kind: str, container: Container) -> Arrow:
    label = printable(clip(container.mount, _MAX_WORDS)) if container.mount else ""
    flags = tuple(flag for flag in FLAGS if flag in container.marks)
    return Arrow(source, target, kind, label, flags)


def command_line(run: Run) -> str:
    """Returns what ran in the container, as one would type it, shortened."""
    argv = run.typed
    first = [clip(word, _MAX_COMMAND) for word in argv[:_MAX_COMMAND]]
    return clip(command(first), _MAX_COMMAND) or "(no command)"


def ended(run: Run) -> str:
    """Returns how long a run took and how it ended."""
    if run.outcome == NOT_STARTED:
        return "never started"
    how = "outcome unknown"
    if run.outcome == EXITED:
        how = f"exit code {run.exit_code}"
    elif run.outcome == SIGNALED:
        how = f"ended by signal {run.signal}"
    return f"{duration(to_ns(run.ended) - to_ns(run.started))}, {how}" if run.ended else how


def duration(nanoseconds: int) -> str:
    """Returns a span of time for people."""
    seconds = nanoseconds // 1_000_000_000
    if seconds < 60:
        return f"{nanoseconds / 1e9:.2f} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def _words(annotations: list[Annotation]) -> str:
    """The metrics and tags in one line, or how many notes there are."""
    metrics = {n: v for a in annotations for n, v in a.metrics}
    tags = {n: v for a in annotations for n, v in a.tags}
    said = [f"{n} = {v}" for n, v in metrics.items()] + [f"{n}: {v}" for n, v in tags.items()]
    notes = sum(len(a.notes) for a in annotations)
    said += [f"{notes} note{'s' if notes > 1 else ''}"] if notes else []
    return printable(clip(" · ".join(clip(s, _MAX_WORDS) for s in said[:4]), _MAX_WORDS))


def short(digest: str) -> str:
    """Returns enough of a digest to tell it from others."""
    scheme, _, value = digest.partition(":")
    return f"{scheme}:{value[:12]}…"


def clip(text: str, most: int) -> str:
    """Returns `text`, cut to `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"
