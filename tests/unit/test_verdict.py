"""The verdict as a record: read strictly, and shown with the run that it is about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.graphs import replayed as replayed_graph
from tests.unit.judged import make, recorded, replayed
from tests.unit.sifs import IN, TREE
from tests.unit.test_schemas import RECORDS

from sifprov.annotate import annotate
from sifprov.errors import NoRecordError, RecordError
from sifprov.lineage import build
from sifprov.model.annotation import make as words
from sifprov.model.canonical import dumps
from sifprov.model.record import RUN, VERDICT, Record, Replay
from sifprov.model.verdict import (
    ALIKE,
    DIFFERS,
    FILE_WORDS,
    MAX_FILES,
    ONLY_REPLAY,
    SAME,
    Changed,
    FileWord,
    StepWord,
    Verdict,
    result_of,
)
from sifprov.placement import CONTAINER, Place, read_place
from sifprov.render.detail import of_activity
from sifprov.render.scene import scene
from sifprov.render.tree import draw, render
from sifprov.render.words import verdict_text
from sifprov.rundiff import diff_runs, read_run
from sifprov.trail import read_trail

OTHER = "tree-v1:" + "7" * 64
ABOUT = Replay("sha256:" + "5" * 64, IN)
RECORD = RECORDS["verdict that differs"]


def document(**changes: Any) -> dict[str, Any]:
    assert RECORD.verdict
    return {**RECORD.to_json(), "verdict": {**RECORD.verdict.to_json(), **changes}}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"result": "same"}, "verdict.result: is not what the counts say"),
        ({"result": "unknown"}, "verdict.result: not one of same, alike, differs"),
        ({"content": TREE}, "verdict.result: is not what the content digests say"),
        ({"counts": {**dict.fromkeys(FILE_WORDS, 0), "differs": 1}}, "verdict.files: more than"),
        ({"counts": {"same": 1}}, "verdict.counts.alike: missing"),
        ({"counts": {**dict.fromkeys(FILE_WORDS, 0), "else": 1}}, "verdict.counts.else: unknown"),
        ({"counts": dict.fromkeys(FILE_WORDS, -1)}, "verdict.counts.same: not an integer"),
        ({"counts": dict.fromkeys(FILE_WORDS, 2**53 + 1)}, "verdict.counts.same: not an integer"),
        (
            {"files": [{"path": "a", "verdict": "same", "what": ""}]},
            "verdict.files[0].verdict: not",
        ),
        ({"files": [{"path": "a", "verdict": "alike"}]}, "verdict.files[0].what: missing"),
        ({"files": [{"path": "x" * 4097, "verdict": "alike", "what": ""}]}, "longer than 4096"),
        ({"files": [{"path": "x", "verdict": "alike", "what": "x" * 1025}]}, "longer than 1024"),
        ({"files": [{}] * (MAX_FILES + 1)}, "verdict.files: more than 100 entries"),
        ({"changes": [{}] * 257}, "verdict.changes: more than 256 entries"),
        ({"steps": [{}] * 65_537}, "verdict.steps: more than 65536 entries"),
        ({"tolerance": "-1"}, "verdict.tolerance: not the text of a number"),
        ({"tolerance": "1" * 65}, "verdict.tolerance: not the text of a number"),
        ({"tolerance": {"base64": "MQ=="}}, "verdict.tolerance: not a string"),
        ({"run": None}, "verdict.run: not an object"),
        ({"more": 1}, "verdict.more: unknown field"),
    ],
)
def test_one_that_contradicts_itself_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(RecordError) as error:
        Record.from_json(document(**changes))
    assert says in str(error.value)


def test_it_stands_alone_and_says_what_was_replayed() -> None:
    for field in ("run", "origin"):
        other = RECORDS[field].to_json()
        assert isinstance(other, dict)
        with pytest.raises(RecordError, match="exactly one of"):
            Record.from_json({**document(), field: other[field]})
    with pytest.raises(RecordError, match="replays: missing"):
        Record.from_json({**document(), "replays": None})
    assert RECORD.verdict
    assert (RECORD.kind, RECORD.about) == (VERDICT, RECORD.verdict.run)


_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@given(
    st.tuples(*[st.integers(0, 3)] * len(FILE_WORDS)),
    st.lists(st.builds(FileWord, _TEXT, st.sampled_from(FILE_WORDS[1:]), _TEXT), max_size=12),
    st.lists(st.builds(Changed, _TEXT, _TEXT, _TEXT), max_size=3),
    st.none() | st.decimals(0, allow_nan=False, allow_infinity=False).map(str),
)
def test_any_verdict_comes_back(
    counts: tuple[int, ...], files: list[FileWord], changes: list[Changed], tolerance: str | None
) -> None:
    result = result_of(counts)
    kept = tuple(files[: sum(counts[1:])])
    limit = tolerance if tolerance and len(tolerance) <= 64 else None
    made = Verdict(
        result, ABOUT, TREE, TREE if result == SAME else OTHER, counts, kept, limit,
        tuple(changes), (StepWord(IN, SAME),),
    )  # fmt: skip
    assert Verdict.from_json(made.to_json(), "") == made
    assert dumps(made.to_json())


@pytest.mark.parametrize(
    ("counts", "changes", "text"),
    [
        ((3, 0, 0, 0, 0), 0, "same"),
        ((3, 0, 0, 0, 0), 1, "same, with 1 change by the user"),
        ((3, 1, 0, 0, 0), 0, "alike: 1 of 4 entries with other bytes are equal by their kind"),
        ((3, 1, 1000, 1, 1), 2, "differs in 1,002 of 1,006 entries, with 2 changes by the user"),
    ],
)
def test_its_words(counts: tuple[int, ...], changes: int, text: str) -> None:
    several = (Changed("x", "a", "b"),) * changes
    result = result_of(counts)
    assert verdict_text(Verdict(result, ABOUT, TREE, TREE, counts, changes=several)) == text


def test_pictures_and_page_tell_it_with_the_run() -> None:
    graph = replayed_graph()
    (key,) = (k for k, a in graph.activities.items() if a.kind == RUN)
    (box,) = (b for b in scene(graph).boxes.values() if b.key == key)
    assert "replay: differs" in box.lines
    activity = graph.activities[key]
    good = Verdict(
        ALIKE, ABOUT, TREE, OTHER, (1, 1, 0, 0, 0),
        (FileWord("a.png", ALIKE, "all 9 pixels are the same"),), "0.1",
        (Changed("argument 3", "1", "2"),), (StepWord(IN, SAME),),
    )  # fmt: skip
    record = replace(activity.words[-1], verdict=good)
    rows = dict(of_activity(replace(activity, words=(record,)), {}))["Verdict"]
    assert [row[:2] for row in rows] == [
        ["the replay", verdict_text(good)],
        ["compared with", TREE],
        ["came out", OTHER],
        ["tolerance", "0.1"],
        ["changed: argument 3", "1 → 2"],
        ["a.png", "alike; all 9 pixels are the same"],
        [f"run {IN}", "same"],
    ]


def test_one_about_a_run_that_is_not_at_hand_is_shown_alone() -> None:
    graph = replayed_graph()
    (word,) = (w for a in graph.activities.values() for w in a.words)
    assert word.replays
    loose = replace(graph, words=(word,))
    assert draw(loose).endswith(f"\nreplay of record {word.replays.id}: differs in 1 of 4 entries")


def test_the_newest_run_is_still_the_newest(tmp_path: Path) -> None:
    original = make(tmp_path / "out.sif", {"a": b"1"})
    before = replayed(original, recorded(original), make(tmp_path / "new.sif", {"a": b"1"}))
    before.judge()
    path = str(before.new)
    run = before.outcome.result(before.plan.wanted).record
    assert annotate(path, words(["x"])).about.id == run.id
    stored = read_place(Place(CONTAINER, path))
    (verdict,) = (s.record for s in stored if s.record and s.record.verdict)
    with pytest.raises(NoRecordError, match="no record of a run or a making"):
        annotate(path, words(["x"]), str(verdict.id))
    found = read_run(path)
    assert found.digest == before.outcome.result(before.plan.wanted).digest
    assert [w.notes for w in found.words] == [("x",)]
    assert diff_runs(read_run(str(original)), found).same
    trail = read_trail(path)
    graph = build(trail)
    making, activity = graph.activities.values()
    assert (making.kind, activity.kind) == ("origin", "run")
    assert [w.kind for w in activity.words] == ["verdict", "annotation"]
    assert f"replay of record {before.plan.record.id}: same" in render(trail)
    # The verdict makes no state of its own: there is one target, which the run made.
    (target,) = (graph.entities[key] for key in graph.targets)
    assert target.generated_by == str(run.id)


def test_what_is_only_there_is_a_difference() -> None:
    assert result_of((5, 5, 0, 0, 1)) == DIFFERS
    assert FILE_WORDS[-1] == ONLY_REPLAY
