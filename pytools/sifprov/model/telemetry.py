"""What a run used over time: what a record's telemetry object holds. See docs/formats.md.

Canonical JSON around a zlib stream, so that standard tools can open it:

    {"columns": [{"kind": "counter", "name": "time_us", "step": 1000, "unit": "us"}, …],
     "data": "…",                base64 of the zlib stream of [[…], …], a list of integers a column:
                                 the first value and then each less the one before, all by `step`
     "interval_us": 1000000,     how far apart samples were meant to be, at the end
     "network": "host",          whose `network_…` is: "own", or of the whole machine; or null
     "samples": 12,
     "schema": "sifprov.telemetry/1",
     "source": "/proc"}
"""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from sifprov.errors import RecordError
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json, dumps, loads
from sifprov.model.reader import Reader

SCHEMA = "sifprov.telemetry/1"
# A counter tells all up to a sample, a gauge the most that was seen since the one before.
COUNTER, GAUGE = "counter", "gauge"
TIME = "time_us"
# Every column there can be, in the order in which they stand: its kind and its unit.
COLUMNS: Mapping[str, tuple[str, str]] = {
    TIME: (COUNTER, "us"),
    "user_us": (COUNTER, "us"),
    "system_us": (COUNTER, "us"),
    "memory_bytes": (GAUGE, "byte"),
    "processes": (GAUGE, "1"),
    "read_bytes": (COUNTER, "byte"),
    "write_bytes": (COUNTER, "byte"),
    "storage_read_bytes": (COUNTER, "byte"),
    "storage_write_bytes": (COUNTER, "byte"),
    "network_received_bytes": (COUNTER, "byte"),
    "network_sent_bytes": (COUNTER, "byte"),
}
OWN, HOST = "own", "host"
# What is read; far less is written (telemetry/series.py).
MAX_SAMPLES = 4096
MAX_OBJECT = 2 * 1024 * 1024
_MAX = 2**53
# A list's brackets; a number, its sign and its comma.
_PER_COLUMN, _PER_NUMBER = 3, 18

