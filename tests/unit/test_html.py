"""The text of the page: what it may not hold, and that it holds all of the records.

tests/browser shows it in a real browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.unit.graphs import SAMPLES, fan_in, hostile_names, partly_missing, small

from sifprov.frozen import replace
from sifprov.model.container import Container
from sifprov.model.fact import Fact
from sifprov.model.files import Files, store
from sifprov.model.graph import Graph
from sifprov.model.manifest import Manifest
from sifprov.render import html
from sifprov.render.clock import local_time
from sifprov.render.detail import of_activity, of_entity
from sifprov.render.filerows import FileLists, files_of
from sifprov.terminal import printable

PAGE = Path(html.__file__).with_name("page")


class Reader(HTMLParser):
    """The elements of a page, the text in each kind of them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag
        self.inside.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.inside[self._open][-1] += data


def data(text: str) -> Any:
    return json.loads(Reader(text).inside["script"][0])


@pytest.mark.parametrize("name", SAMPLES)
def test_it_is_one_file_that_asks_for_nothing(name: str) -> None:
    text = html.render(SAMPLES[name]())
    found = Reader(text)
    for tag, attributes in found.tags:
        assert not [a for a in attributes if a.startswith("on") or a in ("src", "style")]
        assert tag not in ("img", "iframe", "object", "embed", "base", "form-action", "a")
        if "href" in attributes:
            assert (tag, attributes["href"]) == ("link", "data:,")
    assert [tag for tag, _ in found.tags].count("script") == 2
    assert [tag for tag, _ in found.tags].count("style") == 1
    addresses = set(re.findall(r"https?://[^\s\"'<]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert "%%" not in re.sub(r"%%\[\]", "", text)


def test_the_policy_knows_script_and_style_by_their_digests() -> None:
    found = Reader(html.render(small()))
    (policy,) = [a["content"] or "" for t, a in found.tags if t == "meta" and "http-equiv" in a]
    for text in (found.inside["script"][1], found.inside["style"][0]):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy and "http:" not in policy


def test_scripts_never_make_markup_of_data() -> None:
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser"
        r"|createContextualFragment|srcdoc|\.cssText|setTimeout\(\s*[\"'`]"
    )
    assert set(html.SCRIPTS) == {path.name for path in PAGE.glob("*.js")}
    for path in PAGE.glob("*.js"):
        assert not forbidden.search(path.read_text()), path
        assert len(path.read_text().splitlines()) < 300
        assert max(map(len, path.read_text().splitlines())) <= 110, path


def test_data_cannot_leave_its_element() -> None:
    text = html.render(hostile_names())
    (element,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert not set(element) & set("<>&\u2028\u2029")
    titles = [item["title"] for item in json.loads(element)["items"].values()]
    assert any("<script>alert(1)</script>" in title for title in titles)


def strings(value: Any) -> Iterator[str]:
    todo = [value]
    for item in todo:
        if isinstance(item, dict):
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)
        elif isinstance(item, str):
            yield item


@pytest.mark.parametrize("name", ["small", "chain", "partly-missing"])
def test_all_of_every_record_can_be_read(name: str) -> None:
    graph = SAMPLES[name]()
    known = "\n".join(strings(data(html.render(graph))))
    for activity in graph.activities.values():
        documents: list[Any] = [
            {"id": str(w.id), "said": w.annotation.to_json()}
            for w in activity.words
            if w.annotation
        ]
        if activity.record:
            record: Any = activity.record.to_json()
            documents.append({k: v for k, v in record.items() if k not in ("container", "schema")})
        for document in documents:
            for text in strings(document):
                if re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", text):
                    text = local_time(text)
                assert printable(text) in known or text in ("getpwuid", "uname", "wait4",
                    "environment", "exited", "run", "origin"), text  # fmt: skip


def test_facts_bear_units_and_reasons() -> None:
    graph = small()
    key, last = list(graph.activities.items())[-1]
    assert last.record and last.record.run
    facts = (
        Fact("binds", [{"destination": "/x", "read_only": True}], "mountinfo"),
        Fact("isolation", {"contain": False, "namespaces": ["mnt", "pid"]}, "flags"),
        Fact("resources", {"peak_memory_bytes": 2048, "user_us": 1_500_000}, "wait4"),
        Fact("started", None, reason="the runtime was killed\x1b"),
        Fact("text", "just words", "there"),
    )
    run = replace(last.record.run, facts=facts, redacted=(1, 2))
    sections = dict(of_activity(replace(last, record=replace(last.record, run=run)), {}))
    assert sections["Binds"] == [["1", "destination /x, read_only true"]]
    assert sections["Isolation"] == [["contain", "no"], ["namespaces", "mnt, pid"]]
    assert sections["Resources"] == [["peak memory", "2.0 KiB"], ["user", "1.50 s"]]
    assert sections["Started"] == [["not known", "the runtime was killed\\x1b"]]
    assert sections["Text"] == [["value", "just words"]]
    assert ["hidden words", "2, which can hold secrets"] in sections["Run"]
    assert key == last.key


def test_marks_and_reasons_of_a_use() -> None:
    last = list(small().activities.values())[-1]
    used = last.used[1].container
    odd = replace(
        used, marks=("changed-outside", "provisional"), reason="cp was writing", source="/x",
        read_only_added=True,
    )  # fmt: skip
    usage = replace(last.used[1], container=odd)
    rows = dict(of_activity(replace(last, used=(usage,)), {usage.entity: "e7"}))["Used"]
    assert rows == [
        ["input", "middle.sif", "link", "e7", "at /Inputs, read-only (sifprov asked for that)"],
        ["its folder", "/x", "code"],
        ["!", "changed outside of runs"],
        ["!", "provisional: cp was writing"],
    ]


def with_files(files: Files) -> list[list[str]]:
    graph = small()
    key, entity = next(iter(graph.entities.items()))
    container: Container = replace(entity.container, files=files)
    told = replace(graph, entities={key: replace(entity, container=container)})
    return dict(of_entity(entity, FileLists().rows(files_of(told)[key])))["Files"]


def test_files_where_the_record_lists_them() -> None:
    lines = (
        b"f 644 6 5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03 out/a b.txt",
        b"d 755 - - out",
        b"f 644 0 5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03 \xff\x1b",
        b"nonsense",
    )
    assert with_files(Files(lines=lines)) == [
        ["out/a b.txt", "f 644  6 B  5891b5b522d5df08", "code"],
        ["out", "d 755  -", "code"],
        ["\\xff\\x1b", "f 644  0 B  5891b5b522d5df08", "code"],
        ["nonsense", "a line that tells of no file", "code"],
    ]
    digest = "sha256:" + "0" * 64
    assert with_files(Files(count=1234, digest=digest)) == [
        ["files", "1,234, in a list of their own"], ["list", digest, "code"],
    ]  # fmt: skip
    assert with_files(Files(reason="too many")) == [
        ["files", "not listed"],
        ["because", "too many"],
    ]


def test_long_texts_and_lists_are_cut() -> None:
    many = tuple(f"d 755 - - {i}".encode() for i in range(1000))
    rows = with_files(Files(lines=many))
    assert len(rows) == 401 and rows[-1] == ["…", "600 more"]
    entity = next(iter(small().entities.values()))
    long = replace(entity, container=replace(entity.container, path="x" * 100_000))
    assert max(len(text) for text in strings([list(r) for _, r in of_entity(long, [])])) <= 4000


def test_the_table_is_there_without_scripts() -> None:
    for graph in (small(), partly_missing()):
        cells = "\n".join(Reader(html.render(graph)).inside["td"])
        for entity in graph.entities.values():
            assert entity.name in cells
    assert "and 980 more" in "\n".join(Reader(html.render(fan_in(999))).inside["td"])


def test_an_empty_graph_is_a_page() -> None:
    assert data(html.render(Graph((), {}, {})))["boxes"] == []


def test_the_same_graph_is_the_same_page() -> None:
    assert html.render(hostile_names()) == html.render(hostile_names())


def test_long_lists_are_read_from_what_is_embedded() -> None:
    line = b"f 644 6 5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03 out/%d"
    manifest = Manifest.from_lines([b"d 755 - - out", *sorted(line % i for i in range(499))])
    graph = small()
    key = graph.targets[0]
    end = graph.entities[key]
    files = Files(count=500, digest=manifest.digest)
    listed = replace(end, container=replace(end.container, files=files))
    graph = replace(graph, entities={**graph.entities, key: listed})
    rows = FileLists({"x": store(manifest).to_bytes()}).rows(files)
    assert rows[1] == ["out/0", "f 644  6 B  5891b5b522d5df08", "code"]
    assert rows[-1] == ["…", "100 more"] and len(rows) == 401
    page = html.render(graph, {"x": store(manifest).to_bytes()})
    assert "out/0" in page
    assert "out/0" not in html.render(graph)


def test_a_list_that_is_broken_is_none() -> None:
    files = Files(count=1, digest="sha256:" + "1" * 64)
    broken = {"x": b'{"digest":"' + (files.digest or "").encode() + b'"}'}
    assert FileLists(broken).rows(files)[0] == ["files", "1, in a list of their own"]


def test_the_making_tells_of_the_files_where_nothing_else_does() -> None:
    graph = small()
    key, making = next(iter(graph.activities.items()))
    assert making.record and making.record.origin
    files = Files(lines=(b"d 755 - - out",))
    origin = replace(making.record.origin, files=files)
    told = replace(making, record=replace(making.record, origin=origin))
    entity = making.generated[0].entity
    assert files_of(replace(graph, activities={**graph.activities, key: told})) == {entity: files}
    other = replace(origin, digest="tree-v1:" + "f" * 64)  # of other content: says nothing of it
    told = replace(making, record=replace(making.record, origin=other))
    assert files_of(replace(graph, activities={**graph.activities, key: told})) == {}


def test_a_list_counts_more_than_a_reason() -> None:
    graph = small()
    key, last = list(graph.activities.items())[-1]
    usage = last.generated[0]
    end = graph.entities[usage.entity]
    files = Files(lines=(b"d 755 - - out",))
    listed = replace(usage, container=replace(usage.container, files=files))
    none = replace(end, container=replace(end.container, files=Files(reason="too many")))
    graph = replace(
        graph,
        activities={**graph.activities, key: replace(last, generated=(listed,))},
        entities={**graph.entities, end.key: none},
    )
    assert files_of(graph) == {end.key: files}
