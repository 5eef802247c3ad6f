"""The tree: the pictures of the samples as they were looked at, folding, depth, colour; and nothing
in it, or in any other text of `sifprov trail`, that acts on a terminal."""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.graphmaker import Sample
from tests.unit.graphs import FACTS, SAMPLES, chain, diamonds, fan_in, hostile_names, rewritten

from sifprov.frozen import replace
from sifprov.model.annotation import Annotation
from sifprov.model.graph import Graph
from sifprov.render.colour import Palette
from sifprov.render.script import script
from sifprov.render.tree import draw
from sifprov.render.treetext import shortest

GOLDEN = Path(__file__).parents[1] / "golden" / "tree"
PICTURES: dict[str, tuple[Callable[[], Graph], bool]] = {
    **{name: (make, False) for name, make in SAMPLES.items()},
    "chain-collapsed": (lambda: chain(100), True),
    "fan-in-collapsed": (lambda: fan_in(100), True),
    "rewritten-collapsed": (lambda: rewritten(100), True),
    "diamonds-collapsed": (lambda: diamonds(12), True),
}
_COLOUR = re.compile("\x1b\\[[0-9;]*m")


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def harmless(text: str) -> bool:
    """Whether nothing in it acts on a terminal but the ends of lines."""
    unsafe = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    return all(c == "\n" or unicodedata.category(c) not in unsafe for c in text)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture(name: str) -> None:
    """Each was looked at; a change of it is looked at again: write the new one there."""
    make, collapse = PICTURES[name]
    text = draw(make(), collapse=collapse)
    assert text + "\n" == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    assert harmless(text)


def test_a_picture_for_every_golden_file() -> None:
    assert {p.stem for p in GOLDEN.glob("*.txt")} == set(PICTURES)


@pytest.mark.parametrize("name", SAMPLES)
def test_colour_only_colours(name: str) -> None:
    graph = SAMPLES[name]()
    bare, coloured = draw(graph), draw(graph, Palette(on=True))
    assert coloured != bare
    assert _COLOUR.sub("", coloured) == bare
    assert harmless(_COLOUR.sub("", coloured))


def test_a_failed_run_is_red_and_a_good_one_green() -> None:
    graph = SAMPLES["partly-missing"]()
    text = draw(graph, Palette(on=True))
    assert "\x1b[31mexit code 3\x1b[0m" in text
    assert "\x1b[32mexit code 0\x1b[0m" in text


@pytest.mark.timeout(60)
def test_a_long_chain_goes_on_below() -> None:
    text = draw(chain(1000))
    lines = text.splitlines()
    assert text.count("recorded by") == 1000
    assert max(len(line) - len(line.lstrip("│ ├└─")) for line in lines) < 80
    # Each part but the first is announced before it begins.
    assert text.count("its history stands below") == text.count("\n\n") == 100


@pytest.mark.timeout(60)
def test_diamonds_are_drawn_once() -> None:
    text = draw(diamonds(300))
    assert text.count("recorded by") == 900
    assert text.count("\n") < 40_000


@pytest.mark.parametrize(("make", "most"), [(chain, 40), (fan_in, 40), (rewritten, 60)])
def test_a_thousand_fit_a_screen(make: Callable[[int], Graph], most: int) -> None:
    text = draw(make(1000), collapse=True)
    assert text.count("\n") < most
    assert re.search(r"… 99[78] more", text)


def test_what_differs_is_not_folded() -> None:
    """A run that failed, one with words on it, one by another application."""
    s = Sample()
    app, data = s.application(), s.made("input.sif")
    ends = []
    for n in range(30):
        program = s.application("other.sif") if n == 10 else app
        code = 7 if n == 15 else 0
        said = Annotation(notes=("mind this",)) if n == 20 else None
        made = s.run(program, (data,), f"part-{n}.sif", exit_code=code, annotation=said)
        ends.append(made[0])
    s.say(ends[25], "and this")
    text = draw(s.graph(*s.run(app, tuple(ends), "output.sif")), collapse=True)
    for shown in ("other.sif", "exit code 7", "mind this", "and this"):
        assert shown in text
    assert text.count("recorded by") < 25


