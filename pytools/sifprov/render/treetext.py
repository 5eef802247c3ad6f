"""The words of the tree: a container, a run or a making, in lines."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import pairwise

from sifprov.model.container import OUTPUT, Container
from sifprov.model.files import Files
from sifprov.model.graph import (
    EMBEDDED,
    FOREIGN_MAKING,
    FOREIGN_RUN,
    MISSING,
    Activity,
    Entity,
    Graph,
)
from sifprov.model.record import EXITED, NOT_STARTED, SIGNALED, Record, Run
from sifprov.model.timestamp import to_ns
from sifprov.render.clock import local_time
from sifprov.render.colour import Palette
from sifprov.render.filesizes import FileSizes
from sifprov.render.longcommand import shortened
from sifprov.render.standing import mark_lines
from sifprov.render.words import annotation_lines, fact_lines, verdict_text
from sifprov.terminal import command, printable

_SHORTEST_ID = 8


class Texts:
    """Writes the lines of one graph."""

    def __init__(
        self,
        graph: Graph,
        palette: Palette,
        sizes: FileSizes | None = None,
        *,
        collapse: bool = False,
    ) -> None:
        self._command = shortened if collapse else command
        self._graph = graph
        self._paint = palette
        self._sizes = sizes or FileSizes()
        self._uuid_length = shortest(str(e.uuid) for e in graph.entities.values() if e.uuid)
        self._id_length = shortest(graph.activities)

    def name(self, entity: Entity) -> str:
        """The line of a container that the trail was asked for, or that has a part of its own."""
        name = os.path.basename(entity.path.rstrip("/")) if entity.path else entity.name
        name = self._paint.strong(printable(name or "a container"))
        return f"{name}  {self._paint.faint(str(entity.uuid))}" if entity.uuid else name

    def usage(self, container: Container, entity: Entity) -> str:
        """The line of a container that a run used or wrote."""
        where = f" at {printable(container.mount)}" if container.mount else ""
        uuid = str(entity.uuid)[: self._uuid_length] if entity.uuid else "no UUID"
        name = self._paint.strong(printable(container.name or entity.name))
        return f"{container.role} {name}{where}  {self._paint.faint(uuid)}"

    def usage_lines(self, container: Container, entity: Entity) -> Iterator[str]:
        """What else there is to say of it."""
        if container.digest:
            told = self._paint.faint(short_digest(container.digest))
            yield ", ".join(filter(None, (told, self._sizes.of(self._files(container, entity)))))
        elif container.reason:
            yield f"content unknown: {printable(container.reason)}"
        yield from map(self._paint.odd, mark_lines(container))
        if container.role != OUTPUT:
            yield from self.standing_lines(entity)

    def _files(self, container: Container, entity: Entity) -> Files | None:
        """The list of a container's files, where its own or an earlier record holds one."""
        if container.files or container.digest != entity.digest:
            return container.files
        activity = self._graph.activities.get(entity.generated_by or "")
        origin = activity.record.origin if activity and activity.record else None
        return origin.files if origin else entity.container.files

    def standing_lines(self, entity: Entity) -> Iterator[str]:
        """Where a container is, when that is not as it should be."""
        if entity.problem:
            yield self._paint.odd(printable(entity.problem))
        if entity.standing == MISSING:
            record = short_digest(entity.record or "")
            yield self._paint.odd(
                f"missing: it carried records of its own ({record}), which are not at hand"
            )
        elif entity.standing == EMBEDDED and not entity.problem:
            yield self._paint.faint("not found here")

    def activity(self, activity: Activity) -> str:
        """The line of a run or of a making."""
        key = activity.key[: self._id_length] if activity.record else activity.key[:_SHORTEST_ID]
        ident = self._paint.faint(printable(key))
        record, run = activity.record, activity.run
        if run:
            well = run.outcome == EXITED and run.exit_code == 0
            how = (self._paint.good if well else self._paint.bad)(outcome(run))
            return f"run {local_time(run.started)}{_took(run)}, {how}  {ident}"
        if record and record.origin:
            source = printable(record.origin.source)
            return f"made {local_time(record.recorded)} from {source}  {ident}"
        what = {FOREIGN_RUN: "run", FOREIGN_MAKING: "made"}.get(activity.kind, "made")
        return f"{what}, as another program recorded it  {ident}"

    def activity_lines(self, activity: Activity) -> Iterator[str]:
        """What there is to say of it."""
        record, run, foreign = activity.record, activity.run, activity.foreign
        if record and run:
            yield "$ " + self._command(run.argv or run.command)
            if record.replays:
                showed = next((w.verdict for w in reversed(activity.words) if w.verdict), None)
                told = f": {verdict_text(showed)}" if showed else ""
                yield f"replay of record {record.replays.id}{told}"
            yield from annotation_lines(record.annotation)
            yield from fact_lines(run)
            runtime = printable(f"{run.runtime_name} {run.runtime_version}")
            yield f"recorded by the {record.captured_by}, {runtime}"
        elif record and record.origin:
            told = self._paint.faint(short_digest(record.origin.digest))
            yield ", ".join(filter(None, (told, self._sizes.of(record.origin.files))))
            yield from annotation_lines(record.annotation)
        elif foreign:
            yield "$ " + printable(foreign.command)
            yield from (self._paint.odd(printable(problem)) for problem in foreign.problems)
            yield printable(foreign.lacks)
        for word in activity.words:
            yield from annotation_lines(word.annotation, f" ({local_time(word.recorded)})")

    def words(self, record: Record) -> Iterator[str]:
        """Words about a record that is not at hand."""
        if record.verdict and record.replays:
            yield f"replay of record {record.replays.id}: {verdict_text(record.verdict)}"
            return
        about = record.about.id if record.about else record.id
        yield f"noted {local_time(record.recorded)} about record {about}"
        yield from ("  " + line for line in annotation_lines(record.annotation))


def shortest(ids: Iterable[str]) -> int:
    """Returns how many characters tell all of these ids apart: 8, or more."""
    ordered = sorted(set(ids))
    length = _SHORTEST_ID
    for one, other in pairwise(ordered):
        while one[:length] == other[:length]:
            length += 1
    return length


def outcome(run: Run) -> str:
    """Returns how a run ended, in words."""
    if run.outcome == EXITED:
        return f"exit code {run.exit_code}"
    if run.outcome == SIGNALED:
        return f"ended by signal {run.signal}"
    if run.outcome == NOT_STARTED:
        return "never started"
    return "outcome unknown"


def short_digest(digest: str) -> str:
    """Returns enough of a digest to tell it from others."""
    scheme, _, value = digest.partition(":")
    return f"{scheme}:{value[:16]}…"


def _took(run: Run) -> str:
    if run.ended is None:
        return ""
    seconds = (to_ns(run.ended) - to_ns(run.started)) / 1e9
    if seconds < 60:
        return f", {seconds:.2f} s"
    return f", {int(seconds) // 60} min {int(seconds) % 60} s"
