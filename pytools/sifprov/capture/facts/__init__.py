"""What else is known of a run: its facts, each with its source, or null with a reason.

    platform.py     the machine: kernel, processor, memory, GPUs
    who.py          the user, and the batch job
    image.py        the application's labels and definition file
    isolation.py    what of the host the container could see
    workflow.py     the workflow that it was part of; there is no such fact where none is named
    binds.py        what was mounted in it, from where
    resources.py    what it used

All but the last two are collected while the application runs. No other program is started. Whatever
cannot be read is null and says why: a fact never costs a record.
"""

from __future__ import annotations

from collections.abc import Callable

from sifprov.capture.facts.binds import binds
from sifprov.capture.facts.image import application
from sifprov.capture.facts.isolation import isolation
from sifprov.capture.facts.platform import platform
from sifprov.capture.facts.resources import resources
from sifprov.capture.facts.who import batch, user
from sifprov.capture.facts.workflow import workflow
from sifprov.model.environment import asks_for_log
from sifprov.model.fact import Fact
from sifprov.model.record import NOT_STARTED, PLUGIN, UNKNOWN
from sifprov.model.request import CaptureEnd, CaptureRequest

__all__ = ["collect", "early", "live"]

_NO_LOG = "the plugin cannot keep the output without changing the run: use 'sifprov exec --log'"


def early(request: CaptureRequest, *, host: bool = False) -> tuple[Fact, ...]:
    """Returns what can be known while the application runs. `host`: the machine's name too."""
    variables = dict(request.variables)
    named = workflow(variables)
    return (
        _safely("application", lambda: application(request)),
        _safely("batch", lambda: batch(variables, host=host)),
        _safely("isolation", lambda: isolation(request)),
        _safely("platform", lambda: platform(host=host)),
        _safely("user", user),
        *((named,) if named else ()),
    )


def live(request: CaptureRequest, *, host: bool = False) -> tuple[Fact, ...]:
    """Returns what a report tells when the run has just started (capture/live.py)."""
    return (
        _safely("batch", lambda: batch(dict(request.variables), host=host)),
        _safely("platform", lambda: platform(host=host)),
        _safely("user", user),
    )


def collect(
    request: CaptureRequest, end: CaptureEnd, early: tuple[Fact, ...] = ()
) -> tuple[Fact, ...]:
    """Returns the facts of a run that has ended, by name."""
    late = [
        _safely("binds", lambda: binds(request, end)),
        _safely("resources", lambda: resources(request, end)),
    ]
    if request.captured_by == PLUGIN and asks_for_log(dict(request.variables)):
        late.append(Fact("log", None, reason=_NO_LOG))
    if request.captured_by == PLUGIN:
        late.append(_started(end))
    # What somebody nearer to the run has said counts more, but where a collector builds on it.
    found = {f.name: f for f in (*request.facts, *end.facts, *early, *late)}
    return tuple(found[name] for name in sorted(found))


def _started(end: CaptureEnd) -> Fact:
    """Whether the command was ever started, which the plugin always knows."""
    if end.outcome == UNKNOWN:
        return Fact("started", None, reason="the runtime was killed")
    return Fact("started", end.outcome != NOT_STARTED, source="the runtime and its process")


def _safely(name: str, read: Callable[[], Fact]) -> Fact:
    try:
        return read()
    except (OSError, ValueError, LookupError, TypeError) as error:
        return Fact(name, None, reason=f"could not be read: {error}")
