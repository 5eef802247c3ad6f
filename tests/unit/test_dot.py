"""DOT text: what Graphviz reads from it is what we wrote into it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.unit.graphs import SAMPLES, chain, hostile_names

from sifprov.errors import MissingError, SifprovError
from sifprov.render import dot
from sifprov.render.fold import folded
from sifprov.render.scene import scene

SVG = "{http://www.w3.org/2000/svg}"
_STRING = r'"(?:[^"\\\n]|\\.)*"'
_VALUE = rf"(?:{_STRING}|[A-Za-z0-9.]+)"
_LIST = rf"\[\w+={_VALUE}(?:, \w+={_VALUE})*\]"
_STATEMENT = re.compile(
    rf"digraph trail \{{|  (?:graph|node|edge|[a-z]+\d+|\w+ -> \w+) {_LIST};|  // .*|\}}"
)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_line_is_a_statement(name: str) -> None:
    graph = SAMPLES[name]()
    lines = dot.render(graph).splitlines()
    for line in lines:
        assert _STATEMENT.fullmatch(line), line
    what = scene(graph)
    assert sum(" -> " in line for line in lines) == len(what.arrows)
    for box in what.boxes:
        assert sum(line.startswith(f"  {box} [") for line in lines) == 1


def needs_dot() -> None:
    if shutil.which("dot") is None:
        pytest.skip("the program 'dot' is not there; Debian's package graphviz has it")


def texts_of(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)  # noqa: S314
    # Where a text has two blanks on end, Graphviz writes one that does not break.
    return [(t.text or "").replace("\xa0", " ") for t in root.iter(f"{SVG}text")]


@pytest.mark.program
@pytest.mark.parametrize("name", SAMPLES)
def test_graphviz_draws_every_word(name: str) -> None:
    needs_dot()
    graph = SAMPLES[name]()
    done = subprocess.run(
        ["dot", "-Tsvg"], input=dot.render(graph), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    drawn = texts_of(done.stdout)
    for box in scene(graph).boxes.values():
        for text in (box.title, *box.lines):
            assert text in drawn, text
    assert "<script" not in done.stdout


@pytest.mark.program
def test_the_engine_draws_hostile_names_and_a_thousand_runs() -> None:
    needs_dot()
    drawn = texts_of(dot.render_svg(hostile_names()))
    for box in folded(scene(hostile_names())).boxes.values():
        assert box.title in drawn
    # An arrow over all layers for each run would take it minutes.
    assert dot.render_svg(chain(300)).count("<g id=") > 900


def test_without_graphviz_the_engine_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MissingError, match="'dot' is not there") as error:
        dot.render_svg(chain(1))
    assert "graphviz" in (error.value.hint or "")


def test_a_dot_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\ncat >/dev/null\necho 'Error: no room' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(SifprovError, match="'dot' failed: Error: no room"):
        dot.render_svg(chain(1))
