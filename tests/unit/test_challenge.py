"""The queries of the First Provenance Challenge, asked of a catalog; docs/queries.md has the
table."""

from __future__ import annotations

import pytest
from tests.catalogs import Opened
from tests.unit.asking import Asking, names, texts
from tests.unit.brain import AXES, FIRST, NUMBERS, SECOND, Brain

BRAIN = Brain()


@pytest.fixture
def brain(opened: Opened) -> Asking:
    return Asking(opened, BRAIN.records())


def test_4_align_warp_with_twelve_parameters_on_a_monday(brain: Asking) -> None:
    found = brain.find("activity=align_warp", "argument=-m 12", "weekday=monday")
    assert sorted(texts(found, "outputs")) == [f"warp{n}.sif" for n in NUMBERS]
    assert brain.find("activity=align_warp", "argument=-m 12", "weekday=tuesday").rows == ()
    assert brain.left("arg.m=8") == [f"warp{n}.sif" for n in NUMBERS]
    assert len(brain.find("activity=align_warp", "arg.m>=8").rows) == 8


def test_5_graphics_of_an_input_with_this_maximum(brain: Asking) -> None:
    (anatomy,) = brain.ids("tag.global_maximum=4095")
    found = brain.impact(anatomy, where=("activity=convert",))
    assert names(found) == [f"atlas-{a}.gif.sif" for a in AXES]
    assert set(found.column("depth")) == {5}


def test_6_averages_behind_align_warp_with_this_argument(brain: Asking) -> None:
    runs = brain.ids("activity=align_warp", "argument=-m 12")
    assert len(runs) == 4
    found = brain.impact(*runs, where=("activity=softmean",))
    assert found.column("run") == [BRAIN.of[FIRST, "atlas.sif"].generated_by]
    assert found.column("depth") == [2]


def test_7_the_difference_of_two_executions(brain: Asking) -> None:
    steps = [
        {row[3] for row in brain.query("q1", execution=str(which)).rows}
        for which in (FIRST, SECOND)
    ]  # fmt: skip
    assert steps[0] - steps[1] == {"convert"}
    assert steps[1] - steps[0] == {"pgmtoppm", "pnmtojpeg"}


def test_8_outputs_of_align_warp_of_annotated_inputs(brain: Asking) -> None:
    found = brain.ids("tag.center=UChicago", "kind=making")
    assert len(found) == 2
    below = brain.impact(*found, where=("activity=align_warp",), depth=1)
    assert names(below) == ["warp1.sif"] * 2 + ["warp2.sif"] * 2


def test_9_annotated_graphics_with_all_their_annotations(brain: Asking) -> None:
    found = [
        row for modality in ("speech", "visual", "audio")
        for row in brain.find(f"tag.studyModality={modality}", "workflow=brain").dicts()
    ]  # fmt: skip
    assert {name for row in found for name in row["outputs"]} == {  # type: ignore[union-attr]
        "atlas-x.gif.sif", "atlas-y.gif.sif", "atlas-x.pnmtojpeg.sif", "atlas-y.pnmtojpeg.sif",
    }  # fmt: skip
    assert {row["tags"] for row in found} == {
        ("quality=draft", "studyModality=speech"), ("quality=draft", "studyModality=visual"),
    }  # fmt: skip
