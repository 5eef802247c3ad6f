"""The verdict of a replay: file by file, recorded once, and of no content that was not read."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from tests.unit.graphs import small
from tests.unit.judged import Contents, Judged, make, recorded, replayed, tree_of
from tests.unit.replays import planned
from tests.unit.schemas import problems
from tests.unit.sifs import IN
from tests.unit.test_pictures import drawn, saved

from sifprov.commands.replayed import Shown, to_json
from sifprov.errors import MissingError
from sifprov.model.container import PROVISIONAL
from sifprov.model.record import Replay
from sifprov.model.verdict import (
    ALIKE,
    DIFFERS,
    FILE_WORDS,
    MAX_FILES,
    ONLY_ORIGINAL,
    ONLY_REPLAY,
    SAME,
    UNKNOWN,
    Changed,
)
from sifprov.placement import CONTAINER, Place, append_to, read_place
from sifprov.render.colour import Palette
from sifprov.replay.claim import claim
from sifprov.replay.job import Replayed
from sifprov.replay.judge import step_words
from sifprov.replay.steps import Change, Done, Step, Target
from sifprov.replay.work import key_of, next_name, work_folder

FILES: Contents = {"a.txt": b"a\n", "d": None, "sub/b*": b"b"}


def both(folder: Path, first: Contents, second: Contents) -> Judged:
    original = make(folder / "out.sif", first)
    return replayed(original, recorded(original), make(folder / "new.sif", second))


def records(path: Path) -> list[str]:
    """The kinds of the records in a container."""
    stored = read_place(Place(CONTAINER, str(path)))
    return [s.record.kind if s.record else "broken" for s in stored]


def words(done: Replayed) -> dict[str, tuple[str, str]]:
    return {f.path.removeprefix("Outputs/"): (f.word, f.what) for f in done.judgement.verdict.files}


def shown(done: Replayed, **options: int | bool) -> list[str]:
    width = options.pop("width", None)
    return list(Shown(done, Palette(), width=width, verbose=bool(options.get("verbose"))).lines())


def test_the_same_in_every_byte_is_the_same(tmp_path: Path) -> None:
    before = both(tmp_path, FILES, FILES)
    original = (tmp_path / "out.sif").read_bytes()
    done = before.judge()
    verdict = done.judgement.verdict
    assert (done.word, done.same, done.warnings) == (SAME, True, ())
    assert verdict.counts == (5, 0, 0, 0, 0)  # with Outputs and the two folders
    assert verdict.original == verdict.content == tree_of(tmp_path / "out.sif").digest
    assert verdict.files == () == verdict.steps
    assert shown(done)[-1] == "same"
    assert (tmp_path / "out.sif").read_bytes() == original

    (stored,) = read_place(Place(CONTAINER, str(before.new)))[-1:]
    assert stored.record
    assert records(before.new) == ["origin", "run", "verdict"]
    assert stored.record.verdict == verdict
    assert stored.record.replays == Replay(before.plan.wanted, before.plan.record.id)
    assert verdict.run.record == stored.record.previous == identify_newest(before)


def identify_newest(of: Judged) -> str:
    """The digest of the replay's run."""
    return of.outcome.result(of.plan.wanted).digest


def test_a_verdict_is_recorded_once(tmp_path: Path) -> None:
    before = both(tmp_path, FILES, FILES)
    before.judge()
    before.judge()
    assert records(before.new) == ["origin", "run", "verdict"]
    before.judge(tolerance=Decimal("0.5"))  # which is another one
    assert records(before.new) == ["origin", "run", "verdict", "verdict"]


def test_no_verdict_goes_before_the_record_of_the_run(tmp_path: Path) -> None:
    before = both(tmp_path, FILES, FILES)
    (result,) = before.outcome.done[0].outputs
    waits = replace(result, digest="sha256:" + "d" * 64)
    done = replace(before.outcome.done[0], outputs=(waits,))
    found = replace(before, outcome=replace(before.outcome, done=(done,))).judge()
    assert found.word == SAME
    assert "waits in the spool" in found.warnings[0]
    assert records(before.new) == ["origin", "run"]


def test_a_container_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    before = both(tmp_path, FILES, FILES)
    (result,) = before.outcome.done[0].outputs
    lost = replace(result, place=str(tmp_path / "none" / "records.jsonl"))
    done = replace(before.outcome.done[0], outputs=(lost,))
    found = replace(before, outcome=replace(before.outcome, done=(done,))).judge()
    assert "could not be recorded" in found.warnings[0] or "waits" in found.warnings[0]