Column = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class Telemetry:
    """Samples of one run. `columns` are names and values, one a sample, in the order of COLUMNS;
    the first is the time since the run's start. Counters begin with the container."""

    interval_us: int
    source: str
    network: str | None
    columns: tuple[Column, ...]

    @property
    def samples(self) -> int:
        """How many there are."""
        return len(self.columns[0][1])

    def column(self, name: str) -> tuple[int, ...] | None:
        """Returns the values of a column, None where there is none."""
        return next((values for known, values in self.columns if known == name), None)

    def rate(self, *names: str) -> list[float] | None:
        """Returns what counters together grew by in a second, up to each sample; None where one of
        them is not there."""
        found = [self.column(name) for name in names]
        if None in found:
            return None
        total = [sum(row) for row in zip(*(v for v in found if v is not None), strict=True)]
        times = self.columns[0][1]
        return [
            (value - before) * 1e6 / (time - earlier) if time > earlier else 0.0
            for value, before, time, earlier in zip(
                total, [0, *total], times, [0, *times], strict=False
            )
        ]

    def peaks(self) -> dict[str, Json]:
        """Returns the most that was used at once: `peak_cpu_percent` of one core, between samples
        that are not too close to tell, and each gauge."""
        found: dict[str, Json] = {}
        if self.column("user_us") and self.column("system_us"):
            # Ticks of 10 ms say little about an interval as short.
            by = merged(self.columns, _group(self.columns[0][1], self.interval_us // 2))
            rate = Telemetry(self.interval_us, "", None, by).rate("user_us", "system_us") or [0.0]
            found["peak_cpu_percent"] = round(max(rate) / 10_000)
        for name, values in self.columns:
            if COLUMNS[name][0] == GAUGE:
                found[f"peak_{name}"] = max(values)
        return found

    def to_bytes(self) -> bytes:
        """Returns the bytes that are stored."""
        heads: list[Json] = []
        lists: list[Json] = []
        for name, values in self.columns:
            kind, unit = COLUMNS[name]
            deltas = [now - before for now, before in zip(values, (0, *values), strict=False)]
            step = math.gcd(*deltas) or 1
            heads.append({"kind": kind, "name": name, "step": step, "unit": unit})
            lists.append([delta // step for delta in deltas])
        return dumps(
            {
                "columns": heads,
                "data": base64.b64encode(zlib.compress(dumps(lists), 9)).decode("ascii"),
                "interval_us": self.interval_us,
                "network": self.network,
                "samples": self.samples,
                "schema": SCHEMA,
                "source": self.source,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Telemetry:
        """Reads stored bytes. Raises RecordError before anything large is unpacked."""
        if len(data) > MAX_OBJECT:
            raise RecordError("", f"more than {MAX_OBJECT} bytes")
        r = Reader(loads(data), "")
        r.word("schema", SCHEMA)
        samples = r.integer("samples", 1, MAX_SAMPLES)
        heads = r.items("columns", _head)
        names = [name for name, _ in heads]
        if names[:1] != [TIME] or names != [name for name in COLUMNS if name in names]:
            raise RecordError("columns", f"not {TIME} and others in their order, each once")
        lists = _unpacked(r.word("data"), len(heads), samples)
        found = cls(
            interval_us=r.integer("interval_us", 1, _MAX),
            source=r.word("source"),
            network=r.optional("network", lambda n: r.word(n, OWN, HOST)),
            columns=tuple(
                (name, _values(name, step, deltas))
                for (name, step), deltas in zip(heads, lists, strict=True)
            ),
        )
        r.end()
        return found


def _head(value: Json, path: str) -> tuple[str, int]:
    r = Reader(value, path)
    name = r.word("name", *COLUMNS)
    kind, unit = COLUMNS[name]
    r.word("kind", kind)
    r.word("unit", unit)
    step = r.integer("step", 1, _MAX)
    r.end()
    return name, step


def _unpacked(text: str, columns: int, samples: int) -> list[list[int]]:
    most = columns * (_PER_COLUMN + samples * _PER_NUMBER) + 2
    stream = zlib.decompressobj()
    try:
        raw = stream.decompress(base64.b64decode(text, validate=True), most + 1)
    except (zlib.error, binascii.Error, ValueError) as error:
        raise RecordError("data", f"not base64 of a zlib stream: {error}") from error
    if len(raw) > most or not stream.eof or stream.unused_data:
        raise RecordError("data", f"does not hold {samples} samples")
    lists = loads(raw)
    if not isinstance(lists, list) or len(lists) != columns:
        raise RecordError("data", f"not {columns} lists")
    for deltas in lists:
        if not isinstance(deltas, list) or len(deltas) != samples:
            raise RecordError("data", f"not lists of {samples} integers")
        if not all(type(d) is int for d in deltas):  # no `true`
            raise RecordError("data", "not lists of integers")
    return lists  # type: ignore[return-value]


def _values(name: str, step: int, deltas: Sequence[int]) -> tuple[int, ...]:
    values = tuple(value * step for value in accumulate(deltas))
    if not all(0 <= value <= _MAX for value in values):
        raise RecordError(f"data.{name}", f"not within 0 and {_MAX}")
    if COLUMNS[name][0] == COUNTER and any(delta < 0 for delta in deltas):
        raise RecordError(f"data.{name}", "a counter that goes back")
    return values


def merged(columns: Iterable[Column], ends: Sequence[int]) -> tuple[Column, ...]:
    """Returns the columns with neighbours made one: of a counter the last, of a gauge the most.
    `ends` are the places of the samples that each group ends with."""
    starts = [0, *(end + 1 for end in ends[:-1])]
    return tuple(
        (
            name,
            tuple(values[end] for end in ends)
            if COLUMNS[name][0] == COUNTER
            else tuple(max(values[s : e + 1]) for s, e in zip(starts, ends, strict=True)),
        )
        for name, values in columns
    )


def thinned(found: Telemetry, most: int) -> Telemetry:
    """Returns it with at most so many samples: neighbours made one."""
    size = -(-found.samples // most)
    ends = [min(end, found.samples) - 1 for end in range(size, found.samples + size, size)]
    return Telemetry(
        found.interval_us * size, found.source, found.network, merged(found.columns, ends)
    )


def _group(times: Sequence[int], least: int) -> list[int]:
    """The ends of groups of samples, each at least so long; the last takes in what is shorter."""
    ends: list[int] = []
    began = 0
    for place, time in enumerate(times):
        if time - began >= least:
            ends.append(place)
            began = time
    last = len(times) - 1
    return [*ends[:-1], last] if ends else [last]
