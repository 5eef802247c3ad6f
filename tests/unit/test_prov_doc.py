"""docs/prov.md: every field of a record has a row, every row a field, every name is used, and what
is shown works."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner
from tests.unit.graphmaker import Sample
from tests.unit.prototypes import workflow
from tests.unit.schemas import schemas
from tests.unit.sifs import add, make_sif, run_record
from tests.unit.test_prov import SAMPLES_AND_MORE, every

from sifprov.catalog.tables import METADATA
from sifprov.cli import main
from sifprov.export.prov import FORMATS, document, export
from sifprov.lineage import build
from sifprov.model.annotation import Annotation
from sifprov.model.canonical import Json
from sifprov.model.container import INPUT, MARKS, Container
from sifprov.model.fact import Fact
from sifprov.model.files import Files
from sifprov.model.graph import Activity, Graph
from sifprov.model.record import Origin, Record, Replay
from sifprov.model.verdict import FILE_WORDS, Changed, FileWord, StepWord, Verdict
from sifprov.trail import read_trail

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "prov.md").read_text(encoding="utf-8")
GOLDEN = ROOT / "tests" / "golden" / "record-v1-full-facts.json"


def rows() -> dict[str, str]:
    """What the table of fields says, by field."""
    table = TEXT.partition("## Every field of a record")[2].partition("\n## ")[0]
    found = re.findall(r"^\| `([^`]+)` \| (.*) \|$", table, re.MULTILINE)
    assert len(dict(found)) == len(found), "a field has two rows"
    return dict(found)


def fact_names() -> set[str]:
    """The facts that docs/formats.md and the golden record name."""
    formats = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    table = formats.partition("### Facts")[2].partition("\n### ")[0]
    names = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    return names | set(json.loads(GOLDEN.read_bytes())["run"]["facts"])


def fields(schema: Mapping[str, Any], node: Any, path: str) -> Iterator[str]:
    """The JSON paths of what a schema can hold."""
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    for word in ("anyOf", "oneOf"):
        if word in node and "properties" not in node:
            options = [list(fields(schema, option, path)) for option in node[word]]
            deeper = [p for several in options for p in several if p != path]
            # A text may be an object of bytes, which is no field of its own.
            yield from (p for p in deeper if not p.endswith(".base64"))
            if not deeper or all(p.endswith(".base64") for p in deeper):
                yield path
            return
    if "properties" in node:
        for name, its in node["properties"].items():
            yield from fields(schema, its, f"{path}.{name}" if path else name)
    elif node.get("type") == "array":
        below = list(fields(schema, node["items"], f"{path}[]"))
        is_plain = any(p == f"{path}[]" or p.endswith("[].base64") for p in below)
        yield from [path] if is_plain else below
    elif isinstance(node.get("additionalProperties"), dict):
        below = list(fields(schema, node["additionalProperties"], f"{path}.*"))
        yield from [path] if f"{path}.*" in below else below
    else:
        yield path


def wanted() -> set[str]:
    """Every field that wants a row."""
    schema = schemas()["sifprov.record/1"]
    return {*fields(schema, schema, ""), *(f"run.facts.{name}" for name in fact_names())}


def test_every_field_has_a_row_and_every_row_a_field() -> None:
    assert len(wanted()) > 60
    assert set(rows()) == wanted()


def test_a_new_field_would_be_missed() -> None:
    schema = json.loads(json.dumps(schemas()["sifprov.record/1"]))
    schema["$defs"]["container"]["properties"]["colour"] = {"$ref": "#/$defs/text"}
    schema["properties"]["run"]["anyOf"].append(
        {"type": "object", "properties": {"mood": {"type": "array", "items": {"type": "object",
         "properties": {"x": {"type": "integer"}}}}}}
    )  # fmt: skip
    new = set(fields(schema, schema, "")) - wanted()
    assert new == {"containers[].colour", "run.mood[].x"}


def test_every_column_of_the_catalog_has_one_row() -> None:
    table = TEXT.partition("## The catalog")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ((?:`\w+` ?)+) \| .+ \|$", table, re.MULTILINE)
    said = [(name, column) for name, columns in rows for column in re.findall(r"\w+", columns)]
    assert len(set(said)) == len(said)
    # Numbers that count rows, and hashes that tell them apart, say nothing.
    assert set(said) == {
        (each.name, column.name)
        for each in METADATA.sorted_tables
        for column in each.columns
        if column.name not in ("id", "fingerprint")
    }


# -- what is said is so


class Sentinels:
    """Values that stand nowhere else, by the field that they are given to."""

    def __init__(self) -> None:
        self.by_field: dict[str, str] = {}

    def __call__(self, field: str) -> str:
        return self.by_field.setdefault(field, f"sentinel-{len(self.by_field)}-x")


def full() -> tuple[Graph, dict[str, str]]:
    """A graph with every field of a record, and by field what must be found of it."""
    s, sample = Sentinels(), Sample()
    data, app = sample.made("in.sif"), sample.application()
    mark = replace(
        data.container, name=s("containers[].name"), path=s("containers[].path"),
        mount=s("containers[].mount"), source=s("containers[].source"), marks=MARKS,
        reason=s("containers[].reason"), created="2001-01-01T00:00:00Z",
        modified="2002-02-02T00:00:00Z", read_only_added=True, uuid=UUID(int=77),
        digest="tree-v1:" + "7" * 64, record="sha256:" + "8" * 64,
    )  # fmt: skip
    data = replace(data, container=mark)
    sample.entities[data.key] = data
    (end,) = sample.run(app, (data,), "out.sif")
    again = sample.run(app, (data,), end)
    odd = {"application", "binds", "lineage", "started"}
    facts = tuple(
        Fact(name, {"value": s(f"run.facts.{name}")}, s("run.facts.*.source"))
        for name in sorted(fact_names() - odd)
    )
    facts += (
        Fact("binds", [s("run.facts.binds")], "x"),
        Fact("lineage", None, reason=s("run.facts.lineage")),
        Fact("started", True, "x"),
        Fact("application", {"labels": {"a": s("run.facts.application")}}, "x"),
        Fact("hidden", None, reason=s("run.facts.*.reason")),
        Fact("other", s("run.facts.*.value"), "x"),
    )
    key = list(sample.activities)[-1]
    activity = sample.activities[key]
    record = activity.record
    assert record
    assert record.run
    run = replace(
        record.run, action=s("run.action"), argv=(s("run.argv"),), command=(s("run.command"),),
        redacted=(81,), cwd=s("run.cwd"), environment=(("X", s("run.environment")),),
        started="2003-03-03T00:00:00.000000001Z", ended="2099-04-04T00:00:00.000000002Z",
        outcome=s("run.outcome"), exit_code=82, signal=33, runtime_name=s("run.runtime.name"),
        runtime_version=s("run.runtime.version"), facts=facts,
    )  # fmt: skip
    words = Annotation((s("annotation.notes"),), (("t", s("annotation.tags")),),
                       (("m", "0.8400"),))  # fmt: skip
    record = replace(
        record, run=run, version=s("captured_by.version"), captured_by=s("captured_by.kind"),
        annotation=words, replays=Replay("sha256:" + "9" * 64, UUID(int=78)),
        recorded="2098-05-05T00:00:00.000000003Z", container=UUID(int=79),
        previous="sha256:" + "6" * 64,
    )  # fmt: skip
    later = sample.say(again[0], "x")
    later = replace(later, annotates=Replay("sha256:" + "5" * 64, UUID(int=80)))
    used = (*activity.used[:-1], replace(activity.used[-1], container=mark))
    showed = sample.judge(again[0], end, Verdict(
        s("verdict.result"), Replay("sha256:" + "1" * 64, UUID(int=85)), s("verdict.original"),
        s("verdict.content"), (8601, 8602, 8603, 8604, 8605),
        (FileWord(s("verdict.files[].path"), s("verdict.files[].verdict"),
                  s("verdict.files[].what")),),
        s("verdict.tolerance"),
        (Changed(s("verdict.changes[].what"), s("verdict.changes[].before"),
                 s("verdict.changes[].after")),),
        (StepWord(UUID(int=87), s("verdict.steps[].verdict")),),
    ))  # fmt: skip
    sample.activities[key] = replace(activity, record=record, words=(later, showed), used=used)
    listed = [
        Files(lines=(s("origin.files.lines").encode(),)),
        Files(count=83, digest="sha256:" + "4" * 64),
        Files(reason=s("origin.files.reason")),
        Files(lines=(s("containers[].files.lines").encode(),)),
        Files(count=84, digest="sha256:" + "3" * 64),
        Files(reason=s("containers[].files.reason")),
    ]
    for place, files in enumerate(listed):
        made = sample.made(f"{place}.sif", s("origin.source"))
        if place < 3:
            making = sample.activities[made.generated_by or ""]
            assert making.record
            assert making.record.origin
            origin = replace(making.record.origin, files=files, digest="tree-v1:" + "2" * 64)
            new = replace(making.record, origin=origin)
            sample.activities[making.key] = replace(making, record=new)
        else:
            listing = replace(made, container=replace(made.container, files=files))
            sample.entities[made.key] = listing
    expected = {
        **s.by_field, "id": str(record.id), "container": str(UUID(int=79)), "previous": "6" * 64,
        "recorded": record.recorded, "run.redacted": "[81]", "run.started": run.started,
        "run.ended": run.ended or "", "run.exit_code": "82", "run.signal": "33",
        "run.facts.started": "command_started", "origin.digest": "2" * 64,
        "origin.files.count": "83", "origin.files.digest": "4" * 64,
        "containers[].files.count": "84", "containers[].files.digest": "3" * 64,
        "containers[].role": "sifprov:input", "containers[].uuid": str(UUID(int=77)),
        "containers[].created": "2001-01-01T00:00:00Z", "containers[].marks": "image-src-outside",
        "containers[].modified": "2002-02-02T00:00:00Z",
        "containers[].writable": "sifprov:writable",
        "containers[].read_only_added": "sifprov:read_only_added", "containers[].digest": "7" * 64,
        "containers[].record": data.record or "", "replays.id": str(UUID(int=78)),
        "replays.record": "9" * 64, "annotation.metrics": '"0.8400"',
        "annotates.id": str(UUID(int=80)), "annotates.record": "5" * 64,
        "verdict.run.id": str(UUID(int=85)), "verdict.run.record": "1" * 64,
        "verdict.steps[].id": str(UUID(int=87)),
        **{f"verdict.counts.{word}": str(8601 + n) for n, word in enumerate(FILE_WORDS)},
    }  # fmt: skip
    return sample.graph(*again), expected


def test_what_a_row_says_is_exported() -> None:
    graph, expected = full()
    written = export(graph, "prov-json")
    for field, said in rows().items():
        if said.startswith("not exported, because "):
            assert field == "schema"
            continue
        assert expected.pop(field) in written, field
    assert expected == {}


def names_in(graphs: list[Graph]) -> set[str]:
    """The attributes, types and roles of ours that exports have."""
    found = set()
    for graph in graphs:
        for record in document(graph).get_records():
            for name, value in record.attributes:
                found.add(str(name))
                if str(name) in ("prov:type", "prov:role"):
                    found.add(str(value))
    return {name for name in found if name.startswith("sifprov:")}


def more() -> Iterator[Graph]:
    """What else can be in a graph."""
    graph, _ = full()
    yield graph
    key = list(graph.activities)[2]
    golden = {n: f["value"] for n, f in json.loads(GOLDEN.read_bytes())["run"]["facts"].items()}
    facts = tuple(Fact(name, value, "x") for name, value in golden.items())
    activity = graph.activities[key]
    assert activity.record
    assert activity.record.run
    changed: dict[str, Json] = {
        "batch": {"cluster": "c", "job": "1", "system": "slurm", "task": "2"},
        "application": {
            **golden["application"],
            "source_digest": "sha256:1",
            "new": 1,
            "entry_point": "exec x",
            "environment": {"LC_ALL": "C"},
        },
    }
    facts = (
        *(replace(f, value=changed.get(f.name, f.value)) for f in facts),
        Fact("started", True, "x"),
    )
    record = replace(activity.record, run=replace(activity.record.run, facts=facts))
    moved = replace(activity.used[-1].container, name="other", path="/other")
    used = (*activity.used[:-1], replace(activity.used[-1], container=moved))
    new: Activity = replace(activity, record=record, used=used)
    yield replace(graph, activities={**graph.activities, key: new})
    s = Sample()
    inputs = tuple(s.plain(f"i{n}.sif") for n in range(70))
    yield s.graph(*s.run(s.application(), inputs, *(f"o{n}.sif" for n in range(70))))
    data = s.plain("folder")
    folder = replace(data, kind="folder", path="/elsewhere")
    s.entities[data.key] = folder
    yield replace(s.graph(*s.run(s.application(), (data,), "x.sif")))


def test_every_name_is_documented_and_every_documented_name_is_used() -> None:
    used = names_in([*(make() for make in SAMPLES_AND_MORE.values()), *more()])
    documented = set(re.findall(r"`(sifprov:\w+)`", TEXT))
    exact = {n for n in documented if not n.endswith(("_FIELD", "_NAME"))}
    patterns = [re.sub("_(FIELD|NAME)$", r"_\\w+", n) for n in documented - exact]
    assert len(patterns) >= 6
    unknown = {n for n in used - exact if not any(re.fullmatch(p, n) for p in patterns)}
    assert unknown == set()
    assert exact - used == set()
    assert all(any(re.fullmatch(p, n) for n in used) for p in patterns)


def test_a_sealed_container_comes_of_the_one_that_was_sealed() -> None:
    s = Sample()
    x = s.made("x.sif")
    sealed = s.made("sealed.sif")
    making = s.activities[sealed.generated_by or ""]
    assert making.record
    it: Container = replace(x.container, role=INPUT)
    record: Record = replace(
        making.record, origin=Origin("/data/x.sif", x.digest or ""), containers=(it,)
    )
    usage = replace(making.generated[0], entity=x.key, container=it)
    s.activities[making.key] = replace(making, record=record, used=(usage,))
    graph = s.graph(sealed)
    assert len(every(graph, "SourceFolder")) == 1
    written = export(graph, "prov-n")
    names = {e["name"]: e[""] for e in every(graph, "DataContainer")}
    assert f"wasDerivedFrom(sifprov:{names['sealed.sif']}, sifprov:{names['x.sif']}" in written


# -- what is shown


def blocks(kind: str) -> list[str]:
    found = re.findall(rf"^```{kind}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert found
    return found


def test_the_commands_and_the_python_work(tmp_path: Path) -> None:
    add(make_sif(tmp_path / "output.sif"), run_record())
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    commands = [line[2:] for block in blocks("console") for line in block.splitlines()]
    assert len(commands) == 5
    for command in commands:
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env={"PATH": path, "HOME": str(tmp_path)},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), command
        assert done.stdout.startswith("document\n") == command.endswith("prov-n")
    for name in ("out.json", "out.provn", "trail.prov.xml", "trail.ttl"):
        assert (tmp_path / name).stat().st_size > 1000
    for block in blocks("python"):
        done = subprocess.run(
            [sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_program_without_the_extra(tmp_path: Path, fmt: str) -> None:
    add(make_sif(tmp_path / "output.sif"), run_record())
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nfor name in ('prov', 'rdflib', 'lxml'):\n    sys.modules[name] = None\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "sifprov", "trail", tmp_path / "output.sif", "--format", fmt],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert done.stdout == ""
    assert "sifprov: hint: pip install 'sifprov[prov]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_the_prototype_recorded_is_exported(tmp_path: Path) -> None:
    found = build(read_trail(str(workflow(tmp_path))))
    assert names_in([found]) <= set(re.findall(r"`(sifprov:\w+)`", TEXT))
    done = CliRunner().invoke(main, ["trail", str(tmp_path / "knn.sif"), "--format", "prov-n"])
    assert done.exit_code == 0
    assert "ContainerImage" not in done.output or "DataContainer" not in done.output