def test_each_file_gets_its_word_and_what_differs(tmp_path: Path) -> None:
    picture = drawn(size=(8, 8))
    other = picture.copy()
    other.putpixel((1, 1), (1, 1, 1))
    first: Contents = {
        "date.png": saved(picture, "2020"), "dot.png": saved(picture), "fit.csv": b"x\n1.0\n",
        "kind": b"1", "log": b"one\n", "gone": b"x", "same": b"s", "bits": b"\0\1", "run": b"#!",
    }  # fmt: skip
    second: Contents = {
        "date.png": saved(picture, "2026"), "dot.png": saved(other), "fit.csv": b"x\n1.0001\n",
        "kind": None, "log": b"two\n", "new": b"y", "same": b"s", "bits": b"\0\2", "run*": b"#!",
    }  # fmt: skip
    before = both(tmp_path, first, second)
    done = before.judge()
    assert done.word == DIFFERS and not done.same
    assert words(done) == {
        "bits": (DIFFERS, "1 byte differs, the first at 1"),
        "date.png": (ALIKE, "all 64 pixels are the same"),
        "dot.png": (DIFFERS, words(done)["dot.png"][1]),
        "fit.csv": (DIFFERS, "1 of 1 numbers differ, by at most 0.0001 (0.0100 %)"),
        "gone": (ONLY_ORIGINAL, ""),
        "kind": (DIFFERS, "another kind of file"),
        "log": (DIFFERS, "line 1 is the first that differs"),
        "new": (ONLY_REPLAY, ""),
        "run": (DIFFERS, "only one may be executed"),
    }
    assert words(done)["dot.png"][1].startswith("1 of 64 pixels differ, by at most ")
    assert done.judgement.verdict.counts == (2, 1, 6, 1, 1)
    # Those that are alike come last.
    assert [f.word for f in done.judgement.verdict.files][-1] == ALIKE
    assert problems("sifprov.rerun/1", json.loads(json.dumps(to_json(done, ["a note"])))) == []
    text = "\n".join(shown(done))
    assert "  alike                 Outputs/date.png  all 64 pixels are the same" in text
    assert "      -one\n      +two" in text
    assert "  only in the replay    Outputs/new       1 B" in text
    assert text.endswith("\ndiffers")


def test_what_is_equal_by_its_kind_is_alike(tmp_path: Path) -> None:
    first: Contents = {"t.csv": b"x\n1.0\n", "same": b""}
    before = both(tmp_path, first, {**first, "t.csv": b"x\n1.0001\n"})
    assert before.judge().word == DIFFERS
    done = before.judge(tolerance=Decimal("0.001"))
    assert (done.word, done.same) == (ALIKE, True)
    assert done.judgement.verdict.tolerance == "0.001"
    assert shown(done)[-3] == "1 of 3 entries with other bytes are equal by their kind"
    assert shown(done)[-1] == "alike"
    document = to_json(done, ())
    assert document["verdict"] == "alike"
    assert document["tolerance"] == "0.001"


def test_a_picture_that_may_be_executed_is_another_kind(tmp_path: Path) -> None:
    old, new = saved(drawn(size=(8, 8)), "2020"), saved(drawn(size=(8, 8)), "2026")
    done = both(tmp_path, {"a.png": old}, {"a.png*": new}).judge()
    what = "all 64 pixels are the same; only one may be executed"
    assert words(done) == {"a.png": (DIFFERS, what)}


def test_names_of_any_bytes_harm_nobody(tmp_path: Path) -> None:
    name = os.fsdecode(b"\x1b[2J\xff\n")
    done = both(tmp_path, {name: b"1"}, {name: b"2"}).judge()
    assert "\x1b" not in "".join(shown(done))
    assert "\n" not in "".join(shown(done))
    assert problems("sifprov.rerun/1", json.loads(json.dumps(to_json(done, ())))) == []


def test_of_many_files_the_first_are_listed(tmp_path: Path) -> None:
    first = {f"{n:03d}": b"x" for n in range(MAX_FILES + 20)}
    second = {**first, **dict.fromkeys(list(first)[1:], b"y")}
    done = both(tmp_path, first, second).judge()
    assert len(done.judgement.verdict.files) == MAX_FILES
    assert done.judgement.verdict.counts[FILE_WORDS.index(DIFFERS)] == MAX_FILES + 19


def test_a_path_that_is_too_long_is_counted_alone(tmp_path: Path) -> None:
    deep = "/".join(["x" * 200] * 25)
    before = both(tmp_path, {"a": b"1"}, {"a": b"2"})
    (result,) = before.outcome.done[0].outputs
    entry = result.tree.entries[-1]
    long = replace(result.tree, entries=(*result.tree.entries, replace(entry, path=deep.encode())))
    done = replace(before.outcome.done[0], outputs=(replace(result, tree=long),))
    verdict = (
        replace(before, outcome=replace(before.outcome, done=(done,))).judge().judgement.verdict
    )
    assert [f.path for f in verdict.files] == ["Outputs/a"]
    assert sum(verdict.counts[1:]) == 2


