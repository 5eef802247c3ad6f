"""Lines of the tree about what a record holds besides the run itself: the user's words, facts,
verdicts.

Facts come from a container and may hold anything: what has not the expected form is not shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sifprov.model.annotation import Annotation
from sifprov.model.canonical import Json
from sifprov.model.record import Run
from sifprov.model.verdict import ALIKE, DIFFERS, ONLY_ORIGINAL, ONLY_REPLAY, SAME, Verdict
from sifprov.model.workflowpart import WorkflowPart
from sifprov.terminal import counted, printable, size

_MAX_TEXT = 500
# How a file of a replay compares with the original's.
FILE_WORDS = {
    SAME: "same",
    ALIKE: "alike",
    DIFFERS: "differs",
    ONLY_ORIGINAL: "only in the original",
    ONLY_REPLAY: "only in the replay",
}


def annotation_lines(annotation: Annotation | None, when: str = "") -> Iterator[str]:
    """Yields a line for each note, tag and metric; `when` says that they were added later."""
    if annotation is None:
        return
    for note in annotation.notes:
        yield f"note{when}: {_short(note)}"
    for name, value in annotation.tags:
        yield f"tag{when}: {printable(name)}={_short(value)}"
    for name, value in annotation.metrics:
        yield f"metric{when}: {printable(name)} = {value}"


def verdict_text(verdict: Verdict) -> str:
    """Returns what a replay showed: `same`, or how many entries make it something else."""
    _, alike, *others = verdict.counts
    total = f"{sum(verdict.counts):,} entries"
    text = verdict.result
    if verdict.result == DIFFERS:
        text += f" in {sum(others):,} of {total}"
    elif verdict.result == ALIKE:
        text += f": {alike:,} of {total} with other bytes are equal by their kind"
    changes = len(verdict.changes)
    return f"{text}, with {counted(changes, 'change')} by the user" if changes else text


def fact_lines(run: Run) -> Iterator[str]:
    """Yields a line for each fact that is worth one."""
    facts = {fact.name: fact.value for fact in run.facts}
    who = [f"by {_short(name)}"] if (name := _field(facts.get("user"), "name")) else []
    cpu = _field(facts.get("platform"), "cpu")
    on = [f"on {_short(cpu)}"] if cpu else []
    if who or on:
        yield ", ".join(who + on)
    if part := WorkflowPart.from_json(facts.get("workflow")):
        yield f"part of {', '.join(_part(part))}"
    if job := ", ".join(_batch(facts.get("batch"))):
        yield f"batch job {job}"
    if used := ", ".join(_used(facts.get("resources"))):
        yield f"used {used}"
    log = facts.get("log")
    if isinstance(log, Mapping) and isinstance(log.get("bytes"), int):
        cut = log.get("cut")
        cut = f", of which {size(cut)} were not kept" if isinstance(cut, int) and cut > 0 else ""
        yield f"printed {size(_count(log, 'bytes') or 0)}{cut} ('sifprov log' shows it)"
    measured = facts.get("telemetry")
    if samples := _count(measured, "samples"):
        yield ", ".join([f"measured {counted(samples, 'time')}", *_peaks(measured)]) + (
            " ('sifprov log --telemetry' shows it)"
        )


def _peaks(value: Json) -> Iterator[str]:
    cpu = _count(value, "peak_cpu_percent")
    if cpu is not None:
        yield f"at most {cpu / 100:.2f} cores"
    memory = _count(value, "peak_memory_bytes")
    if memory is not None:
        yield f"{size(memory)} of memory"
    processes = _count(value, "peak_processes")
    if processes is not None:
        yield f"{processes} process{'' if processes == 1 else 'es'}"


def _batch(value: Json) -> Iterator[str]:
    job, task, array = (_field(value, name) for name in ("job", "task", "array_job"))
    if job is None:
        return
    if array and task:  # as Slurm's own commands name it
        yield f"{_short(array)}_{_short(task)}"
    else:
        yield _short(job) + (f", task {_short(task)}" if task else "")
    for name in ("name", "partition", "node"):
        if field := _field(value, name):
            yield f"{name} {_short(field)}"


def _part(part: WorkflowPart) -> Iterator[str]:
    yield f"workflow {_short(part.name)}"
    if part.activity:
        yield f"activity {_short(part.activity)}"
    if part.composition:
        yield f"composition {part.composition}"
    if part.id:
        yield f"execution {part.id}"


def _used(value: Json) -> Iterator[str]:
    for name, what in (("user_us", "user"), ("system_us", "system")):
        microseconds = _count(value, name)
        if microseconds is not None:
            yield f"{microseconds / 1e6:.2f} s {what}"
    peak = _count(value, "peak_memory_bytes")
    if peak is not None:
        yield f"{size(peak)} of memory"


def _field(value: Json, name: str) -> str | None:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, str) and found else None


def _count(value: Json, name: str) -> int | None:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def _short(text: str) -> str:
    return printable(text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…")
