"""The flowchart, read by a parser of the part of Mermaid's language that we write.

Mermaid itself is JavaScript, and no package of Debian or Python's own brings it.
"""

from __future__ import annotations

import re
import string

import pytest
from tests.unit.graphmaker import Sample
from tests.unit.graphs import NAMES, SAMPLES, chain, fan_in

from sifprov.render.fold import folded
from sifprov.render.mermaid import render
from sifprov.render.scene import FLAGS, HELD, TARGET, scene

# A label has no sign that Mermaid, Markdown or HTML reads; `#N;` stands for the others.
_LABEL = r'"((?:[^\W_]|[ ./,:…-]|#\d+;|<br/>)*)"'
_NODE = re.compile(rf"  ([a-z]+\d+)(\[\(|\{{\{{|\[\[|\(\[|>){_LABEL}(\)\]|\}}\}}|\]\]|\]\)|\])")
_ARROW = re.compile(rf"  ([a-z]+\d+) (-->|==>|-\.->)(?:\|{_LABEL}\|)? ([a-z]+\d+)")
_CLASS = re.compile(r"  classDef [a-z]+ [a-z-]+:[#\w ]+(,[a-z-]+:[#\w ]+)*")
_OF = re.compile(r"  class [a-z]+\d+(,[a-z]+\d+)* [a-z]+")
_PAIRS = {"[(": ")]", "{{": "}}", "[[": "]]", "([": "])", ">": "]"}
_KEYWORDS = {"end", "graph", "subgraph", "flowchart", "style", "click", "default", "class"}


def decoded(label: str) -> list[str]:
    return [re.sub(r"#(\d+);", lambda m: chr(int(m[1])), line) for line in label.split("<br/>")]


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_read_is_what_was_written(name: str) -> None:
    what = folded(scene(SAMPLES[name]()))
    first, *lines = render(SAMPLES[name]()).splitlines()
    assert first == "flowchart LR"
    nodes, arrows = {}, []
    for line in lines:
        if node := _NODE.fullmatch(line):
            assert _PAIRS[node[2]] == node[4]
            nodes[node[1]] = decoded(node[3])
        elif arrow := _ARROW.fullmatch(line):
            arrows.append((arrow[1], arrow[4], decoded(arrow[3] or "")[0]))
        else:
            assert _CLASS.fullmatch(line) or _OF.fullmatch(line), line
    assert arrows == [(a.source, a.target, a.label) for a in what.arrows]
    assert not _KEYWORDS & set(nodes)
    for id_, box in what.boxes.items():
        words = [FLAGS[flag] for flag in box.flags if flag not in (TARGET, HELD)]
        assert nodes[id_] == [box.title, *box.lines, *words]


@pytest.mark.parametrize("name", [*NAMES, *string.punctuation, "1. list", "- list", "end"])
def test_any_name_is_read_back(name: str) -> None:
    s = Sample()
    graph = s.graph(*s.run(s.application(name), (s.plain(name),), name))
    labels = [m[3] for line in render(graph).splitlines() if (m := _NODE.fullmatch(line))]
    titles = [box.title for box in scene(graph).boxes.values()]
    assert [decoded(label)[0] for label in labels] == titles


def test_no_line_of_a_label_can_begin_a_list() -> None:
    for line in render(fan_in(1000)).splitlines():
        for label in re.findall(_LABEL, line):
            assert not any(part[:1].isdigit() or part[:1] == "-" for part in label.split("<br/>"))


def test_a_fan_in_stays_within_what_mermaid_draws() -> None:
    text = render(fan_in(1000))
    assert len(text) < 50_000 and text.count("-->") + text.count("==>") < 500


def test_classes_are_no_words_of_the_language() -> None:
    text = render(SAMPLES["partly-missing"]())
    names = set(re.findall(r"classDef (\w+)", text))
    assert names == {"data", "application", "run", "making", "missing", "failed", "shown"}
    assert text.count("class e") + text.count("class a") == len(names)
    assert render(chain(3)) == render(chain(3))
