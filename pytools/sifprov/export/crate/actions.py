"""Runs and makings as actions: what they used and made, by which program, and how they ended."""

from __future__ import annotations

from sifprov.export import attributes
from sifprov.export.attributes import MAX_LABEL
from sifprov.export.crate.accounts import Records, recorder, surroundings, user, words
from sifprov.export.crate.containers import Containers
from sifprov.export.crate.things import Properties, Ref, Things, moment, ours
from sifprov.export.facts import Facts
from sifprov.export.vocabulary import NAMESPACE, by_value, named, text
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json, text_to_json
from sifprov.model.foreign import Foreign
from sifprov.model.graph import APPLICATION, Activity, Graph, Usage
from sifprov.model.record import EXITED, NOT_STARTED, SIGNALED, Origin, Record, Run
from sifprov.terminal import command

COMPLETED = "http://schema.org/CompletedActionStatus"
FAILED = "http://schema.org/FailedActionStatus"
_QUDT = "https://qudt.org/vocab/unit/"
# What a description shows of a command; whole it stands in `sifprov:argv`.
_MAX_TEXT = 4000


@dataclass(frozen=True)
class Action:
    """A run or making in the crate: what refers to it, to its program, to what it used (without
    the program) and made, and to who did it."""

    ref: Ref
    tool: Ref
    used: tuple[Ref, ...]
    made: tuple[Ref, ...]
    agent: Ref | None
    failed: bool


