"""The facts of a run. They come from a container, so each is judged by the form that it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sifprov.export.vocabulary import Plain, is_field, json_text, text
from sifprov.model.canonical import Json
from sifprov.model.fact import Fact

# Fields with a name that other programs use, too; any other is named FACT_FIELD.
_NAMES = {
    ("batch", "job"): "job_id",
    ("batch", "system"): "scheduler",
    ("resources", "wall_us"): "elapsed_us",
}
# What these hold stands elsewhere than with the run.
ELSEWHERE = frozenset(
    {"application", "binds", "isolation", "log", "platform", "started", "telemetry", "user"}
)


class Facts:
    """The facts of one run by name."""

    def __init__(self, facts: tuple[Fact, ...]) -> None:
        self._facts = {fact.name: fact for fact in facts}

    def value(self, name: str) -> Json:
        """Returns what is known under `name`, None for nothing."""
        return self._facts[name].value if name in self._facts else None

    def fields(self, name: str) -> Mapping[str, Json]:
        """Returns the fields of a fact; nothing where it has not the form of an object with fields
        that can be named."""
        value = self.value(name)
        if isinstance(value, Mapping) and all(map(is_field, value)):
            return value
        return {}

    def word(self, name: str, field: str) -> str | None:
        """Returns a field that is a text."""
        value = self.fields(name).get(field)
        return value if isinstance(value, str) else None

    def attributes(self, name: str, *left_out: str) -> dict[str, Plain]:
        """Returns the fields of a fact as attributes."""
        return {
            _NAMES.get((name, field), f"{name}_{field}"): plain(value)
            for field, value in self.fields(name).items()
            if field not in left_out
        }

    def mounts(self) -> dict[str, Plain]:
        """Returns what was mounted in the container, as an attribute."""
        binds = self.value("binds")
        return {"binds": json_text(binds) if isinstance(binds, list) else None}

    def rest(self) -> Iterator[tuple[str, Plain]]:
        """Yields, as attributes, the facts that stand nowhere else."""
        for name, fact in self._facts.items():
            known = isinstance(fact.value, bool) if name == "started" else self.fields(name)
            if name == "binds":
                known = isinstance(fact.value, list)
            if fact.value is not None and not (
                known and name in (*ELSEWHERE, "batch", "resources", "workflow")
            ):
                yield f"fact_{name}", json_text(fact.value)

    def origins(self) -> dict[str, Plain]:
        """Returns where facts were read, and why others are not known."""
        sources: dict[str, Json] = {n: f.source for n, f in self._facts.items() if f.source}
        reasons: dict[str, Json] = {n: f.reason for n, f in self._facts.items() if f.reason}
        return {
            "facts_source": json_text(sources) if sources else None,
            "facts_reason": json_text(reasons) if reasons else None,
        }


def plain(value: Json) -> Plain:
    """Returns a value of JSON as an attribute's: texts, numbers, true and false as such, the rest
    as JSON."""
    if value is None or isinstance(value, (bool, int)):
        return value
    return text(value) if isinstance(value, str) else json_text(value)
