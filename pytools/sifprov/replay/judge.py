"""Compares what a replay made with the original, and records the verdict in the new container."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from uuid import uuid4

from sifprov.carrier import elsewhere, embedded_elsewhere, read_carrier
from sifprov.compare import DIFFERS as OTHER
from sifprov.compare import ONLY_FIRST, ONLY_SECOND
from sifprov.comparison import Comparison, FileComparison, Side, compare_sides, open_side
from sifprov.errors import FileError, MissingError
from sifprov.filediff import in_words
from sifprov.frozen import dataclass, replace
from sifprov.listing import Tree
from sifprov.manifests import listed, stated
from sifprov.model.container import PROVISIONAL, Container
from sifprov.model.files import by_key
from sifprov.model.record import RERUN, Record, Replay
from sifprov.model.timestamp import from_ns
from sifprov.model.verdict import (
    DIFFERS,
    FILE_WORDS,
    MAX_CHANGES,
    MAX_FILES,
    MAX_PATH,
    MAX_STEPS,
    MAX_TEXT,
    ONLY_ORIGINAL,
    ONLY_REPLAY,
    SAME,
    UNKNOWN,
    Changed,
    FileWord,
    StepWord,
    Verdict,
    result_of,
)
from sifprov.placement import CONTAINER, Place, append_to, named, read_place
from sifprov.replay.steps import Done, Found, Outcome, Plan, Result, Step
from sifprov.version import VERSION

_WORDS = {ONLY_FIRST: ONLY_ORIGINAL, ONLY_SECOND: ONLY_REPLAY}
# What differs comes first.
_ORDER = {DIFFERS: 0, ONLY_ORIGINAL: 0, ONLY_REPLAY: 0}


@dataclass(frozen=True)
class Judgement:
    """A verdict, and what it was found from: the files of original and replay (`files`). `changed`
    says how the original is not what its own record says, `earlier` why not it was compared but
    the recorded state."""

    verdict: Verdict
    files: Comparison
    changed: str | None = None
    earlier: str | None = None


def judge(
    plan: Plan,
    outcome: Outcome,
    tolerance: Decimal | None = None,
    *,
    lines: int = 10,
    on_step: Callable[[str], None] = lambda text: None,
) -> Judgement:
    """Compares the state that the plan wanted with the original as it is now; where that has gone
    on since, or is another container, with what the replayed record tells of its files. Writes
    nothing. Raises FileError, MissingError.

    With a `tolerance` T, files whose numbers differ by at most T · max(1, |a|, |b|) are alike.
    """
    made = outcome.result(plan.wanted)
    with ExitStack() as stack:
        original = _Original(plan, on_step)
        first = original.side(stack, made)
        second = stack.enter_context(open_side(made.path, made.tree))
        files = compare_sides(first, second, tolerance=tolerance, lines=lines, on_step=on_step)
    return Judgement(
        _verdict(plan, outcome, made, files, tolerance), files, original.changed, original.earlier
    )


class _Original:
    """What a replay is compared with."""

    def __init__(self, plan: Plan, on_step: Callable[[str], None]) -> None:
        self._plan, self._on_step = plan, on_step
        self._carrier = read_carrier(plan.original, elsewhere(plan.metadata))
        self.changed: str | None = None
        self.earlier: str | None = None

    def side(self, stack: ExitStack, made: Result) -> Side:
        plan, path = self._plan, self._plan.original
        recorded = plan.record.itself()
        told = [(s.digest, stated(record)) for s, record in self._carrier.good]
        if recorded is None or plan.wanted not in [digest for digest, _ in told]:
            name = recorded.name if recorded else str(plan.record.container)
            self.earlier = f"{path} is another container than {name}"
            return self._recorded(recorded, made, None)
        self._on_step(f"reading {os.path.basename(path)}")
        now = stack.enter_context(open_side(path))
        # What a provisional record says was not the last word.
        if recorded.digest in (None, now.digest) or PROVISIONAL in recorded.marks:
            return now
        later = told[[digest for digest, _ in told].index(plan.wanted) + 1 :]
        if any(about and about.digest != recorded.digest for _, about in later):
            self.earlier = f"later runs have changed {path}"
            return self._recorded(recorded, made, now)
        self.changed = f"{path}: its content is {now.digest}, not the recorded {recorded.digest}"
        return now

    def _recorded(self, about: Container | None, made: Result, now: Side | None) -> Side:
        """The recorded state, with the contents that still stand unchanged in the original."""
        tree = self._listed(about, made) if about else None
        if tree is None:
            raise MissingError(
                f"{self.earlier}, and the replayed record lists no files to compare with",
                hint="'sifprov compare' compares two containers as they are now",
            )
        if now is None:
            return Side(self._plan.original, tree.digest, tree, None)
        there = {entry.path: entry.line() for entry in now.tree.entries}
        lacks = frozenset(e.path for e in tree.entries if there.get(e.path) != e.line())
        return replace(now, digest=tree.digest, tree=tree, lacks=lacks)

    def _listed(self, about: Container, made: Result) -> Tree | None:
        if about.digest == made.tree.digest:
            return made.tree  # the digest says that these are its files
        place = embedded_elsewhere(self._plan.metadata).documents
        documents = by_key([*self._carrier.embedded.values(), *place.values()])
        found = listed(about, self._plan.records.get, documents).manifest
        return found.tree if found else None


def _verdict(
    plan: Plan, outcome: Outcome, made: Result, files: Comparison, tolerance: Decimal | None
) -> Verdict:
    counted = Counter(word_of(row) for row in files.files)
    counts = tuple(counted[word] for word in FILE_WORDS)
    return Verdict(
        result=result_of(counts),
        run=Replay(made.digest, made.record.id),
        original=files.first.digest,
        content=files.second.digest,
        counts=counts,
        files=tuple(_files(files)),
        tolerance=None if tolerance is None else str(tolerance),
        changes=tuple(_changes(plan))[:MAX_CHANGES],
        steps=tuple(step_words(plan, outcome)) if len(plan.steps) > 1 else (),
    )


def word_of(row: FileComparison) -> str:
    """Returns which of FILE_WORDS tells how a path of original and replay compares."""
    return _WORDS.get(row.verdict, row.verdict)


def what_of(row: FileComparison) -> str:
    """Returns in what two files differ, in one line without anything that they say; empty where
    there is no more to say."""
    if row.difference and row.first and row.second:
        text = in_words(row.difference)
        return text if row.first.kind == row.second.kind else f"{text}; only one may be executed"
    if row.verdict == OTHER and row.first and row.second:
        kinds = {row.first.kind, row.second.kind}
        if kinds <= {"f", "x"}:
            same = row.first.value == row.second.value
            return "only one may be executed" if same else "the recorded content is not at hand"
        return "the targets differ" if kinds == {"l"} else "another kind of file"
    return ""


def _files(files: Comparison) -> Iterator[FileWord]:
    words = [(word_of(row), row) for row in files.files]
    other = [(word, row) for word, row in words if word != SAME]
    other.sort(key=lambda found: _ORDER.get(found[0], 1))
    found = 0
    for word, row in other:
        path = os.fsdecode(row.path)
        if len(path) <= MAX_PATH and found < MAX_FILES:
            found += 1
            yield FileWord(path, word, what_of(row)[:MAX_TEXT])


def _changes(plan: Plan) -> Iterator[Changed]:
    for change in plan.changes:
        yield Changed(*(t[:MAX_TEXT] for t in (change.what, change.before, change.after)))
    for step in plan.steps:
        for item in (step.application, *step.inputs):
            # --force took it all the same.
            if isinstance(item, Found) and item.changed:
                it = item.container
                texts = (f"{it.role} {it.name}", it.digest or "", item.digest or "not read")
                yield Changed(*(t[:MAX_TEXT] for t in texts))


def step_words(plan: Plan, outcome: Outcome) -> Iterator[StepWord]:
    """Yields how each step's outputs compare with what the records say, by digests."""
    done = {d.key: d for d in outcome.done}
    for step in plan.steps[:MAX_STEPS]:
        yield StepWord(step.outputs[0].record.id, _step_word(step, done[step.key]))