class Actions:
    """States the activities of a graph, oldest first."""

    def __init__(
        self, things: Things, graph: Graph, containers: Containers, records: Records
    ) -> None:
        self._things = things
        self._graph = graph
        self._containers = containers
        self._records = records

    def add(self, activity: Activity) -> Action:
        """Adds an activity, with all that belongs to it."""
        used = [self._entity(u) for u in activity.used if not self._is_program(u)]
        made = [self._entity(u) for u in activity.generated]
        if activity.record and activity.record.run:
            action = self._run(activity, activity.record, activity.record.run, used, made)
        elif activity.record:
            action = self._making(activity, activity.record, used, made)
        elif activity.foreign:
            action = self._foreign(activity, activity.foreign, used, made)
        else:
            raise ValueError("an activity without a record")
        self._records.add_all(activity, action.ref)
        self._things.of_root("mentions", [action.ref])
        return action

    # -- the three kinds

    def _run(
        self, activity: Activity, record: Record, run: Run, used: list[Ref], made: list[Ref]
    ) -> Action:
        things, facts = self._things, Facts(run.facts)
        around = surroundings(things, run, facts)
        tool, images = self._program(activity, facts)
        agent = user(things, facts)
        error = _error(run)
        runtime = around["runtime"]
        instrument = tool or (runtime if isinstance(runtime, dict) else {})
        ref = things.add(
            named("run", activity.key),
            "CreateAction",
            command(run.typed)[:MAX_LABEL] or text(run.action),
            {
                "description": command(run.argv or run.command)[:_MAX_TEXT],
                "instrument": instrument,
                "containerImage": images,
                "object": used,
                "result": made,
                "startTime": moment(run.started),
                "endTime": moment(run.ended),
                "agent": agent,
                "actionStatus": FAILED if error else COMPLETED,
                "error": error,
                "environment": self._variables(run),
                "resourceUsage": self._resources(activity.key, facts),
                "additionalProperty": words(things, activity),
                **ours(
                    {
                        **attributes.execution(record, run, facts),
                        **attributes.start_command(run),
                        **facts.attributes("isolation"),
                        **facts.attributes("log"),
                        **facts.attributes("telemetry"),
                        **facts.attributes("workflow"),
                        **facts.mounts(),
                        **around,
                        "binding": self._bindings(activity),
                        "replayed": self._records.of(record.replays) if record.replays else None,
                    }
                ),
            },
        )
        return Action(ref, instrument, tuple(used), tuple(made), agent, error is not None)

    def _making(
        self, activity: Activity, record: Record, used: list[Ref], made: list[Ref]
    ) -> Action:
        tool, origin = recorder(self._things, record), record.origin
        if origin and not activity.used:
            used = [self._folder(activity, origin)]
        ref = self._things.add(
            named("making", activity.key),
            "CreateAction",
            text(f"made from {origin.source}")[:MAX_LABEL] if origin else "made",
            {
                "description": text(f"a data container was made from {origin.source}")[:_MAX_TEXT]
                if origin
                else None,
                "instrument": tool,
                "object": used,
                "result": made,
                "endTime": moment(record.recorded),
                "actionStatus": COMPLETED,
                "additionalProperty": words(self._things, activity),
                **ours({"id": str(record.id), "binding": self._bindings(activity)}),
            },
        )
        return Action(ref, tool, tuple(used), tuple(made), None, failed=False)

    def _foreign(self, activity: Activity, it: Foreign, used: list[Ref], made: list[Ref]) -> Action:
        tool, images = self._program(activity, Facts(()))
        instrument = tool or self._things.add(
            "program-unknown", "SoftwareApplication", "a program that no record names", {}
        )
        line = text(it.command)
        ref = self._things.add(
            named("run" if it.is_run else "making", activity.key),
            "CreateAction",
            line[:MAX_LABEL] or "run",
            {
                "description": line[:_MAX_TEXT],
                "instrument": instrument,
                "containerImage": images,
                "object": used,
                "result": made,
                **ours(
                    {
                        **attributes.foreign(it),
                        "command_text": line if it.is_run else None,
                        "problem": map(text, it.problems),
                    }
                ),
            },
        )
        return Action(ref, instrument, tuple(used), tuple(made), None, failed=False)

    # -- what belongs to them

    def _program(self, activity: Activity, facts: Facts) -> tuple[Ref | None, list[Ref]]:
        """The program that ran, None where no container is named as such, and its images."""
        tool, images = None, []
        for usage in filter(self._is_program, activity.used):
            entity = self._graph.entities[usage.entity]
            image = self._containers.of(entity)
            images.append(image)
            tool = tool or self._containers.application(entity, usage.container, facts)
            self._containers.said(image, facts)
        return tool, images

    def _folder(self, activity: Activity, origin: Origin) -> Ref:
        path = text(origin.source)
        value: Json = {"digest": origin.digest, "path": path, "making": activity.key}
        return self._things.add_data(
            by_value("source", value) + "/",
            "Dataset",
            path or "a folder",
            {
                "additionalType": {"@id": NAMESPACE + "SourceFolder"},
                **ours({"path": path, "digest": origin.digest}),
            },
        )

    def _bindings(self, activity: Activity) -> list[Ref]:
        """How each container took part."""
        refs = []
        for kind, usages in (("use", activity.used), ("generation", activity.generated)):
            for place, usage in enumerate(usages):
                entity, it = self._graph.entities[usage.entity], usage.container
                told: Properties = {
                    "container": self._containers.of(entity),
                    **attributes.bound(it, entity),
                }
                name = f"{named(kind, activity.key)}-{place + 1}"
                label = text(it.mount or it.name) or it.role
                refs.append(
                    self._things.add(name, "Role", label, {"roleName": it.role, **ours(told)})
                )
        return refs

    def _variables(self, run: Run) -> list[Ref]:
        return [
            self._things.add(
                by_value("variable", {"name": name, "value": text_to_json(value)}),
                "PropertyValue",
                text(name),
                {"value": text(value)},
            )
            for name, value in run.environment
        ]

    def _resources(self, key: str, facts: Facts) -> list[Ref]:
        """What a run took, a value each. Numbers alone have a unit."""
        refs = []
        for field, value in facts.fields("resources").items():
            if isinstance(value, bool) or not isinstance(value, int):
                continue
            unit = "MicroSEC" if field.endswith("_us") else "BYTE" if "bytes" in field else None
            refs.append(
                self._things.add(
                    f"{named('resource', key)}-{field}",
                    "PropertyValue",
                    field,
                    {
                        "propertyID": f"{NAMESPACE}resources_{field}",
                        "unitCode": _QUDT + unit if unit else None,
                        "value": str(value),
                    },
                )
            )
        return refs

    def _entity(self, usage: Usage) -> Ref:
        return self._containers.of(self._graph.entities[usage.entity])

    def _is_program(self, usage: Usage) -> bool:
        return usage.container.role == APPLICATION


def _error(run: Run) -> str | None:
    """Why a run counts as failed; None for one that ended well."""
    if run.outcome == EXITED:
        return None if run.exit_code == 0 else f"exit code {run.exit_code}"
    if run.outcome == SIGNALED:
        return f"ended by signal {run.signal}"
    if run.outcome == NOT_STARTED:
        return "the command was not started"
    # Who finds no status takes a run for one that ended well.
    return "how it ended is not known"
