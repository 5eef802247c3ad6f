"""docs/export.md: every field of a record has a row, what a row says of each format is so, and what
is shown works."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.test_prov_doc import fact_names, full, wanted
from tests.unit.verified import make_site

from sifprov.export.crate.package import Wanted, metadata
from sifprov.export.intoto import statement
from sifprov.export.made import made
from sifprov.export.oci import document
from sifprov.exportformats import FORMATS
from sifprov.frozen import replace
from sifprov.model.fact import Fact
from sifprov.model.graph import Graph

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
FORMAT = ("ro-crate", "in-toto", "oci")
LEFT_OUT = "not exported, because "
# Facts that not every version records.
LATER = {"run.facts.telemetry", "run.facts.workflow"}


def rows() -> dict[str, tuple[str, ...]]:
    """What the table of fields says of each format, by field."""
    table = TEXT.partition("## Every field of a record")[2]
    found = re.findall(r"^\| `([^`]+)` \| (.*) \| (.*) \| (.*) \|$", table, re.MULTILINE)
    assert len({row[0] for row in found}) == len(found), "a field has two rows"
    return {field: tuple(said) for field, *said in found}


def test_every_field_has_a_row_and_every_row_a_field() -> None:
    # What is not told of a fact by its name is told of all facts.
    facts = {f"run.facts.{name}" for name in fact_names()}
    assert len(wanted()) > 60
    assert wanted() - facts <= set(rows())
    assert set(rows()) <= wanted() | LATER


def test_what_is_not_exported_has_a_reason() -> None:
    for said in rows().values():
        for each in said:
            assert each.strip()
            if each.startswith("not"):
                assert re.match(rf"{LEFT_OUT}[`\w]+", each), each


def written(graph: Graph) -> dict[str, str]:
    """What each format makes of a graph; a statement for each record."""
    it = made(graph, "x")
    everything = tuple(e.container for e in graph.entities.values())
    records = [a.record for a in graph.activities.values() if a.record]
    records = [replace(r, containers=everything) if r.id == it.record.id else r for r in records]
    statements = [statement(r, "x", "f" * 64) for r in records]
    return {
        "ro-crate": metadata(graph, Wanted("", with_data=False, script="")),
        "in-toto": json.dumps(statements),
        "oci": json.dumps(document(it)),
    }


# What a format writes in another way than the words in which PROV has it.
OWN: dict[tuple[str, str], str] = {
    ("ro-crate", "containers[].role"): '"roleName": "input"',
    ("in-toto", "containers[].role"): '"role": "input"',
    ("in-toto", "containers[].writable"): '"writable": ',
    ("in-toto", "containers[].read_only_added"): '"read_only_added": true',
    ("in-toto", "run.redacted"): '"redacted": [81]',
    ("in-toto", "run.facts.started"): '"started": {"source": "x", "value": true}',
    ("ro-crate", "annotation.metrics"): '"value": "0.8400"',
    ("oci", "annotation.metrics"): "0.8400",
    ("oci", "containers[].role"): "sifprov.inputs",
    ("in-toto", "containers[].record"): "sha256:" + "8" * 64,
    ("oci", "containers[].record"): "sha256:" + "8" * 64,
    ("oci", "run.exit_code"): '"sifprov.run.exit-code": "82"',
}
# Tested by graphs of their own: of OUT, of a making, and what is told in part.
ELSEWHERE = {
    ("oci", "containers[].created"), ("oci", "containers[].modified"),
    ("oci", "containers[].marks"), ("oci", "origin.source"), ("oci", "origin.digest"),
    ("oci", "run.facts.application"), ("oci", "run.facts.batch"), ("oci", "run.facts.user"),
    ("oci", "run.facts.*.value"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMAT)
def test_what_a_row_says_is_exported(name: str) -> None:
    graph, expected = full()
    text = written(graph)[name]
    column = FORMAT.index(name)
    tested = 0
    for field, said in rows().items():
        if (name, field) in ELSEWHERE or (field in LATER and field not in expected):
            continue
        there = OWN.get((name, field), expected.get(field, ""))
        if said[column].startswith(LEFT_OUT):
            # What has a text that stands nowhere else is not there either.
            assert field == "schema" or "sentinel" not in there or there not in text, field
            continue
        assert there, field
        assert there in text, field
        tested += 1
    assert tested > {"ro-crate": 70, "in-toto": 50, "oci": 25}[name]


@pytest.mark.parametrize("name", FORMAT)
def test_a_fact_without_a_row_is_exported_as_the_rows_of_all_say(name: str) -> None:
    graph, expected = full()
    text = written(graph)[name]
    for fact in fact_names():
        field = f"run.facts.{fact}"
        if field not in rows() and name != "oci":
            assert expected[field] in text, fact


def test_of_a_making_the_annotations_tell_the_source() -> None:
    graph, expected = full()
    making = next(a for a in graph.activities.values() if a.record and a.record.origin
                  and expected["origin.source"] in a.record.origin.source)  # fmt: skip
    target = next(k for k, e in graph.entities.items() if e.generated_by == making.key)
    text = json.dumps(document(made(replace(graph, targets=(target,)), "x")))
    assert expected["origin.source"] in text
    assert expected["origin.digest"] in text
    it = graph.entities[target].container
    assert it.created
    assert it.created in text


def test_of_some_facts_the_annotations_tell_a_part() -> None:
    graph, _ = full()
    it = made(graph, "x")
    assert it.record.run
    facts = (
        Fact("batch", {"job": "4711", "partition": "sentinel-p"}, "x"),
        Fact("user", {"name": "sentinel-n", "uid": 424242}, "x"),
        Fact("workflow", {"name": "sentinel-w", "id": "i"}, "x"),
        Fact("telemetry", {"samples": 171717}, "x"),
    )
    record = replace(it.record, run=replace(it.record.run, facts=facts))
    activity = replace(it.activity, record=record)
    text = metadata(
        replace(graph, activities={**graph.activities, activity.key: activity}),
        Wanted("", with_data=False, script=""),
    )
    assert '"sifprov:workflow_name": "sentinel-w"' in text
    assert '"sifprov:telemetry_samples": 171717' in text
    text = json.dumps(document(replace(it, record=record)))
    for there in ("4711", "sentinel-n", "sentinel-w"):
        assert there in text
    for gone in ("sentinel-p", "424242", "171717"):
        assert gone not in text


def test_every_format_is_told() -> None:
    assert {f for f in FORMATS if f"| `{f}` |" in TEXT} == set(FORMAT)


def test_what_is_shown_works(tmp_path: Path) -> None:
    site = make_site(tmp_path, files=2)
    site.run()
    site.out.rename(tmp_path / "output.sif")
    blocks = re.findall(r"^```console\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    commands = [line[2:] for block in blocks for line in block.splitlines()]
    # The keys come first; no registry is here.
    commands.sort(key=lambda line: not line.startswith("openssl"))
    run = [line for line in commands if not line.startswith("oras")]
    assert len(run) == 7
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for command in run:
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env={"PATH": path, "HOME": str(tmp_path)},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    copies = {p.name for p in (tmp_path / "crate" / "containers").iterdir()}
    assert copies == {"app.sif", "in.sif", "out.sif"}
