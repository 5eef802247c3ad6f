"""All that the records say of a container or an activity, as sections of rows for the page.

A row is `[label, text]`, `[label, text, "code"]`, or `[label, text, "link", id, more]` for another
box.
Texts are `printable`; long ones and long lists are cut, and say so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from sifprov.model.canonical import Json
from sifprov.model.container import MARKS, PROVISIONAL, Container
from sifprov.model.graph import EMBEDDED, FOUND, MISSING, Activity, Entity
from sifprov.model.record import Record, Run
from sifprov.model.verdict import Verdict
from sifprov.render.clock import local_time
from sifprov.render.filerows import Row
from sifprov.render.scene import FLAGS, clip, ended
from sifprov.render.words import FILE_WORDS, verdict_text
from sifprov.terminal import command, printable, size

Section: TypeAlias = tuple[str, list[Row]]

_MAX_TEXT, _MAX_ROWS = 4000, 500
_KINDS = {"data": "data container", "application": "application container", "folder": "folder"}
_STANDING = {
    FOUND: "found, with the records that it carried then",
    EMBEDDED: "not found here; its records are at hand",
    MISSING: "missing, and its records too",
}


def of_entity(entity: Entity, files: list[Row]) -> list[Section]:
    """Returns the sections about a container as it stood, with rows about its files."""
    c = entity.container
    rows = [
        ["kind", _KINDS.get(entity.kind, entity.kind)],
        *_text("name", c.name),
        *([["UUID", str(c.uuid), "code"]] if c.uuid else [["UUID", "none"]]),
        *_content(c),
        *_text("found at", entity.path),
        *_text("path in the record", c.path),
        ["standing", _STANDING.get(entity.standing, entity.standing)],
        *_text("does not fit", entity.problem),
        *_time("created", c.created),
        *_time("modified", c.modified),
        *([["newest record then", entity.record, "code"]] if entity.record else []),
    ]
    return _filled([("Container", rows), ("Files", files)])


def of_activity(activity: Activity, ids: Mapping[str, str]) -> list[Section]:
    """Returns the sections about a run or a making; `ids` are those of the containers by key."""
    sections: list[Section] = []
    record, run = activity.record, activity.run
    if run:
        sections.append(("Run", _run_rows(run)))
    elif record and record.origin:
        origin = record.origin
        rows = [*_text("made from", origin.source), ["content", origin.digest, "code"]]
        sections.append(("Making", [*rows, *_time("made", record.recorded)]))
    if activity.foreign:
        foreign = activity.foreign
        rows = [
            *_text("command", foreign.command, "code"),
            *_time("container made", foreign.created),
        ]
        rows += [["lacks", foreign.lacks], *(r for p in foreign.problems for r in _text("!", p))]
        sections.append(("Recorded by another program", rows))
    for title, usages in (("Used", activity.used), ("Made", activity.generated)):
        sections.append(
            (title, [r for u in usages for r in _usage(u.container, ids.get(u.entity))])
        )
    if record:
        sections.append(("Words", list(_words([record, *activity.words]))))
    if run:
        named = [r for name, value in run.environment for r in _text(name, value, "code")]
        sections.append(("Environment", named))
        for fact in run.facts:
            why = [["not known", printable(clip(fact.reason or "", _MAX_TEXT))]]
            rows = list(_fact(fact.value)) if fact.value is not None else why
            sections.append((fact.name.replace("_", " ").capitalize(), rows))
        sections += [("Verdict", list(_verdict(w.verdict))) for w in activity.words if w.verdict]
    sections.append(
        ("Record", [*_record(record), *(["digest", d, "code"] for d in activity.digests)])
    )
    return _filled(sections)


def _run_rows(run: Run) -> list[Row]:
    hidden = len(run.redacted)
    return [
        *_text("command", command(run.command) if run.command else None, "code"),
        *_text("command line", command(run.argv) if run.argv else None, "code"),
        *([["hidden words", f"{hidden}, which can hold secrets"]] if hidden else []),
        *_text("folder", run.cwd, "code"),
        *_time("started", run.started),
        *_time("ended", run.ended),
        ["outcome", ended(run)],
        ["runtime", printable(clip(f"{run.runtime_name} {run.runtime_version}", _MAX_TEXT))],
        *_text("action", run.action),
    ]


def _usage(container: Container, id_: str | None) -> Iterator[Row]:
    name = printable(clip(container.name, _MAX_TEXT)) or "(no name)"
    how = "writable" if container.writable else "read-only" + _added(container)
    if container.mount:
        how = f"at {printable(clip(container.mount, _MAX_TEXT))}, {how}"
    yield [container.role, name, "link", id_, how] if id_ else [container.role, f"{name}, {how}"]
    if container.source and container.source != container.mount:
        yield from _text("its folder", container.source, "code")
    for mark in MARKS:
        if mark in container.marks:
            why = f": {container.reason}" if mark == PROVISIONAL and container.reason else ""
            yield ["!", printable(clip(FLAGS.get(mark, mark) + why, _MAX_TEXT))]


def _added(container: Container) -> str:
    return " (sifprov asked for that)" if container.read_only_added else ""


def _content(container: Container) -> list[Row]:
    if container.digest:
        return [["content", container.digest, "code"]]
    return [["content", "not known: " + printable(clip(container.reason or "", _MAX_TEXT))]]


def _words(records: Iterable[Record]) -> Iterator[Row]:
    for i, record in enumerate(records):
        said = record.annotation
        if said is None:
            continue
        when = f" ({local_time(record.recorded)})" if i else ""
        for note in said.notes:
            yield from _text("note" + when, note)
        for name, value in said.tags:
            yield from _text(f"tag {name}{when}", value)
        for name, value in said.metrics:
            yield from _text(f"metric {name}{when}", value)
        if i:
            yield ["said in record", str(record.id), "code"]


def _verdict(verdict: Verdict) -> Iterator[Row]:
    yield from _text("the replay", verdict_text(verdict))
    yield ["compared with", verdict.original, "code"]
    yield ["came out", verdict.content, "code"]
    yield from _text("tolerance", verdict.tolerance)
    for change in verdict.changes:
        yield from _text(f"changed: {change.what}", f"{change.before} → {change.after}")
    for file in verdict.files:
        yield from _text(file.path, f"{FILE_WORDS[file.word]}; {file.what}".rstrip("; "))
    for step in verdict.steps:
        yield from _text(f"run {step.id}", step.word)


def _record(record: Record | None) -> Iterator[Row]:
    if record is None:
        return
    yield ["id", str(record.id), "code"]
    yield from _time("recorded", record.recorded)
    yield from _text("by", f"{record.captured_by}, sifprov {record.version}")
    if record.replays:
        yield ["replay of", str(record.replays.id), "code"]
    if record.previous:
        yield ["previous record", record.previous, "code"]


def _fact(value: Json) -> Iterator[Row]:
    """Rows of a fact: a field each, or an item each of a list. What is deeper stands as JSON,
    which is no deeper than a record may be."""
    items: Iterable[tuple[str, Json]]
    if isinstance(value, Mapping):
        items = (_scaled(name, v) for name, v in value.items())
    elif isinstance(value, list):
        items = ((str(i + 1), v) for i, v in enumerate(value))
    else:
        items = (("value", value),)
    for label, item in items:
        yield from _text(label, item if isinstance(item, str) else _flat(item))


def _scaled(name: str, value: Json) -> tuple[str, Json]:
    """The name without its unit, and the value with one."""
    label = name.replace("_", " ")
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        if name.endswith("_us"):
            return label[:-3], f"{value / 1e6:.2f} s"
        if name.endswith("_bytes"):
            return label[:-6], size(value)
    return label, value


def _flat(value: Json) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(v, (str, int)) for v in value):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(
            f"{k} {v if isinstance(v, str) else json.dumps(v, ensure_ascii=False)}"
            for k, v in value.items()
        )
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def _text(label: str, text: str | None, style: str = "") -> list[Row]:
    if text is None:
        return []
    row = [printable(clip(label, 200)), printable(clip(text, _MAX_TEXT))]
    return [[*row, style] if style else row]


def _time(label: str, time: str | None) -> list[Row]:
    return [[label, local_time(time)]] if time else []


def _filled(sections: Iterable[Section]) -> list[Section]:
    found = []
    for title, rows in sections:
        if len(rows) > _MAX_ROWS:
            rows = [*rows[:_MAX_ROWS], ["…", f"{len(rows) - _MAX_ROWS:,} more"]]
        if rows:
            found.append((title, rows))
    return found
