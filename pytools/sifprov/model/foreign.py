"""A record that another program wrote: the prototype of P. Olaya's thesis (2020).

    {"UUID": "b6b6116f-…", "Name": "predictions", "CreationTime": "2022-05-15T13:18:30-04:00",
     "ExecutionCommand": "python3 /train.py     python3 /predict.py",
     "RecordTrail": {"InputContainers": [{"Name": "train", "UUID": "1ad1aafc-…"}],
                     "ApplicationContainer": {"Name": "knn", "UUID": "89e04078-…"},
                     "OutputContainer": {"Name": "predictions", "UUID": "b6b6116f-…"}}}

`CreationTime` is when the container was made, not when the run was. The command is the
application's runscript in one line. A container that no run made has the command `no operation`,
and null for `RecordTrail`, or in it for `InputContainers` and `ApplicationContainer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sifprov.errors import RecordError
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json
from sifprov.model.timestamp import to_utc

NO_OPERATION = "no operation"
MAX_INPUTS = 10_000
MAX_NAME = 4096
MAX_COMMAND = 64 * 1024
# What tells such a document from others of the same name.
_FIELDS = ("ExecutionCommand", "RecordTrail", "UUID")


@dataclass(frozen=True)
class Named:
    """A container as the prototype names it: by `name`, its file's without `.sif`, and UUID (None
    where that is none)."""

    name: str
    uuid: UUID | None


@dataclass(frozen=True)
class Foreign:
    """One document of the prototype.

    `created` is the container's time of making as a record of ours holds times (UTC), None where
    that is no time. `command` is a text: where one argument ends and the next begins is not known.
    `problems` tell what in the document is not as it should be.
    """

    name: str
    uuid: UUID | None
    created: str | None
    command: str
    application: Named | None
    inputs: tuple[Named, ...]
    output: Named | None
    problems: tuple[str, ...] = ()

    @property
    def is_run(self) -> bool:
        """Whether a run made the container; else it was filled from files that are not named."""
        return bool(self.application or self.inputs or self.command != NO_OPERATION)

    @property
    def lacks(self) -> str:
        """What a record of ours would tell, and this one does not."""
        if not self.is_run:
            return "does not tell: where the files came from, and their digest"
        return (
            "does not tell: when the run began and ended, its exit status, the arguments one by"
            " one, mount points, content digests"
        )

    @classmethod
    def from_json(cls, value: Json) -> Foreign:
        """Reads what is there; what has not its form counts as missing, and is told. Raises
        RecordError for what is no such document."""
        if not isinstance(value, Mapping) or any(field not in value for field in _FIELDS):
            raise RecordError("", "not a document of the prototype")
        problems: list[str] = []
        trail = value["RecordTrail"]
        if trail is not None and not isinstance(trail, Mapping):
            problems.append("RecordTrail: not an object")
        trail = trail if isinstance(trail, Mapping) else {}
        inputs = trail.get("InputContainers") or []
        if not isinstance(inputs, list):
            problems.append("InputContainers: not a list")
            inputs = []
        if len(inputs) > MAX_INPUTS:
            problems.append(f"InputContainers: more than {MAX_INPUTS}: the rest was left out")
        return cls(
            _text(value, "Name", MAX_NAME, problems),
            _uuid(value, "UUID", problems),
            _time(value.get("CreationTime"), problems),
            _text(value, "ExecutionCommand", MAX_COMMAND, problems),
            _named(trail.get("ApplicationContainer"), "ApplicationContainer", problems),
            tuple(
                found
                for number, each in enumerate(inputs[:MAX_INPUTS])
                if (found := _named(each, f"InputContainers[{number}]", problems))
            ),
            _named(trail.get("OutputContainer"), "OutputContainer", problems),
            tuple(problems),
        )


def _named(value: Json, path: str, problems: list[str]) -> Named | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        problems.append(f"{path}: not an object")
        return None
    own: list[str] = []
    found = Named(_text(value, "Name", MAX_NAME, own), _uuid(value, "UUID", own))
    problems.extend(f"{path}.{problem}" for problem in own)
    return found if found.name or found.uuid else None


def _text(value: Mapping[str, Json], field: str, limit: int, problems: list[str]) -> str:
    text = value.get(field)
    if not isinstance(text, str):
        problems.append(f"{field}: not a text")
        return ""
    if len(text) > limit:
        problems.append(f"{field}: longer than {limit} characters: cut")
    return text[:limit]


def _uuid(value: Mapping[str, Json], field: str, problems: list[str]) -> UUID | None:
    text = value.get(field)
    try:
        found = UUID(text) if isinstance(text, str) and len(text) == 36 else None
    except ValueError:
        found = None
    if not found or not found.int:
        problems.append(f"{field}: not a UUID")
        return None
    return found


def _time(value: Json, problems: list[str]) -> str | None:
    found = to_utc(value) if isinstance(value, str) else None
    if found is None:
        problems.append("CreationTime: not a time")
    return found
