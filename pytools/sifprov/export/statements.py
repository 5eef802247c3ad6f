"""A PROV document in the making: each thing once, every name ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import TypeAlias

from prov.constants import (
    PROV,
    PROV_ACTIVITY,
    PROV_AGENT,
    PROV_ENTITY,
    PROV_LABEL,
    PROV_ROLE,
    PROV_TYPE,
)
from prov.identifier import Namespace, QualifiedName
from prov.model import ProvDocument

from sifprov.export.vocabulary import NAMESPACE, PREFIX
from sifprov.model.timestamp import to_ns

Value: TypeAlias = "str | int | bool | float | QualifiedName | None"
Attributes: TypeAlias = "Mapping[str, Value | Iterable[Value]]"


class Statements:
    """Collects the statements of one document.

    Things and attributes are named by the local part of a name in our namespace, or with `prov:`
    by one of PROV's. Attributes that are None are left out; several values come as a list.
    """

    def __init__(self) -> None:
        self.document = ProvDocument()
        self._ours: Namespace = self.document.add_namespace(PREFIX, NAMESPACE)
        self._seen: set[str] = set()
        self._related: set[tuple[object, ...]] = set()

    def entity(
        self, name: str, types: str, label: str | None = None, attributes: Attributes | None = None
    ) -> str:
        """States an entity, once; returns its name. `types` have blanks between."""
        return self._thing(PROV_ENTITY, name, types, label, attributes)

    def agent(
        self, name: str, types: str, label: str | None = None, attributes: Attributes | None = None
    ) -> str:
        """States an agent, once; returns its name."""
        return self._thing(PROV_AGENT, name, types, label, attributes)

    def activity(
        self,
        name: str,
        types: str,
        label: str | None,
        start_ns: int | None,
        end_ns: int | None,
        attributes: Attributes,
    ) -> str:
        """States an activity, once; its times in nanoseconds since 1970. Returns its name."""
        times = {PROV["startTime"]: _time(start_ns), PROV["endTime"]: _time(end_ns)}
        return self._thing(PROV_ACTIVITY, name, types, label, attributes, times)

    def relation(
        self,
        kind: QualifiedName,
        formal: Mapping[QualifiedName, str | None],
        *,
        name: str | None = None,
        at_ns: int | None = None,
        role: str | None = None,
        types: str = "",
        attributes: Attributes | None = None,
    ) -> None:
        """States a relation. One that says more than who is related to whom wants a name: RDF knows
        nameless ones by numbers that differ from time to time. One without is stated once."""
        if name is None:
            key = (kind, *formal.values())
            if key in self._related:
                return
            self._related.add(key)
        pairs: list[tuple[QualifiedName, object]] = [
            (position, self._ours[value]) for position, value in formal.items() if value
        ]
        if at_ns is not None:
            pairs.append((PROV["time"], _time(at_ns)))
        if role:
            pairs.append((PROV_ROLE, self._ours[role]))
        pairs += self._types(types)
        pairs += self._pairs(attributes)
        self.document.new_record(kind, self._ours[name] if name else None, pairs)

    def name(self, local: str) -> QualifiedName:
        """Returns a name of ours, or with `prov:` one of PROV's."""
        return PROV[local[5:]] if local.startswith("prov:") else self._ours[local]

    def knows(self, name: str) -> bool:
        """Whether a thing was stated."""
        return name in self._seen

    def _thing(
        self,
        kind: QualifiedName,
        name: str,
        types: str,
        label: str | None,
        attributes: Attributes | None,
        formal: Mapping[QualifiedName, object] | None = None,
    ) -> str:
        if name not in self._seen:
            self._seen.add(name)
            pairs: list[tuple[QualifiedName, object]] = [
                (k, v) for k, v in (formal or {}).items() if v is not None
            ]
            pairs += self._types(types)
            if label is not None:
                pairs.append((PROV_LABEL, label))
            pairs += self._pairs(attributes)
            self.document.new_record(kind, self._ours[name], pairs)
        return name

    def _types(self, types: str) -> list[tuple[QualifiedName, object]]:
        return [(PROV_TYPE, self.name(word)) for word in types.split()]

    def _pairs(self, attributes: Attributes | None) -> list[tuple[QualifiedName, object]]:
        pairs: list[tuple[QualifiedName, object]] = []
        for name, value in (attributes or {}).items():
            if value is None:
                continue
            single = isinstance(value, (str, int, float, QualifiedName))
            values: Iterable[Value] = [value] if single else value  # type: ignore[list-item, assignment]
            pairs += [(self.name(name), each) for each in values if each is not None]
        return pairs


def nanoseconds(time: str | None) -> int | None:
    """Returns a record's time as a number that can be compared."""
    return None if time is None else to_ns(time)


def _time(at_ns: int | None) -> datetime | None:
    """A time as PROV's library holds it: to the microsecond, cut off, so that order is kept."""
    if at_ns is None:
        return None
    seconds, rest = divmod(at_ns, 1_000_000_000)
    return datetime.fromtimestamp(seconds, timezone.utc).replace(microsecond=rest // 1000)
