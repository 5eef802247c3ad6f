"""Of which workflow a run was a part: what the environment says, and what a record's fact says."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sifprov.errors import RecordError
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json

NAME, ID = "SIFPROV_WORKFLOW", "SIFPROV_WORKFLOW_ID"
ACTIVITY, COMPOSITION = "SIFPROV_ACTIVITY", "SIFPROV_COMPOSITION"
COARSE, HYBRID, FINE = "coarse", "hybrid", "fine"
COMPOSITIONS = (COARSE, HYBRID, FINE)
MAX_NAME = 256
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True)
class WorkflowPart:
    """A run as part of a workflow: its name, `id` of this execution of it (a UUID's text), the
    name of the activity that the run carries out, and the composition as it was declared."""

    name: str
    id: str | None = None
    activity: str | None = None
    composition: str | None = None

    def to_json(self) -> Json:
        """Returns the value of the fact `workflow`; what is not known is not there."""
        fields: dict[str, Json] = {
            "activity": self.activity,
            "composition": self.composition,
            "id": self.id,
            "name": self.name,
        }
        return {name: value for name, value in fields.items() if value is not None}

    @classmethod
    def from_json(cls, value: Json) -> WorkflowPart | None:
        """Reads the value of a fact, which a container may have made up: a field that has not its
        form counts as absent. None where there is no name."""
        fields = value if isinstance(value, Mapping) else {}
        name = fields.get("name")
        if not isinstance(name, str) or _no_name(name):
            return None
        activity = fields.get("activity")
        composition = fields.get("composition")
        return cls(
            name,
            _uuid(fields.get("id")),
            activity if isinstance(activity, str) and not _no_name(activity) else None,
            composition if composition in COMPOSITIONS else None,
        )


def part_from_environment(
    variables: Mapping[str, str],
) -> tuple[WorkflowPart | None, tuple[str, ...]]:
    """Returns what the four variables say, None without a name, and one line about each that could
    not be used: a typing error there must not cost a run."""
    name = variables.get(NAME, "")
    if not name:
        return None, ()
    if why := _no_name(name):
        return None, (f"${NAME}: {why}: the record names no workflow",)
    problems: list[str] = []
    activity = variables.get(ACTIVITY) or None
    if activity and (why := _no_name(activity)):
        problems.append(f"${ACTIVITY}: {why}: left out")
        activity = None
    given, composition = variables.get(ID) or None, variables.get(COMPOSITION) or None
    if given and _uuid(given) is None:
        problems.append(f"${ID}: not a UUID: left out")
    if composition and composition not in COMPOSITIONS:
        problems.append(f"${COMPOSITION}: not one of {', '.join(COMPOSITIONS)}: left out")
        composition = None
    return WorkflowPart(name, _uuid(given), activity, composition), tuple(problems)


def checked_name(name: str, path: str) -> str:
    """Returns a name that a workflow or an activity can have. Raises RecordError."""
    if why := _no_name(name):
        raise RecordError(path, why)
    return name


def _no_name(name: str) -> str | None:
    """Why this is no name, None where it is one."""
    if not name.strip():
        return "empty"
    if len(name) > MAX_NAME:
        return f"longer than {MAX_NAME} characters"
    # Bytes that are no UTF-8 are not printable either.
    return None if name.isprintable() else "not printable characters alone"


def _uuid(value: Json) -> str | None:
    if not isinstance(value, str):
        return None
    lower = value.lower()
    return lower if _UUID.fullmatch(lower) else None
