"""The trail as a tree of text lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from sifprov.model.record import (
    APPLICATION,
    EXITED,
    INPUT,
    NOT_STARTED,
    OUTPUT,
    SIGNALED,
    Container,
    Record,
    Run,
)
from sifprov.model.timestamp import to_ns
from sifprov.records import Stored
from sifprov.render.clock import local_time
from sifprov.render.standing import mark_lines, standing_lines
from sifprov.render.words import annotation_lines, fact_lines
from sifprov.signatures import DATA
from sifprov.terminal import command, printable
from sifprov.trail import Carrier, Trail

# The branches of one level: its items, and the last of them.
_TEE, _BAR, _END, _GAP = "├─ ", "│  ", "└─ ", "   "
# A chain of thousands moves no further to the right, or its picture would have gigabytes.
_MAX_INDENT = 300


@dataclass
class Node:
    """A line of the tree, lines that belong to it, and what hangs below it."""

    text: str
    more: list[str] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)


def render(trail: Trail) -> str:
    """Returns the tree: the container, its records from the newest on, and what each was made
    from."""
    root = _carrier_node(trail.start, trail, set())
    root.text = _name_line(trail.start)
    it = next((r.itself() for _, r in reversed(trail.start.good) if r.run), None)
    root.more = [*standing_lines(trail.standing, it.digest if it else None), *root.more]
    # Iterative, so that a long chain needs no deep recursion.
    lines: list[str] = []
    stack: list[tuple[Node, str, str]] = [(root, "", "")]
    while stack:
        node, first, rest = stack.pop()
        lines.append(first + node.text)
        below = rest + (_BAR if node.children else _GAP)
        lines.extend(below + line for line in node.more)
        for i, child in reversed(list(enumerate(node.children))):
            last = i == len(node.children) - 1
            left = rest[-_MAX_INDENT:]
            stack.append((child, left + (_END if last else _TEE), left + (_GAP if last else _BAR)))
    return "\n".join(lines)


def _carrier_node(carrier: Carrier, trail: Trail, shown: set[UUID]) -> Node:
    """Builds the tree breadth first; a container that was shown already is only named."""
    root = Node("")
    todo: list[tuple[Node, Carrier]] = [(root, carrier)]
    if carrier.identity.uuid:
        shown.add(carrier.identity.uuid)
    for node, current in todo:
        node.more.extend(_signed_lines(current))
        if current.of_many:
            for part in current.parts():
                below = Node(_name_line(part))
                node.children.append(below)
                todo.append((below, part))
                if part.identity.uuid:
                    shown.add(part.identity.uuid)
            continue
        words, placed = _later_words(current)
        for stored in reversed(current.records):
            if stored.digest in placed:
                continue  # shown with the record that it is about
            child = _record_node(stored)
            for later in words.get(stored.digest, ()):
                when = f" ({local_time(later.recorded)})"
                child.more.extend(annotation_lines(later.annotation, when))
            node.children.append(child)
            if stored.record is None:
                continue
            for container in _in_order(stored.record):
                below = _container_node(container)
                child.children.append(below)
                ancestor = trail.ancestors.get(container.uuid) if container.uuid else None
                if container.role == OUTPUT or container.uuid in shown:
                    continue
                if ancestor and container.uuid:
                    shown.add(container.uuid)
                    todo.append((below, ancestor))
                if container.record and not ancestor:
                    below.more.append("carried records of its own; it is not found here")
                elif ancestor and ancestor.identity.record != container.record:
                    below.more.append("carries other records now than it did then")
    return root


def _name_line(carrier: Carrier) -> str:
    name, uuid = printable(carrier.identity.name), carrier.identity.uuid
    return f"{name}  {uuid}" if uuid else name


def _later_words(carrier: Carrier) -> tuple[dict[str, list[Record]], set[str]]:
    """The annotations by the digest of the record that they are about, where that stands here too;
    and the digests of these annotations."""
    here = {s.digest for s in carrier.records}
    words: dict[str, list[Record]] = {}
    placed = set()
    for stored, record in carrier.good:
        if record.annotates and record.annotates.record in here:
            words.setdefault(record.annotates.record, []).append(record)
            placed.add(stored.digest)
    return words, placed


def _signed_lines(carrier: Carrier) -> Iterator[str]:
    if carrier.signatures:
        count = sum(map(carrier.is_signed, carrier.records))
        what = ["the data"] if any(s.covers == DATA for s in carrier.signatures) else []
        what += [f"{count} of {len(carrier.records)} records"] if count else []
        what = what or ["neither data nor records"]
        yield f"signatures on {' and '.join(what)} (the runtime's 'verify' says whether they hold)"
    if carrier.changed_after_signing:
        yield "the data was changed by a run after it was signed: that signature no longer holds"


def _in_order(record: Record) -> Iterator[Container]:
    for role in (APPLICATION, INPUT, OUTPUT):
        yield from record.with_role(role)


def _record_node(stored: Stored) -> Node:
    record = stored.record
    if record and record.run:
        run = record.run
        text = f"run {local_time(run.started)}{_took(run)}, {outcome(run)}"
        more = ["$ " + command(run.argv or run.command)]
        if record.replays:
            more.append(f"replay of record {record.replays.id}")
        more.extend(annotation_lines(record.annotation))
        more.extend(fact_lines(run))
        runtime = printable(f"{run.runtime_name} {run.runtime_version}")
        return Node(text, [*more, f"recorded by the {record.captured_by}, {runtime}"])
    if record and record.origin:
        text = f"made {local_time(record.recorded)} from {printable(record.origin.source)}"
        return Node(text, [short_digest(record.origin.digest)])
    if record and record.annotates:
        text = f"noted {local_time(record.recorded)} about record {record.annotates.id}"
        return Node(text, list(annotation_lines(record.annotation)))
    return Node(f"broken record (object {stored.object_id}): {printable(stored.error or '')}")


def _container_node(container: Container) -> Node:
    where = f" at {printable(container.mount)}" if container.mount else ""
    content = (
        short_digest(container.digest)
        if container.digest
        else f"content unknown: {printable(container.reason or '')}"
    )
    uuid = str(container.uuid) if container.uuid else "no UUID"
    more = [content, *mark_lines(container)]
    return Node(f"{container.role} {printable(container.name)}{where}  {uuid}", more)


def _took(run: Run) -> str:
    if run.ended is None:
        return ""
    seconds = (to_ns(run.ended) - to_ns(run.started)) / 1e9
    if seconds < 60:
        return f", {seconds:.2f} s"
    return f", {int(seconds) // 60} min {int(seconds) % 60} s"


def outcome(run: Run) -> str:
    """Returns how a run ended, in words."""
    if run.outcome == EXITED:
        return f"exit code {run.exit_code}"
    if run.outcome == SIGNALED:
        return f"ended by signal {run.signal}"
    if run.outcome == NOT_STARTED:
        return "never started"
    return "outcome unknown"


def short_digest(digest: str) -> str:
    """Returns enough of a digest to tell it from others."""
    scheme, _, value = digest.partition(":")
    return f"{scheme}:{value[:16]}…"
