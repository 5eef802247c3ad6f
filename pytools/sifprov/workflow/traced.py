"""A trail as a workflow: each run a step, what went from one to the next its inputs and outputs.

Not every trail is one. A run that wrote into a container that held something already, that failed,
or whose command line is not known whole, can be replayed (`sifprov rerun`), but no step says it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from sifprov.errors import RecordError, SifprovError
from sifprov.model.environment import DEFAULT, allowed
from sifprov.model.graph import FOREIGN_RUN, Activity, Entity, Graph
from sifprov.model.record import EXITED, RUN
from sifprov.model.redact import HIDDEN
from sifprov.model.run import Run
from sifprov.model.workflowpart import WorkflowPart
from sifprov.replay.line import recorded
from sifprov.runtime.argv import without_image_binds
from sifprov.terminal import printable
from sifprov.workflow.document import DEFAULT_MOUNT, EXEC, Input, Output, Step, Workflow
from sifprov.workflow.document import RUN as RUN_ACTION
from sifprov.workflow.graph import shape
from sifprov.workflow.reading import from_json
from sifprov.workflow.uptodate import HANDED

_LEAST_FREE = 1 << 30


def workflow_of(graph: Graph) -> Workflow:
    """Returns the workflow that makes what a trail tells of. Raises SifprovError, which names the
    run that no step can be."""
    return _Tracing(graph).workflow()


class _Tracing:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._outputs: dict[str, str] = {}  # names of outputs, by entity
        self._activities: set[str] = set()
        self._names: set[str] = set()

    def workflow(self) -> Workflow:
        foreign = [a for a in self._graph.activities.values() if a.kind == FOREIGN_RUN]
        if foreign:
            raise _no_step(foreign[0], "was recorded by another program, which tells too little")
        runs = [a for a in self._graph.activities.values() if a.kind == RUN]
        if not runs:
            raise SifprovError("no run has made it, so there is no workflow")
        steps = tuple(map(self._step, runs))
        parts = {p.name for a in runs if (p := _part(a))}
        target = self._graph.entities[self._graph.targets[0]]
        name = parts.pop() if len(parts) == 1 else _plain(target.name)
        try:
            # What records say is no more to be trusted than what a file says.
            found = from_json(Workflow(_title(name), steps).to_json())
            shape(found)
        except RecordError as error:
            raise SifprovError(f"the trail is no workflow: {error}") from error
        return found

    def _step(self, activity: Activity) -> Step:
        run = activity.run
        if run is None:
            raise _no_step(activity, "is no run")
        _check(activity, run)
        line = recorded(run)
        application, *inputs = activity.used
        outputs = tuple(
            self._output(activity, self._graph.entities[usage.entity], usage.container.mount,
                         usage.container.source)
            for usage in activity.generated
        )  # fmt: skip
        part = _part(activity)
        wanted = part.activity if part and part.activity else outputs[0].name
        return Step(
            activity=_free(wanted, self._activities),
            application=_file(activity, self._graph.entities[application.entity]),
            command=line.args,
            inputs=tuple(
                self._input(activity, self._graph.entities[u.entity], u.container.mount)
                for u in inputs
            ),
            outputs=outputs,
            environment=_environment(run),
            options=without_image_binds(line.options),
            action=line.action,
        )

    def _input(self, activity: Activity, entity: Entity, mount: str | None) -> Input:
        if entity.key in self._outputs:
            return Input(output=self._outputs[entity.key], mount=mount)
        return Input(file=_file(activity, entity), mount=mount)

    def _output(
        self, activity: Activity, entity: Entity, mount: str | None, source: str | None
    ) -> Output:
        if entity.revision_of:
            raise _no_step(
                activity, f"wrote into {printable(entity.name)}, which held something already"
            )
        if (source or mount) != mount:
            raise _no_step(activity, f"bound {source} of {printable(entity.name)} at {mount}")
        name = _free(_plain(entity.name), self._names)
        self._outputs[entity.key] = name
        size = os.path.getsize(entity.path) if _is_there(entity) and entity.path else 0
        free = max(_LEAST_FREE, 2 * size)
        return Output(name, f"{name}.sif", mount or DEFAULT_MOUNT, str(free))


def _check(activity: Activity, run: Run) -> None:
    if (run.outcome, run.exit_code) != (EXITED, 0):
        raise _no_step(activity, "did not end with 0")
    line = recorded(run)
    if line.action not in (EXEC, RUN_ACTION):
        raise _no_step(activity, f"was no exec: {line.action}")
    if run.redacted or any(HIDDEN in word for word in (*run.argv, *run.command)):
        raise _no_step(activity, "had a secret in its command line, which no record holds")
    if not activity.generated:
        raise _no_step(activity, "wrote into nothing that is known")
    if any(not u.container.mount for u in activity.generated):
        raise _no_step(activity, "does not say where its result was bound")


def _file(activity: Activity, entity: Entity) -> str:
    path = entity.path if _is_there(entity) and entity.path else entity.container.path
    if "://" in path:
        raise _no_step(activity, f"ran {printable(path)}, which is no file")
    return os.path.abspath(path)


def _is_there(entity: Entity) -> bool:
    return entity.path is not None and entity.problem is None and os.path.isfile(entity.path)


def _environment(run: Run) -> tuple[tuple[str, str], ...]:
    """The variables that the record tells, by the names that they had in the container; of secrets
    nothing is known."""
    found: Mapping[str, str] = {
        (name.partition("ENV_")[2] if name.startswith(HANDED) else name): value
        for name, value in run.environment
        if HIDDEN not in value
    }
    return tuple(
        (n, found[n])
        for n in sorted(found)
        if allowed(n, DEFAULT[:-2]) or any(p + n in dict(run.environment) for p in HANDED)
    )


def _part(activity: Activity) -> WorkflowPart | None:
    facts = {f.name: f.value for f in activity.run.facts} if activity.run else {}
    return WorkflowPart.from_json(facts.get("workflow"))


def _no_step(activity: Activity, why: str) -> SifprovError:
    return SifprovError(
        f"run {printable(activity.key[:8])} {why}: no step of a workflow says that",
        hint="'sifprov rerun --from-origin --engine snakemake' replays it",
    )


def _plain(name: str) -> str:
    return re.sub(r"[^\w+.-]", "_", os.path.splitext(name)[0]).lstrip(".-")[:60] or "output"


def _title(name: str) -> str:
    return name if "/" not in name and not name.startswith(".") else _plain(name)


def _free(name: str, taken: set[str]) -> str:
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    taken.add(found)
    return found