def test_an_earlier_state_is_named_once() -> None:
    """What led to it is drawn there already, and not gone through again."""
    s = Sample()
    app, data = s.application(), s.made("input.sif")
    (state,) = s.run(app, (data,), "x.sif")
    for _ in range(5):
        (state,) = s.run(app, (data,), state)
    (side,) = s.run(app, (state,), "side.sif")
    (state,) = s.run(app, (data,), state)
    (end,) = s.run(app, (side, state), "end.sif")
    text = draw(s.graph(end))
    assert text.count("recorded by") == 9
    assert text.count("before that: see run") == 1


def test_both_ends_of_a_chain_are_shown() -> None:
    s = Sample()
    last, app = s.made("input.sif"), s.application("a.sif")
    for n in range(30):
        (last,) = s.run(app, (last,), f"{n}.sif")
    (end,) = s.run(s.application("b.sif"), (last,), "end.sif")
    text = draw(s.graph(end), collapse=True)
    assert text.count("recorded by") == 3
    assert "… 28 more runs" in text
    assert text.index("b.sif") < text.index("a.sif") < text.index("… 28") < text.index("input.sif")


def test_depth_counts_runs() -> None:
    graph = chain(5)
    for depth in (1, 2, 5):
        text = draw(graph, depth=depth)
        assert text.count("recorded by") == depth
        assert f"more than {depth} run" in text
    assert draw(graph, depth=6) == draw(graph)
    # What was asked for by its depth is not folded.
    assert draw(chain(30), depth=20, collapse=True).count("recorded by") == 20


def test_ids_are_long_enough_to_tell_them_apart() -> None:
    assert shortest([]) == shortest(["a" * 36]) == 8
    assert shortest(["12345678-a", "12345678-b", "x"]) == 10


def test_a_thousand_problems_do_not_hide_the_rest() -> None:
    graph = replace(SAMPLES["small"](), problems=tuple(str(n) for n in range(1000)))
    assert draw(graph).endswith("! 49\n! … 950 more; --json has them all")


def test_notes_stand_once() -> None:
    graph = SAMPLES["small"]()
    target = graph.entities[graph.targets[0]]
    assert target.uuid
    text = draw(graph, notes={target.uuid: ["signatures on the data"]})
    assert text.count("signatures on the data") == 1


_NAMES = st.text(st.characters(codec=None, exclude_categories=()), min_size=1, max_size=30)


@given(_NAMES, _NAMES, _NAMES, st.booleans())
def test_no_name_acts_on_a_terminal(one: str, two: str, three: str, collapse: bool) -> None:
    # A text of the file system has bytes that are no UTF-8 as these surrogates.
    one, two, three = (
        t.encode("utf-8", "replace").decode("utf-8", "surrogateescape").replace("\0", "")
        for t in (one, two, three)
    )
    s = Sample()
    words = Annotation(notes=(two or "x",), tags=(("k", three),))
    data = s.made(one, source=two)
    lost = replace(s.missing(two), problem=three or "x")
    s.entities[lost.key] = lost
    (end,) = s.run(
        s.application(three), (data, lost), one, argv=("x", "exec", two, three),
        annotation=words, facts=FACTS,
    )  # fmt: skip
    s.say(end, three or "x")
    graph = s.graph(end, problems=(one, two))
    for text in (draw(graph, collapse=collapse), script(graph)):
        assert harmless(text)
    assert len(draw(graph).splitlines()) == len(draw(SAME).splitlines())


def _same() -> Graph:
    s = Sample()
    data = s.made("a", source="b")
    lost = replace(s.missing("b"), problem="c")
    s.entities[lost.key] = lost
    words = Annotation(notes=("n",), tags=(("k", "t"),))
    (end,) = s.run(
        s.application("c"), (data, lost), "a", argv=("x", "exec", "b", "c"),
        annotation=words, facts=FACTS,
    )  # fmt: skip
    s.say(end, "n")
    return s.graph(end, problems=("a", "b"))


SAME = _same()


def test_the_script_of_hostile_names_is_harmless() -> None:
    assert harmless(script(hostile_names()))