def test_an_original_that_was_changed_is_told(tmp_path: Path) -> None:
    original = make(tmp_path / "out.sif", {"a": b"changed"})
    was = tree_of(make(tmp_path / "was.sif", {"a": b"recorded"}))
    before = replayed(
        original, recorded(original, was), make(tmp_path / "n.sif", {"a": b"recorded"})
    )
    done = before.judge()
    assert done.word == DIFFERS
    assert done.judgement.changed
    assert f"not the recorded {was.digest}" in done.judgement.changed
    assert done.judgement.verdict.original == tree_of(original).digest
    assert done.judgement.changed in shown(done)
    assert to_json(done, ())["original"]["changed"] == done.judgement.changed  # type: ignore[index,call-overload]


def test_what_was_not_the_last_word_is_no_change(tmp_path: Path) -> None:
    original = make(tmp_path / "out.sif", {"a": b"1"})
    _, of = recorded(original, tree_of(make(tmp_path / "was.sif", {"a": b"0"})))
    it = of.itself()
    assert it
    provisional = replace(it, marks=(PROVISIONAL,), reason="process 7")
    wanted = append_to(
        Place(CONTAINER, str(original)),
        replace(of, id=IN, containers=(*of.containers[:-1], provisional)),
    )
    done = replayed(original, wanted[::-1], make(tmp_path / "new.sif", {"a": b"1"})).judge()
    assert (done.word, done.judgement.changed) == (SAME, None)


def test_an_earlier_state_is_compared_as_its_record_tells_it(tmp_path: Path) -> None:
    """Contents that have gone are not spoken of; those that still stand are looked into."""
    original = make(tmp_path / "out.sif", {"kept": b"x 1\n", "gone": b"later", "more": b"m"})
    was = tree_of(make(tmp_path / "was.sif", {"kept": b"x 1\n", "gone": b"then!"}))
    wanted = recorded(original, was)
    recorded(original, id=IN)
    new = make(tmp_path / "new.sif", {"kept": b"x 2\n", "gone": b"now!!"})
    done = replayed(original, wanted, new).judge()
    assert done.judgement.earlier == f"later runs have changed {original}"
    assert done.judgement.changed is None
    assert done.judgement.verdict.original == was.digest
    assert words(done) == {
        "gone": (DIFFERS, "the recorded content is not at hand"),
        "kept": (DIFFERS, "1 of 1 numbers differ, by at most 1 (50.0 %)"),
    }
    assert "compared with what the replayed record tells of its files" in shown(done)


def test_the_same_as_an_earlier_state(tmp_path: Path) -> None:
    original = make(tmp_path / "out.sif", {"a": b"2"})
    was = make(tmp_path / "new.sif", {"a": b"1"})
    wanted = recorded(original, tree_of(was))
    recorded(original, id=IN)
    assert replayed(original, wanted, was).judge().word == SAME


def test_a_record_of_another_container_is_compared_by_its_list(tmp_path: Path) -> None:
    ancestor = make(tmp_path / "middle.sif", {"a": b"1"})
    wanted = recorded(ancestor)
    original = make(tmp_path / "out.sif", {"b": b"1"})
    done = replayed(original, wanted, make(tmp_path / "new.sif", {"a": b"2"})).judge()
    assert done.judgement.earlier == f"{original} is another container than middle.sif"
    assert words(done) == {"a": (DIFFERS, "the recorded content is not at hand")}


def test_without_a_list_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    original = make(tmp_path / "out.sif", {"a": b"2"})
    _, of = recorded(original, tree_of(make(tmp_path / "was.sif", {"a": b"1"})))
    it = of.itself()
    assert it
    bare = replace(of, containers=(*of.containers[:-1], replace(it, files=None)), id=IN)
    done, digest = append_to(Place(CONTAINER, str(original)), bare)
    recorded(original)
    with pytest.raises(MissingError, match="lists no files to compare with"):
        replayed(original, (digest, done), make(tmp_path / "new.sif", {"a": b"3"})).judge()


