"""`verify` holds the verdict of a replay against the records that it names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.judged import make, recorded, replayed, tree_of
from tests.unit.sifs import IN

from sifprov.model.record import RERUN, Record, Replay
from sifprov.model.verdict import ALIKE, DIFFERS, SAME
from sifprov.placement import CONTAINER, Place, append_to, named
from sifprov.verify import Check, verify

OTHER = "sha256:" + "e" * 64
ELSE = "tree-v1:" + "e" * 64


def check_of(path: Path) -> Check:
    (check,) = (c for c in verify(str(path)).checks if c.name == "verdict")
    return check


@pytest.fixture
def judged(tmp_path: Path) -> Any:
    original = make(tmp_path / "out.sif", {"a": b"1"})
    return replayed(original, recorded(original), make(tmp_path / "new.sif", {"a": b"1"}))


def claim(judged: Any, change: Any) -> Check:
    """What verify says of a container with a verdict that was changed."""
    good = judged.judge().judgement.verdict
    plan = judged.plan
    record = Record(
        id=IN, container=judged.outcome.result(plan.wanted).record.container, previous=None,
        recorded="2026-05-28T20:30:00Z", captured_by=RERUN, version="0.1.0", run=None, origin=None,
        containers=(), replays=Replay(plan.wanted, plan.record.id), verdict=good,
    )  # fmt: skip
    append_to(Place(CONTAINER, str(judged.new)), change(record, good))
    return check_of(judged.new)


def test_a_verdict_that_fits_is_good(judged: Any) -> None:
    judged.judge()
    check = check_of(judged.new)
    assert (check.verdict.value, check.text) == ("good", "1 as the records say that they name")
    # What was replayed is embedded, and that is no remark.
    (lineage,) = (c for c in verify(str(judged.new)).checks if c.name == "lineage")
    assert [f.text for f in lineage.findings] == []


def test_a_container_without_one_has_no_such_check(judged: Any) -> None:
    assert "verdict" not in [c.name for c in verify(str(judged.new)).checks]


@pytest.mark.parametrize(
    ("change", "what", "says"),
    [
        (lambda r, v: replace(r, verdict=replace(v, original=ELSE, content=ELSE)), "broken",
         "came out, the record"),
        (lambda r, v: replace(r, verdict=replace(
            v, result=DIFFERS, counts=(1, 0, 1, 0, 0), content=ELSE)), "broken",
         f"it says that {ELSE}"),
        (lambda r, v: replace(r, verdict=replace(v, run=Replay(v.run.record, IN))), "broken",
         "is not the record of the replay"),
        (lambda r, v: replace(r, verdict=replace(v, run=Replay(r.replays.record, r.replays.id))),
         "broken", "is not the record of the replay"),
        (lambda r, v: replace(r, replays=Replay(r.replays.record, IN)), "broken",
         "replayed another record"),
        (lambda r, v: replace(r, replays=Replay(OTHER, r.replays.id)), "broken",
         "replayed another record"),
        (lambda r, v: replace(r, verdict=replace(v, run=Replay(OTHER, v.run.id))), "missing",
         "is not at hand"),
        (lambda r, v: replace(r, verdict=replace(
            v, result=ALIKE, counts=(1, 1, 0, 0, 0), original=ELSE)), "good", ""),
    ],
)  # fmt: skip
def test_one_that_does_not_is_told(judged: Any, change: Any, what: str, says: str) -> None:
    check = claim(judged, change)
    assert check.verdict.value == what, check
    assert any(says in finding.text for finding in check.findings)
    if what == "good":
        assert f"the original held {ELSE} then" in check.findings[0].text


def test_what_was_replayed_may_be_lost(tmp_path: Path) -> None:
    original = make(tmp_path / "out.sif", {"a": b"1"})
    wanted = recorded(original)
    new = make(tmp_path / "new.sif", {"a": b"1"})
    judged = replayed(original, wanted, new)
    judged.judge()
    bare = make(tmp_path / "bare.sif", {"a": b"1"})
    stored, again = recorded(bare, replays=Replay(*_swapped(wanted)))
    (result,) = judged.outcome.done[0].outputs
    done = replace(
        judged.outcome.done[0],
        outputs=(replace(result, path=str(bare), digest=stored, record=again, tree=tree_of(bare)),),
    )
    found = replace(judged, outcome=replace(judged.outcome, done=(done,)), new=bare).judge()
    assert found.word == SAME
    check = check_of(bare)
    assert check.verdict.value == "missing"
    assert "the replayed record" in check.text


def _swapped(wanted: tuple[str, Record]) -> tuple[str, Any]:
    digest, record = wanted
    return digest, record.id


def test_what_was_replayed_may_stand_in_a_place_of_many(tmp_path: Path) -> None:
    original, place = make(tmp_path / "out.sif", {"a": b"1"}), str(tmp_path / "all.jsonl")
    made, digest = append_to(named(place), recorded(original)[1])
    wanted = digest, made
    new = make(tmp_path / "new.sif", {"a": b"1"})
    stored, again = recorded(new, replays=Replay(*_swapped(wanted)))
    judged = replayed(original, wanted, make(tmp_path / "x.sif", {"a": b"1"}))
    (result,) = judged.outcome.done[0].outputs
    moved = replace(result, path=str(new), digest=stored, record=again, tree=tree_of(new))
    done = replace(judged.outcome.done[0], outputs=(moved,))
    replace(judged, outcome=replace(judged.outcome, done=(done,)), new=new).judge()
    assert check_of(new).verdict.value == "missing"
    (check,) = (c for c in verify(str(new), metadata=place).checks if c.name == "verdict")
    assert check.verdict.value == "good"


def test_what_led_to_the_replayed_run_belongs_there(tmp_path: Path) -> None:
    """Where something is missing, what nobody names would count as changed."""
    original = make(tmp_path / "out.sif", {"a": b"1"})
    before = recorded(original)
    wanted = recorded(original, id=IN)
    new = make(tmp_path / "new.sif", {"a": b"1"})
    embeds = {before[0]: before[1].to_bytes(), wanted[0]: wanted[1].to_bytes()}
    gone = replace(before[1].containers[0], role="input", record="sha256:" + "a" * 64)
    recorded(
        new, replays=Replay(wanted[0], IN), embeds=embeds,
        containers=(*before[1].containers[:1], gone, recorded(new, id=IN)[1].containers[1]),
    )  # fmt: skip
    (lineage,) = (c for c in verify(str(new)).checks if c.name == "lineage")
    assert lineage.verdict.value == "missing"
    assert not [f for f in lineage.findings if f.verdict.value == "broken"]
