"""What a replay showed: for people, and as JSON (`sif_layouts/schemas/rerun.schema.json`)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from sifprov.comparison import FileComparison
from sifprov.model.canonical import Json, text_to_json
from sifprov.model.verdict import ALIKE, FILE_WORDS, SAME, UNKNOWN
from sifprov.render.colour import Palette
from sifprov.render.difference import details, difference_to_json
from sifprov.render.words import FILE_WORDS as TEXTS
from sifprov.replay.document import change_to_json
from sifprov.replay.job import Replayed
from sifprov.replay.judge import step_words, what_of, word_of
from sifprov.replay.steps import Done
from sifprov.rundiff.change import Change
from sifprov.rundiff.runs import platform
from sifprov.terminal import printable, size

SCHEMA = "sifprov.rerun/1"
_WORD = max(map(len, TEXTS.values()))
_LONGEST_NAME = 48
# Of more files that are the same, and more changes of the platform, --verbose has them all.
_FEW_FILES, _FEW_CHANGES = 20, 8
_MAX_TEXT = 100
# How many files show their lines.
_LOOKED_INTO = 10


class Shown:
    """Shows a replay to people. `width` is that of the terminal; None where there is none."""

    def __init__(
        self, done: Replayed, paint: Palette, *, width: int | None = None, verbose: bool = False
    ) -> None:
        self._done, self._paint, self._verbose = done, paint, verbose
        self._width = width or 10_000

    def lines(self) -> Iterator[str]:
        """Yields the lines; the verdict, in one word, is the last."""
        judgement = self._done.judgement
        for change in judgement.verdict.changes:
            texts = (_short(change.what), _short(change.before), _short(change.after))
            yield self._paint.odd("changed: {}: {} → {}".format(*texts))
        yield from self._steps()
        yield from self._files()
        yield from self._platform()
        for text in (judgement.earlier, judgement.changed):
            if text:
                yield self._paint.odd(printable(text))
        if judgement.earlier:
            yield "compared with what the replayed record tells of its files"
        if self._done.word == ALIKE:
            alike = judgement.verdict.counts[FILE_WORDS.index(ALIKE)]
            total = sum(judgement.verdict.counts)
            yield f"{alike:,} of {total:,} entries with other bytes are equal by their kind"
        yield f"the replay is in {printable(_near(self._done.into))}"
        yield self.verdict()

    def verdict(self) -> str:
        """The verdict in one word."""
        return self._coloured(self._done.word, self._done.word)

    def _coloured(self, word: str, text: str) -> str:
        paint = self._paint
        return {SAME: paint.good, ALIKE: paint.odd, UNKNOWN: paint.odd}.get(word, paint.bad)(text)

    def _steps(self) -> Iterator[str]:
        plan, outcome = self._done.plan, self._done.outcome
        if len(plan.steps) == 1:
            return
        same = 0
        for step, done, found in zip(
            plan.steps, outcome.done, step_words(plan, outcome), strict=True
        ):
            word = found.word
            if word == SAME and len(plan.steps) > _FEW_FILES and not self._verbose:
                same += 1
                continue
            names = ", ".join(printable(t.container.name) for t in step.outputs)
            took = "done before" if done.again else f"{done.seconds:.2f} s"
            text = "not recorded" if word == UNKNOWN else word
            shown = f"{self._coloured(word, text)}{' ' * (_WORD - len(text))}"
            yield f"  {shown}  run {printable(step.key[:8])}, {took}: {names}"
        if same:
            yield f"  {same:,} more runs came out the same (-v lists them)"

    def _files(self) -> Iterator[str]:
        rows = self._done.judgement.files.files
        shown = [row for row in rows if row.verdict != SAME]
        same = [row for row in rows if row.verdict == SAME and row.first and row.first.kind != "d"]
        listed = len(rows) if self._verbose else _FEW_FILES
        if len(same) <= listed:
            shown, same = sorted((*shown, *same), key=lambda row: row.path), []
        names = [printable(os.fsdecode(row.path)) for row in shown]
        width = min(max(map(len, names), default=0), _LONGEST_NAME)
        looked = 0
        for row, name in zip(shown, names, strict=True):
            yield from self._row(row, name, width)
            more = list(details(row.difference)) if row.difference else []
            if more and looked < _LOOKED_INTO:
                looked += 1
                yield from (f"      {line}" for line in more)
        if same:
            yield f"  {len(same):,} more are the same (-v lists them)"

    def _row(self, row: FileComparison, name: str, width: int) -> Iterator[str]:
        word, what = word_of(row), what_of(row) or _sizes(row)
        first = f"  {self._coloured(word, TEXTS[word])}{' ' * (_WORD - len(TEXTS[word]))}  "
        used = _WORD + 4 + max(len(name), width) + 2 + len(what)
        if used <= self._width:
            yield f"{first}{name:<{width}}  {what}".rstrip()
        else:
            yield first + name
            yield f"      {what}"

    def _platform(self) -> Iterator[str]:
        changes = _platform(self._done)
        if not changes:
            return
        yield "platform, original → replay:"
        most = len(changes) if self._verbose else _FEW_CHANGES
        for change in changes[:most]:
            texts = (_short(change.what), _or_none(change.first), _or_none(change.second))
            yield "  {}: {} → {}".format(*texts)
        if len(changes) > most:
            yield f"  … {len(changes) - most} more (-v lists them)"


def _near(path: str) -> str:
    """A path as one would type it here."""
    near = os.path.relpath(path)
    return path if near.startswith(os.pardir) else near


def _platform(done: Replayed) -> tuple[Change, ...]:
    recorded = done.plan.record.run
    now = done.outcome.result(done.plan.wanted).record.run
    return platform(recorded, now).changes if recorded and now else ()


def _or_none(text: str | None) -> str:
    return "none" if text is None else _short(text)


def _short(text: str) -> str:
    return printable(text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…")


def _sizes(row: FileComparison) -> str:
    sizes = (size(e.size) for e in (row.first, row.second) if e and e.size is not None)
    return " → ".join(dict.fromkeys(sizes))


def to_json(done: Replayed, notes: Iterable[str]) -> dict[str, Json]:
    """Returns what `sifprov rerun --json` prints."""
    plan, verdict, judgement = done.plan, done.judgement.verdict, done.judgement
    made = done.outcome.result(plan.wanted)
    return {
        "changes": [change_to_json(change) for change in plan.changes],
        "content": verdict.content,
        "counts": dict(zip(FILE_WORDS, verdict.counts, strict=True)),
        "digest": plan.wanted,
        "files": [_file(row) for row in judgement.files.files],
        "into": text_to_json(done.into),
        "notes": [text_to_json(note) for note in notes],
        "original": {
            "changed": _maybe(judgement.changed),
            "content": verdict.original,
            "instead": _maybe(judgement.earlier),
            "path": text_to_json(plan.original),
        },
        "platform": [
            {"original": _maybe(c.first), "replay": _maybe(c.second), "what": text_to_json(c.what)}
            for c in _platform(done)
        ],
        "record": str(plan.record.id),
        "replay": {"digest": made.digest, "record": str(made.record.id)},
        "schema": SCHEMA,
        "steps": [
            _step(d, w.word)
            for d, w in zip(done.outcome.done, step_words(plan, done.outcome), strict=True)
        ],
        "tolerance": verdict.tolerance,
        "verdict": verdict.result,
        "warnings": [text_to_json(text) for text in done.warnings],
    }


def _file(row: FileComparison) -> Json:
    return {
        "difference": difference_to_json(row.difference) if row.difference else None,
        "path": text_to_json(os.fsdecode(row.path)),
        "verdict": word_of(row),
        "what": what_of(row),
    }


def _step(done: Done, word: str) -> Json:
    return {
        "again": done.again,
        "argv": [text_to_json(a) for a in _argv(done)],
        "exit_code": done.code,
        "key": done.key,
        "milliseconds": round(done.seconds * 1000),
        "outputs": [{"content": r.tree.digest, "record": r.digest} for r in done.outputs],
        "verdict": word,
    }


def _argv(done: Done) -> tuple[str, ...]:
    """The command line with the names that the containers have in the end."""
    run = done.outputs[0].record.run
    return run.argv if run else done.argv


def _maybe(text: str | None) -> Json:
    return None if text is None else text_to_json(text)