def test_what_the_user_changed_is_recorded(tmp_path: Path) -> None:
    before = both(tmp_path, FILES, FILES)
    plan = replace(before.plan, changes=(Change("argument 3", "10", "x" * 5000),))
    forced = replace(
        plan.last.application, changed="it is another one", digest="image-v1:" + "7" * 64
    )
    plan = replace(plan, steps=(replace(plan.last, application=forced),))
    done = replace(before, plan=plan).judge()
    assert done.judgement.verdict.changes == (
        Changed("argument 3", "10", "x" * 1024),
        Changed("application app.sif", plan.record.containers[0].digest or "", forced.digest or ""),
    )
    assert records(before.new)[-1] == "verdict"
    assert shown(done)[0] == f"changed: argument 3: 10 → {'x' * 100}…"


def test_steps_are_compared_by_their_digests(tmp_path: Path) -> None:
    before = both(tmp_path, FILES, FILES)
    step, done = before.plan.last, before.outcome.done[0]
    (target,) = step.outputs

    def other(key: str, digest: str | None, marks: tuple[str, ...] = ()) -> tuple[Step, Done]:
        it = replace(target.container, digest=digest, marks=marks, reason="x")
        new: Target = replace(target, container=it, state=key)
        result = replace(done.outputs[0], state=key)
        return replace(step, key=key, outputs=(new,)), replace(done, key=key, outputs=(result,))

    several = [
        other("a", "tree-v1:" + "1" * 64),
        other("b", None),
        other("c", "tree-v1:" + "1" * 64, (PROVISIONAL,)),
        (step, done),
    ]
    plan = replace(before.plan, steps=tuple(s for s, _ in several))
    outcome = replace(before.outcome, done=tuple(d for _, d in several))
    found = [word.word for word in step_words(plan, outcome)]
    assert found == [DIFFERS, UNKNOWN, UNKNOWN, SAME]
    replay = replace(before, plan=plan, outcome=outcome).judge()
    assert [word.word for word in replay.judgement.verdict.steps] == found
    text = shown(replay)
    assert text[0] == "  differs               run a, 0.50 s: out.sif"
    assert text[1] == "  not recorded          run b, 0.50 s: out.sif"
    assert problems("sifprov.rerun/1", json.loads(json.dumps(to_json(replay, ())))) == []


def test_of_many_steps_those_that_are_the_same_are_counted(tmp_path: Path) -> None:
    before = both(tmp_path, FILES, FILES)
    step, done = before.plan.last, before.outcome.done[0]
    keys = [f"{n}" for n in range(30)]
    plan = replace(before.plan, steps=tuple(replace(step, key=k) for k in keys))
    outcome = replace(before.outcome, done=tuple(replace(done, key=k) for k in keys))
    replay = replace(before, plan=plan, outcome=outcome).judge()
    assert shown(replay)[0] == "  30 more runs came out the same (-v lists them)"
    assert sum("run 1" in line for line in shown(replay, verbose=True)) == 11


def test_a_narrow_terminal_gets_two_lines_a_file(tmp_path: Path) -> None:
    done = both(tmp_path, {"a" * 60: b"\0\1"}, {"a" * 60: b"\0\2"}).judge()
    narrow, wide = shown(done, width=60), shown(done, width=200)
    at = next(n for n, line in enumerate(narrow) if "a" * 60 in line)
    assert narrow[at].endswith("a" * 60)
    assert narrow[at + 1] == "      1 byte differs, the first at 1"
    assert any(line.endswith("a  1 byte differs, the first at 1") for line in wide)


def test_what_is_the_same_is_listed_where_it_is_little(tmp_path: Path) -> None:
    many = {f"{n:03d}": b"x" for n in range(30)}
    done = both(tmp_path, many, {**many, "000": b"y"}).judge()
    assert "  29 more are the same (-v lists them)" in shown(done)
    assert sum(line.startswith("  same ") for line in shown(done, verbose=True)) == 29


def test_the_next_name_is_one_that_is_free(tmp_path: Path) -> None:
    plan = replace(planned(small()), original=str(tmp_path / "o.sif"))
    other = replace(plan, wanted="sha256:" + "0" * 64)
    assert next_name(plan) == str(tmp_path / "o.rerun-1.sif")
    (tmp_path / "o.rerun-1.sif").symlink_to("nowhere")
    assert next_name(plan) == str(tmp_path / "o.rerun-2.sif")
    held = claim(str(tmp_path / ".o.rerun-2.sif.parts"), key_of(other))
    assert held
    assert next_name(plan) == str(tmp_path / "o.rerun-3.sif")
    assert next_name(other) == str(tmp_path / "o.rerun-2.sif")
    held.release()
    assert os.listdir(tmp_path / ".o.rerun-2.sif.parts") == ["plan.json"]
    with work_folder(plan) as work:
        assert work.into == str(tmp_path / "o.rerun-3.sif")
