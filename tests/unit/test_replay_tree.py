"""The plan of a replay as a tree: what is found where, what is made, and nothing that acts on a
terminal."""

from __future__ import annotations

import unicodedata

from tests.unit.graphs import SAMPLES, chain, rewritten, small
from tests.unit.replays import Shelf, planned

from sifprov.commands.replayplan import PlanTree
from sifprov.frozen import replace
from sifprov.render.colour import Palette
from sifprov.replay.document import paths
from sifprov.replay.steps import BY_UUID, SEARCHED, Change, Found, Plan


def draw(plan: Plan, **options: bool) -> list[str]:
    return list(PlanTree(plan, paths(plan, "/tmp/new.sif"), Palette(), **options).lines())


def test_one_run_is_drawn_flat() -> None:
    lines = draw(planned(small()))
    assert lines[0].startswith("replay of /home/ada/output.sif, run 00000000 of 2026-05-28 ")
    assert lines[1:] == [
        "├─ application gnuplot.sif",
        "│     /home/ada/gnuplot.sif (where it was)",
        "├─ input middle.sif at /Inputs",
        "│     /home/ada/middle.sif (where it was)",
        "└─ output output.sif at /Outputs",
        "      /tmp/new.sif, empty at first",
    ]


def test_several_stand_below_each_other() -> None:
    plan = planned(chain(2), from_origin=True)
    lines = draw(plan)
    assert lines[0].endswith(" in 2 steps")
    assert [line for line in lines if "step " in line] == [
        "├─ step 1: run 00000000",
        "└─ step 2: run 00000000",
        "   ├─ input step-0000.sif at /Inputs: made by step 1",
    ]
    assert "│        on the way, empty at first" in lines
    assert "│        /tmp/new.parts/step-0000.sif, empty at first" in draw(plan, keep=True)
    assert lines[-1] == "         /tmp/new.sif, empty at first"


def test_what_goes_on_from_an_earlier_step_says_from_which() -> None:
    lines = draw(planned(rewritten(2), from_origin=True))
    assert lines[-1].endswith("/tmp/new.sif, goes on from what step 1 makes of it")


def test_commands_are_shown_where_they_are_asked_for() -> None:
    lines = draw(planned(small()), commands=True)
    assert lines[-1].startswith("└─ $ /usr/bin/singularity exec ")
    assert "/tmp/new.sif:/Outputs" in lines[-1]
    assert not any("$" in line for line in draw(planned(small())))


def test_a_long_plan_has_one_line_a_step() -> None:
    plan = planned(chain(20), from_origin=True)
    lines = draw(plan)
    assert len(lines) == 21
    assert lines[1].startswith("├─ step 1: run 00000000  $ sh -c ")
    assert len(draw(plan, whole=True)) > 100


def test_what_is_odd_is_told() -> None:
    plan = planned(small(), Shelf(changed=["middle.sif"]), force=True)
    (step,) = plan.steps
    found = step.inputs[0]
    assert isinstance(found, Found)
    odd = replace(
        found, where=SEARCHED, by=BY_UUID, moved="there is nothing", passed=("x.sif is another",)
    )
    change = Change("argument 3", "10", "\x1b[2J")
    plan = replace(plan, steps=(replace(step, inputs=(odd,)),), changes=(change,))
    lines = draw(plan)
    assert "changed: argument 3: 10 → \\x1b[2J" in lines
    where = "below a folder of --search, known by its UUID alone"
    at = next(n for n, line in enumerate(lines) if where in line)
    said = [line.strip("│ ") for line in lines[at + 1 : at + 4]]
    assert said == ["there is nothing", "middle.sif: changed", "x.sif is another"]


def test_names_harm_nobody() -> None:
    lines = draw(planned(SAMPLES["hostile"](), from_origin=True), commands=True)
    unsafe = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert not [c for line in lines for c in line if unicodedata.category(c) in unsafe]
