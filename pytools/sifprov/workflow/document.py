"""The file that describes a workflow (`sif_layouts/schemas/workflow.schema.json`). No I/O.

Whatever a file says is data: names are checked, paths and commands stay lists of texts, and no
shell ever sees them.
"""

from __future__ import annotations

from collections.abc import Iterator

from sifprov.frozen import dataclass
from sifprov.model.canonical import Json, text_to_json

SCHEMA = "sifprov.workflow/1"
EXEC, RUN = "exec", "run"
DEFAULT_MOUNT, DEFAULT_FREE = "/Outputs", "1G"


@dataclass(frozen=True)
class Input:
    """A data container that a step reads: a file, or the `output` of that name. `mount` is where it
    is bound; None for where it says."""

    file: str | None = None
    output: str | None = None
    mount: str | None = None

    def to_json(self) -> Json:
        """Returns the JSON object of this input."""
        return _present(file=_text(self.file), mount=_text(self.mount), output=self.output)


@dataclass(frozen=True)
class Output:
    """A data container that a step makes: `path` is its file, `mount` where it is bound, `free` how
    much the run can write (`64M`). `layout` names a layout that says what is not said here."""

    name: str
    path: str
    mount: str | None = None
    free: str | None = None
    layout: str | None = None

    def to_json(self) -> Json:
        """Returns the JSON object of this output."""
        return _present(
            free=self.free,
            layout=_text(self.layout),
            mount=_text(self.mount),
            name=self.name,
            path=_text(self.path),
        )


@dataclass(frozen=True)
class Step:
    """One run: `activity` names it. `action` is EXEC of `command`, or RUN, of the application's own
    runscript with the arguments `command`; `options` are further ones for it. `memory` (`2G`),
    `cpus` and `minutes` are what a scheduler is asked for."""

    activity: str
    application: str
    command: tuple[str, ...]
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    options: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    cpus: int = 1
    memory: str | None = None
    minutes: int | None = None
    action: str = EXEC

    @property
    def typed(self) -> tuple[str, ...]:
        """What runs, as a record of it tells it (`Run.typed`)."""
        return self.command if self.action == EXEC else (self.action, *self.command)

    def to_json(self) -> Json:
        """Returns the JSON object of this step."""
        return _present(
            action=self.action if self.action != EXEC else None,
            activity=self.activity,
            application=_text(self.application),
            command=[text_to_json(word) for word in self.command] or None,
            cpus=self.cpus if self.cpus != 1 else None,
            environment=_mapping(self.environment),
            inputs=[each.to_json() for each in self.inputs] or None,
            memory=self.memory,
            minutes=self.minutes,
            options=[text_to_json(word) for word in self.options] or None,
            outputs=[each.to_json() for each in self.outputs],
            tags=_mapping(self.tags),
        )


@dataclass(frozen=True)
class Workflow:
    """All steps, in the order of the file. `composition` is what the file declares."""

    name: str
    steps: tuple[Step, ...]
    composition: str | None = None

    def to_json(self) -> dict[str, Json]:
        """Returns the JSON document; what is as it is by default is not said."""
        found: dict[str, Json] = {
            "name": self.name,
            "schema": SCHEMA,
            "steps": [step.to_json() for step in self.steps],
        }
        return found | ({"composition": self.composition} if self.composition else {})


def _text(value: str | None) -> Json:
    return None if value is None else text_to_json(value)


def _mapping(items: tuple[tuple[str, str], ...]) -> Json:
    return {name: text_to_json(value) for name, value in items} or None


def _present(**fields: Json) -> Json:
    return dict(_those(fields))


def _those(fields: dict[str, Json]) -> Iterator[tuple[str, Json]]:
    return ((name, value) for name, value in fields.items() if value is not None)
