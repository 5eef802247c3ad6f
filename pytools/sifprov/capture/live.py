"""Reports of a run for the catalog: when it starts, now and then, and when it has ended.

Imported only where a user or a site wants them (the setting `live`). A report that cannot be
written is missing, and nothing else: no run waits, ends otherwise or says a word for it.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress

from sifprov import livereports
from sifprov.capture.bound import Bound, bind_containers, data_container, role_of
from sifprov.capture.facts import live as live_facts
from sifprov.capture.messenger import Messenger, ours
from sifprov.capture.run import describe_run
from sifprov.capture.session import Finished, named
from sifprov.frozen import replace
from sifprov.identity import describe, identify
from sifprov.model.container import APPLICATION, Container
from sifprov.model.record import WRAPPER
from sifprov.model.redact import redact_text
from sifprov.model.report import (
    END,
    NOT_RECORDED,
    RECORDED,
    REFUSED,
    START,
    UNCHANGED,
    WAITS,
    Kept,
    Report,
    Where,
)
from sifprov.model.request import LOST, CaptureEnd, CaptureRequest
from sifprov.model.run import EXITED, NOT_STARTED, Run
from sifprov.model.timestamp import from_ns, to_ns
from sifprov.settings import Settings, load_or_default

# How often a run that goes on says so, seconds: who sees it from another machine knows no better.
PULSE = 900.0
# How long whoever waits for the end of a run may wait for its report, seconds.
PATIENCE = 0.5
# What a report tells of a run; the rest stands in its record.
_FACTS = frozenset({"batch", "platform", "resources", "started", "user", "workflow"})
_NOT_YET = "not read yet"


class Reporter:
    """Leaves the reports of one run, in a thread of its own: the disk may be slow."""

    def __init__(self, request: CaptureRequest, settings: Settings, runtime: int | None) -> None:
        """The run starts; its `request` has an id. `runtime` is the process that runs it."""
        # The helper of a plugin is no whole `sifprov`.
        command = ours() if request.captured_by == WRAPPER else request.deliver
        self._messenger = Messenger(settings, command)
        self._telling = _Telling(request, settings, runtime)
        self._over = threading.Event()
        self._end: tuple[CaptureEnd, Finished | None, str | None] | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def ended(self, end: CaptureEnd | None, finished: Finished | None, reason: str | None) -> None:
        """The run has ended; `end` is None where the runtime gave up before anything ran.

        `finished` is what became of its record; None where none was to be made, or none could be
        for the `reason`. Waits for PATIENCE at most.
        """
        in_vain = CaptureEnd(_now(), NOT_STARTED, None, None, refused=True)
        self._end = (end or in_vain, finished, reason)
        self._over.set()
        self._thread.join(PATIENCE)

    def _work(self) -> None:
        # Whatever containers and file systems have in store: a report is not worth a word.
        with suppress(Exception):
            first = self._telling.first()
            self._leave(first)
            while not self._over.wait(PULSE):
                self._leave(replace(first, told=_now()))
            if self._end:
                self._leave(self._telling.last(first, *self._end))

    def _leave(self, report: Report) -> None:
        if livereports.leave(report):
            self._messenger.send()


def report_late(request: CaptureRequest, end: CaptureEnd, finished: Finished) -> None:
    """Leaves the report of a run whose record was made long after it, by a flush."""
    with suppress(Exception):
        telling = _Telling(request, load_or_default(), None)
        livereports.leave(telling.last(telling.first(), end, finished, None))


class _Telling:
    """What is told of one run."""

    def __init__(self, request: CaptureRequest, settings: Settings, runtime: int | None) -> None:
        self._request, self._settings, self._runtime = request, settings, runtime

    def first(self) -> Report:
        """Returns the report that it has begun."""
        request = self._request
        assert request.id is not None  # noqa: S101 - for mypy
        # A result that gets its name at the end is told by the one that it will have.
        well = CaptureEnd(_now(), EXITED, 0, None)
        names = request.names(well) if request.names else {}
        data = (_as_it_is(request, bound) for bound in bind_containers(request))
        facts = live_facts(request, host=self._settings.host)
        return Report(
            event=START,
            id=request.id,
            captured_by=request.captured_by,
            version=request.version,
            told=_now(),
            where=_where(self._runtime),
            run=_bare(describe_run(request, LOST, facts, self._settings)),
            containers=(_application(request), *(named(c, names) for c in data)),
        )

    def last(
        self, first: Report, end: CaptureEnd, finished: Finished | None, reason: str | None
    ) -> Report:
        """Returns the report that it has ended."""
        written = finished.written if finished else ()
        # A result that gets its name only now is where it will be.
        names = self._request.names(end) if self._request.names else {}
        records = [
            Kept(w.record.container, names.get(w.path, w.path), w.digest, w.kept, w.spooled)
            for w in written
        ]
        run, containers = None, first.containers
        if written:
            run, containers = written[0].record.run, written[0].record.containers
        elif finished and finished.data:
            data = (_as_it_is(self._request, bound) for bound in finished.data)
            containers = (containers[0], *(named(c, names) for c in data))
        if run is None:
            run = describe_run(self._request, end, first.run.facts, self._settings)
        return replace(
            first,
            event=END,
            told=_now(),
            run=_bare(run),
            containers=tuple(replace(c, files=None) for c in containers),
            became=_became(records, end, finished, reason),
            records=tuple(records),
            reason=reason,
        )


def _became(
    records: list[Kept], end: CaptureEnd, finished: Finished | None, reason: str | None
) -> str:
    if end.refused or (end.outcome == NOT_STARTED and not records):
        return REFUSED
    if reason is not None or any(k.digest is None and k.file is None for k in records):
        return NOT_RECORDED
    if not records:
        return UNCHANGED
    return RECORDED if all(k.digest for k in records) else WAITS


def _bare(run: Run) -> Run:
    return replace(run, facts=tuple(f for f in run.facts if f.name in _FACTS))


def _application(request: CaptureRequest) -> Container:
    path = os.path.join(request.cwd, request.image)
    found = describe(APPLICATION, identify(path), None, _NOT_YET)
    if "://" not in path:
        return found
    return replace(found, name=redact_text(found.name), path=redact_text(found.path))


def _as_it_is(request: CaptureRequest, bound: Bound) -> Container:
    found = data_container(bound, role_of(bound, to_ns(request.started)))
    return found if found.digest or found.reason else replace(found, reason=_NOT_YET)


def _where(runtime: int | None) -> Where:
    host, boot = livereports.here()
    return Where(
        host=host,
        boot=boot,
        runtime=livereports.process(runtime) if runtime else None,
        recorder=livereports.process(os.getpid()),
    )


def _now() -> str:
    return from_ns(time.time_ns())
