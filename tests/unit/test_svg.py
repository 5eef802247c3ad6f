"""The SVG picture: well-formed, alone, harmless, and every name on it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.unit.graphs import NAMES, SAMPLES, chain, fan_in, hostile_names, rewritten

from sifprov.model.graph import Graph
from sifprov.render.cards import fit, text_width
from sifprov.render.scene import FLAGS
from sifprov.render.svg import render
from sifprov.terminal import printable

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"
_ELEMENTS = {"svg", "title", "desc", "style", "defs", "marker", "path", "rect", "text", "g"}


def parsed(graph: Graph) -> ElementTree.Element:
    return ElementTree.fromstring(render(graph))  # noqa: S314


@pytest.mark.parametrize("name", SAMPLES)
def test_it_stands_alone_and_does_nothing(name: str) -> None:
    root = parsed(SAMPLES[name]())
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in _ELEMENTS
        for attribute in element.attrib:
            assert not attribute.startswith("on") and "href" not in attribute
    style = root.findtext(f"{SVG}style") or ""
    assert "url(" not in style and "@import" not in style
    assert "prefers-color-scheme:dark" in style


@pytest.mark.parametrize("name", SAMPLES)
def test_names_and_marks_are_told_in_words(name: str) -> None:
    graph = SAMPLES[name]()
    root = parsed(graph)
    assert (root.findtext(f"{SVG}title") or "").startswith("Record trail of ")
    assert root.get("role") == "img"
    told = "\n".join(t.text or "" for t in root.iter(f"{SVG}title"))
    if name != "hostile":  # where they are one box
        for entity in graph.entities.values():
            assert printable(entity.name) in told
    for mark in ("missing", "problem"):
        present = any(
            e.standing == mark or (mark == "problem" and e.problem)
            for e in graph.entities.values()
        )  # fmt: skip
        assert (FLAGS[mark] in told) == present


def test_hostile_names_are_text() -> None:
    graph = hostile_names()
    text = render(graph)
    assert "<script" not in text
    assert all(c.isprintable() or c in "\n " for c in text)
    shown = " ".join(t.text or "" for t in ElementTree.fromstring(text).iter(f"{SVG}title"))  # noqa: S314
    assert printable(NAMES[2]) in shown and printable(NAMES[3]) in shown


def test_two_pictures_in_one_page_do_not_share_names() -> None:
    ids = [{e.get("id") for e in parsed(g).iter() if e.get("id")} for g in (chain(1), chain(2))]
    assert len(ids[0]) == 3 and not ids[0] & ids[1]


def test_the_same_graph_is_the_same_picture() -> None:
    assert render(hostile_names()) == render(hostile_names())


def test_a_thousand(capsys: pytest.CaptureFixture[str]) -> None:
    for graph in (chain(1000), rewritten(1000), fan_in(1000)):
        start = time.monotonic()
        size = len(render(graph))
        with capsys.disabled():
            print(f"\n  drawn in {time.monotonic() - start:.2f} s, {size / 1e6:.2f} MB", end="")
        assert size < 4_000_000


@pytest.mark.parametrize(
    "text", ["", "a", "W" * 300, "日本語" * 50, "i" * 300, *map(printable, NAMES)]
)
@pytest.mark.parametrize("middle", [False, True])
def test_texts_are_cut_to_their_room(text: str, middle: bool) -> None:
    for room in (40, 172):
        cut = fit(text, room, 13, middle=middle)
        assert text_width(cut, 13) <= room
        assert cut == text or "…" in cut
        if middle and "…" in cut:
            assert text.endswith(cut.partition("…")[2])


def test_the_picture_in_the_documentation_is_what_its_command_draws() -> None:
    command = [sys.executable, "-m", "tests.unit.example_picture"]
    drawn = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "TZ": "UTC"},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert drawn.stdout.decode() == (ROOT / "docs" / "trail.svg").read_text(encoding="utf-8")
