"""A record trail: as a graph, as text, as a picture, as a table."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sifprov.errors import MissingError

if TYPE_CHECKING:
    import pandas

    from sifprov.model.graph import Activity, Graph
    from sifprov.trail import Trail as TrailData

PathLike = str | os.PathLike[str]


class Trail:
    """What made a container; see `sifprov.api.Container.trail`. `data` is what was read of it."""

    def __init__(self, data: TrailData) -> None:
        self.data = data

    def __repr__(self) -> str:
        runs = len(self.graph.activities)
        return f"<trail of {self.data.start.identity.path!r}: {runs} runs and makings>"

    def __str__(self) -> str:
        return self.export("tree").rstrip("\n")

    @cached_property
    def graph(self) -> Graph:
        """Containers as they stood (entities), and the runs and makings between them
        (activities)."""
        from sifprov.lineage import build

        return build(self.data)

    def export(self, format: str) -> str:  # noqa: A002
        """Returns the trail in a format of `sifprov trail --format`: `tree`, `json`, `dot`,
        `mermaid`, `svg`, `svg-graphviz`, `html`, `prov-n`, `prov-json`, `prov-xml`, `prov-ttl`.
        Raises
        MissingError where a library or program that it needs is not installed."""
        from sifprov.errors import SifprovError
        from sifprov.trailformats import FORMATS, Style

        if format not in FORMATS:
            raise SifprovError(
                f"there is no format {format!r}", hint=f"choose from {', '.join(sorted(FORMATS))}"
            )
        return FORMATS[format](self.data, Style())

    def save(self, path: PathLike, format: str | None = None) -> None:  # noqa: A002
        """Writes the trail into a file, in the format that its name says. Raises FileError."""
        from sifprov.trailformats import format_of, write

        name = os.fspath(path)
        write(name, self.export(format_of(format, name)))

    def _repr_html_(self) -> str:
        return f'<div style="overflow-x: auto">{self.export("svg")}</div>'

    def rows(self) -> list[dict[str, Any]]:
        """Returns a dictionary for each run and making, oldest first; see `table`."""
        return [_row(self.graph, activity) for activity in self.graph.activities.values()]

    def table(self) -> pandas.DataFrame:
        """Returns the runs and makings as a table, oldest first.

        Columns: `record` (id), `kind`, `started` and `ended` (UTC), `seconds`, `outcome`,
        `exit_code`, `command`, `application`, `inputs`, `outputs` (names), `user`, and one for each
        `tag:NAME` and `metric:NAME`. Raises MissingError where pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingError(
                "pandas is not installed", hint="pip install pandas, or use rows()"
            ) from error
        frame = pandas.DataFrame(self.rows())
        for name in ("started", "ended"):
            if name in frame:
                frame[name] = pandas.to_datetime(frame[name], utc=True, format="ISO8601")
        return frame


def _row(graph: Graph, activity: Activity) -> dict[str, Any]:
    from sifprov.model.record import APPLICATION
    from sifprov.model.timestamp import to_ns

    run = activity.run
    used = [graph.entities[usage.entity].name for usage in activity.used]
    roles = [usage.container.role for usage in activity.used]
    row: dict[str, Any] = {
        "record": activity.key,
        "kind": activity.kind,
        "started": run.started if run else None,
        "ended": run.ended if run else None,
        "seconds": (to_ns(run.ended) - to_ns(run.started)) / 1e9 if run and run.ended else None,
        "outcome": run.outcome if run else None,
        "exit_code": run.exit_code if run else None,
        "command": shlex.join(run.typed) if run else None,
        "application": next(
            (name for name, role in zip(used, roles, strict=True) if role == APPLICATION), None
        ),
        "inputs": [name for name, role in zip(used, roles, strict=True) if role != APPLICATION],
        "outputs": [graph.entities[usage.entity].name for usage in activity.generated],
        "user": _user(activity),
    }
    row.update(_words(activity))
    return row


def _user(activity: Activity) -> str | None:
    facts = activity.run.facts if activity.run else ()
    value = next((fact.value for fact in facts if fact.name == "user"), None)
    name = value.get("name") if isinstance(value, dict) else None
    return name if isinstance(name, str) else None


def _words(activity: Activity) -> Iterator[tuple[str, str | float]]:
    records = ((activity.record,) if activity.record else ()) + activity.words
    for record in records:
        if record.annotation:
            for name, text in record.annotation.tags:
                yield f"tag:{name}", text
            for name, number in record.annotation.metrics:
                yield f"metric:{name}", float(number)
