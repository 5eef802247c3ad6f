"""What a run used over time, as a table, as CSV, as JSON, and as what the page draws."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sifprov.model.canonical import Json
from sifprov.model.graph import Graph
from sifprov.model.record import Record, Run
from sifprov.model.telemetry import HOST, TIME, Telemetry, thinned
from sifprov.terminal import printable, size

SCHEMA = "sifprov.measured/1"
# Points of one line in the page: more cannot be told apart. The more runs there are, the fewer.
_MOST_POINTS, _FEWEST_POINTS, _ALL_POINTS, _MOST_RUNS = 150, 20, 20_000, 1000
_MINUTE = 60


class Line(NamedTuple):
    """One line of a chart: its name, and its value at each sample."""

    name: str
    values: list[float]


class Chart(NamedTuple):
    """A chart with an axis of its own; `unit` is `cores`, `B`, `B/s` or empty."""

    title: str
    unit: str
    lines: tuple[Line, ...]


# Lines are the growth of counters; where there is no line there is no chart.
_RATES = (
    ("Read and written", (("read", "read_bytes"), ("written", "write_bytes"))),
    ("Disk", (("read", "storage_read_bytes"), ("written", "storage_write_bytes"))),
    ("Network", (("received", "network_received_bytes"), ("sent", "network_sent_bytes"))),
)


def charts(found: Telemetry) -> Iterator[Chart]:
    """Yields what can be drawn of it."""
    cpu = (("all", ("user_us", "system_us")), ("of it system", ("system_us",)))
    rates = [Line(name, [v / 1e6 for v in r]) for name, of in cpu if (r := found.rate(*of))]
    if rates:
        yield Chart("Processor", "cores", tuple(rates))
    for title, column, unit in (("Memory", "memory_bytes", "B"), ("Processes", "processes", "")):
        if values := found.column(column):
            yield Chart(title, unit, (Line(title.lower(), [float(v) for v in values]),))
    for title, named in _RATES:
        lines = tuple(Line(name, r) for name, column in named if (r := found.rate(column)))
        if lines:
            more = " of the whole machine" if title == "Network" and found.network == HOST else ""
            yield Chart(title + more, "B/s", lines)


def drawn_usage(graph: Graph, measured: Mapping[str, Telemetry]) -> dict[str, object]:
    """Returns what the page draws of each run that was measured, by its key; of very many, the
    newest. `measured` is by the digest that the records name."""
    named = {
        key: digest
        for key, activity in reversed(list(graph.activities.items()))
        if activity.run and (digest := _digest(activity.run)) in measured
    }
    keys = list(named)[:_MOST_RUNS]
    most = min(max(_ALL_POINTS // max(len(keys), 1), _FEWEST_POINTS), _MOST_POINTS)
    return {key: for_page(measured[named[key]], most) for key in keys}


def _digest(run: Run) -> str:
    value = next((f.value for f in run.facts if f.name == "telemetry"), None)
    found = value.get("digest") if isinstance(value, Mapping) else None
    return found if isinstance(found, str) else ""


def for_page(found: Telemetry, most: int = _MOST_POINTS) -> object:
    """Returns the charts as the page gets them, with `most` points: how many samples there are,
    the times in seconds, and for each chart its title, its unit and its lines, with a few
    significant digits."""
    few = thinned(found, most)
    times = few.column(TIME) or ()
    return {
        "samples": found.samples,
        "times": [round(t / 1e6, 3) for t in times],
        "charts": [
            [title, unit, [[name, [float(f"{v:.4g}") for v in values]] for name, values in lines]]
            for title, unit, lines in charts(few)
        ],
    }


def to_json(record: Record, found: Telemetry) -> str:
    """Returns it as JSON, with the values as they are."""
    document: Mapping[str, Json] = {
        "schema": SCHEMA,
        "columns": {name: list(values) for name, values in found.columns},
        "interval_us": found.interval_us,
        "network": found.network,
        "record": str(record.id),
        "samples": found.samples,
        "source": found.source,
    }
    return json.dumps(document, indent=None, sort_keys=True)


def to_csv(found: Telemetry) -> str:
    """Returns it as CSV, a row a sample, with the values as they are."""
    rows = [",".join(name for name, _ in found.columns)]
    values = (values for _, values in found.columns)
    rows += [",".join(map(str, row)) for row in zip(*values, strict=True)]
    return "\n".join(rows)


def table(record: Record, found: Telemetry) -> Iterator[str]:
    """Yields the lines of a table for people: how much was used at a time, a row a sample."""
    when = f"record {str(record.id)[:8]}, by {printable(found.source)}"
    yield f"{found.samples} samples of {when}"
    if found.network == HOST:
        yield "the network is that of the whole machine"
    drawn = list(charts(found))
    heads, cells = ["time"], [[_seconds(t) for t in found.column(TIME) or ()]]
    for chart in drawn:
        for line in chart.lines:
            heads.append(_head(chart, line))
            cells.append([in_words(value, chart.unit) for value in line.values])
    widths = [max(map(len, (head, *column))) for head, column in zip(heads, cells, strict=True)]
    for row in (heads, *zip(*cells, strict=True)):
        yield "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))


def _head(chart: Chart, line: Line) -> str:
    title = chart.title.partition(" of ")[0].lower()
    if title == "read and written":
        return line.name
    return title if len(chart.lines) == 1 else f"{title} {line.name}"


def in_words(value: float, unit: str) -> str:
    """Returns a value with its unit."""
    if unit == "cores":
        return f"{value:.2f}"
    if unit.startswith("B"):
        return size(round(value)) + unit[1:]
    return f"{value:.0f}"


def _seconds(time_us: int) -> str:
    seconds = time_us / 1e6
    if seconds < 10 * _MINUTE:
        return f"{seconds:.2f} s"
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
