"""What a run used: counted by the kernel for a process and the children that it has waited for.

`scope` says whose: `container`, the container's first process (the plugin reaps it); `runtime`, the
runtime with all that it started and waited for (the wrapper's child). Times are microseconds.
`read_bytes` and `write_bytes` went through system calls, pipes included; `storage_…` reached a
disk.
Source: getrusage(2), proc(5) "io".
"""

from __future__ import annotations

from collections.abc import Mapping

from sifprov.model.canonical import Json
from sifprov.model.fact import Fact
from sifprov.model.record import NOT_STARTED
from sifprov.model.request import CaptureEnd, CaptureRequest
from sifprov.model.timestamp import to_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BLOCK = 512  # what getrusage counts in


def of_usage(usage: Any, scope: str) -> Fact:
    """Returns the fact of a `resource.struct_rusage`, as wait4 gives it."""
    return Fact(
        "resources",
        {
            "peak_memory_bytes": usage.ru_maxrss * 1024,
            "scope": scope,
            "storage_read_bytes": usage.ru_inblock * _BLOCK,
            "storage_write_bytes": usage.ru_oublock * _BLOCK,
            "system_us": round(usage.ru_stime * 1_000_000),
            "user_us": round(usage.ru_utime * 1_000_000),
        },
        source="wait4",
    )


def of_container(end: CaptureEnd) -> dict[str, int]:
    """Returns what was counted of the container alone, by field; nothing where only the runtime
    with all of it was."""
    given = next((f for f in end.facts if f.name == "resources"), None)
    if given is None or not isinstance(given.value, Mapping):
        return {}
    if given.value.get("scope") != "container":
        return {}
    return {n: v for n, v in given.value.items() if type(v) is int and n != "peak_memory_bytes"}


def resources(request: CaptureRequest, end: CaptureEnd) -> Fact:
    """Returns the fact `resources`: what was counted, and the time from start to end."""
    if end.ended is None:
        return Fact("resources", None, reason="the runtime was killed")
    if end.outcome == NOT_STARTED:
        return Fact("resources", None, reason="the container was never started")
    given = next((f for f in end.facts if f.name == "resources"), None)
    wall = (to_ns(end.ended) - to_ns(request.started)) // 1000
    value: dict[str, Json] = {"wall_us": max(wall, 0)}
    if given is None or not isinstance(given.value, Mapping):
        return Fact("resources", value, source="clock")
    return Fact("resources", {**given.value, **value}, source=f"{given.source}, clock")