def _step_word(step: Step, done: Done) -> str:
    made = {r.state: r.tree.digest for r in done.outputs}
    words = set()
    for target in step.outputs:
        final = target.container.digest and PROVISIONAL not in target.container.marks
        same = made[target.state] == target.container.digest
        words.add(SAME if same else DIFFERS if final else UNKNOWN)
    return next((word for word in (DIFFERS, UNKNOWN) if word in words), SAME)


def record(plan: Plan, outcome: Outcome, verdict: Verdict) -> str | None:
    """Appends the verdict behind the record of the replay's run, wherever that went. Returns what
    is to be told where it could not be written; raises nothing for that: the replay stands."""
    made = outcome.result(plan.wanted)
    place = named(made.place) if made.place else Place(CONTAINER, made.path)
    words = Record(
        id=uuid4(),
        container=made.record.container,
        previous=None,
        recorded=from_ns(time.time_ns()),
        captured_by=RERUN,
        version=VERSION,
        run=None,
        origin=None,
        containers=(),
        replays=Replay(plan.wanted, plan.record.id),
        verdict=verdict,
    )
    try:
        there = read_place(place, words.container)
        if made.digest not in [stored.digest for stored in there]:
            return "the verdict is not recorded, since the record of the replay waits in the spool"
        said = [s.record.verdict for s in there if s.record and s.record.verdict]
        if verdict not in said:  # by an earlier start, which was interrupted
            append_to(place, words)
    except (FileError, OSError) as error:
        return f"the verdict could not be recorded: {error}"
    return None
