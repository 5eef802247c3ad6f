"""Every schema is one, is strict, and fits the documents that the code makes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.unit.schemas import FOLDER, problems, schemas, validator
from tests.unit.sifs import (
    IN,
    TREE,
    add,
    add_object,
    container,
    make_sif,
    origin_record,
    run,
    run_record,
)

from sifprov import pluginadmin, spool
from sifprov.doctor import diagnose
from sifprov.lineage import build
from sifprov.lineage.document import document as trail_document
from sifprov.model import verdict
from sifprov.model.annotation import make as make_annotation
from sifprov.model.canonical import Json
from sifprov.model.fact import Fact
from sifprov.model.files import Files
from sifprov.model.record import (
    ANNOTATE,
    NOT_STARTED,
    RERUN,
    SIGNALED,
    UNKNOWN,
    Origin,
    Record,
    Replay,
)
from sifprov.model.request import parse_end, parse_request
from sifprov.pluginadmin.payload import site_log_of, write_config
from sifprov.runtime.find import Runtime
from sifprov.trail import read_trail

SHA256 = "sha256:" + "5" * 64
FORMATS = (FOLDER.parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")
NAMES = {
    "record", "capture-request", "plugin-config", "trail", "trail-file", "rerun", "spool",
    "plugin-status", "layout", "log", "bundle", "compare", "data-files", "data-info", "data-ls",
    "answer", "catalog-status", "diff", "doctor", "files", "flush", "index", "lineage", "measured",
    "replay-options", "replay-plan", "report", "site-log", "telemetry", "verify", "workflow",
    "workflow-check", "workflow-plan", "workflow-run", "workflow-show", "workflow-step",
    "workflow-work",
}  # fmt: skip


# Fields that are absent where there is nothing to say.
OPTIONAL = {
    "deliver",
    "live",
    "refused",
    "annotates",
    "annotation",
    "facts",
    "files",
    "folders",
    "lineage",
    "marks",
    "metadata",
    "mounts",
    "pid",
    "record_id",
    "site_log",
    "variables",
    "verdict",
}
# Those of a file that people write.
WRITTEN = {
    "sifprov.workflow/1": {
        "action", "command", "composition", "cpus", "environment", "file", "free", "inputs",
        "layout", "memory", "metrics", "minutes", "mount", "options", "output", "path", "tags",
    },
}  # fmt: skip


def plain(document: object) -> Any:
    """The document as a reader of its text gets it."""
    return json.loads(json.dumps(document))


def nodes(schema: object) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from nodes(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from nodes(value)


def test_there_is_one_for_every_document() -> None:
    assert {p.name for p in FOLDER.iterdir()} == {f"{n}.schema.json" for n in NAMES}
    assert set(schemas()) == {f"sifprov.{n}/1" for n in NAMES}


@pytest.mark.parametrize("name", sorted(f"sifprov.{n}/1" for n in NAMES))
def test_each_is_valid_and_strict(name: str) -> None:
    schema = schemas()[name]
    validator(name)  # raises SchemaError for one that is none
    assert schema["description"]
    for node in nodes(schema):
        if node.get("type") != "object" or not isinstance(node.get("properties"), dict):
            continue
        assert node["additionalProperties"] is False
        required, fields = set(node["required"]), set(node["properties"])
        assert fields - OPTIONAL - WRITTEN.get(name, set()) <= required <= fields
        for field, its in node["properties"].items():
            assert its.get("description"), f"{name}: {field} is not described"


RECORDS = {
    "run": run_record(),
    "origin": origin_record(),
    "chain": replace(run_record(), previous="sha256:" + "a" * 64),
    "replay": replace(run_record(), replays=Replay("sha256:" + "b" * 64, IN)),
    "killed": replace(
        run_record(), run=replace(run(), ended=None, outcome=UNKNOWN, exit_code=None)
    ),
    "signaled": replace(
        run_record(), run=replace(run(), outcome=SIGNALED, exit_code=None, signal=9)
    ),
    "not started": replace(
        run_record(), run=replace(run(), outcome=NOT_STARTED, exit_code=None, redacted=(3,))
    ),
    "facts and marks": replace(
        run_record(),
        run=replace(
            run(),
            facts=(
                Fact("kernel", {"release": "6.1", "cpus": 2}, source="uname"),
                Fact("resources", None, reason="the runtime was killed"),
            ),
        ),
        containers=(
            replace(container("input", None, "x"), marks=("changed-outside", "provisional")),
        ),
    ),
    "files": replace(
        origin_record(),
        origin=Origin(
            "/d", TREE, Files(lines=(b"d 755 - - \xff", b"f 4600 3 " + b"0" * 64 + b" \xff/a"))
        ),
        containers=(
            replace(container("input", None, "x"), files=Files(count=9, digest=SHA256)),
            replace(container("input", None, "y"), files=Files(reason="too many\udc80")),
        ),
    ),
    "annotated run": replace(
        run_record(), annotation=make_annotation(["a note\udcff"], ["paper=2"], ["r2=0.93"])
    ),
    "annotation": replace(
        origin_record(), captured_by=ANNOTATE, origin=None,
        annotation=make_annotation(["a note"]), annotates=Replay("sha256:" + "c" * 64, IN),
    ),
    "verdict": replace(
        origin_record(), captured_by=RERUN, origin=None, replays=Replay(SHA256, IN),
        verdict=verdict.Verdict(verdict.SAME, Replay(SHA256, IN), TREE, TREE, (3, 0, 0, 0, 0)),
    ),
    "verdict that differs": replace(
        origin_record(), captured_by=RERUN, origin=None, replays=Replay(SHA256, IN),
        verdict=verdict.Verdict(
            verdict.DIFFERS, Replay(SHA256, IN), TREE, "tree-v1:" + "6" * 64, (3, 1, 1, 0, 2),
            (
                verdict.FileWord("a.png", verdict.ALIKE, "the 9 pixels are the same"),
                verdict.FileWord("\udcff", verdict.ONLY_REPLAY, ""),
            ),
            "1E-9",
            (verdict.Changed("argument 3", "10", "\udc80"),),
            (verdict.StepWord(IN, verdict.UNKNOWN), verdict.StepWord(IN, verdict.DIFFERS)),
        ),
    ),
    "odd names": replace(
        run_record(),
        run=replace(
            run(("a\udcff", "\u2028\U0001f600", "\x01")), environment=(("LC_\xe9", "\udc80"),)
        ),
        containers=(
            replace(container("input", None, "x\udc80\n"), digest=None, reason="/data/\udcff: no"),
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("which", RECORDS)
def test_records(which: str) -> None:
    record = RECORDS[which]
    data = record.to_bytes()
    assert problems("sifprov.record/1", json.loads(data)) == []
    assert Record.from_bytes(data) == record


def documented(start: str) -> Iterator[Any]:
    """The JSON examples of docs/formats.md that begin with `start`."""
    decoder = json.JSONDecoder()
    for match in re.finditer(re.escape(start), FORMATS):
        text = re.sub(r"(,|\]|\}|:|d|l) {3,}\S[^\n]*", r"\1", FORMATS[match.start() :])
        text = text.replace(", …", "").replace("bytes|null", '"Yg=="').replace("bytes", '"Yg=="')
        text = text.replace('"2"|null', '"2"')
        yield decoder.raw_decode(text)[0]


def test_the_documented_capture_request() -> None:
    (first,) = documented('{"schema": "sifprov.capture-request/1"')
    (second,) = documented('{"event": "end"')
    for event in (first, second):
        assert problems("sifprov.capture-request/1", event) == []
    request = parse_request(json.dumps(first).encode())
    assert request.binds[0].image_src == "b"
    assert parse_end(json.dumps(second).encode()).exit_code == 0
    for event in (first, second):
        for field in event:
            broken = {k: v for k, v in event.items() if k != field}
            assert problems("sifprov.capture-request/1", broken)


def test_the_documented_configuration() -> None:
    (example,) = documented('{"schema": "sifprov.plugin-config/1"')
    assert problems("sifprov.plugin-config/1", example) == []
    example["helper"][0] = "python3"
    assert problems("sifprov.plugin-config/1", example)


def place(folder: Path) -> pluginadmin.Place:
    runtime = Runtime("/usr/bin/singularity", "singularity-ce", "4.3.3")
    return pluginadmin.Place(runtime, folder, folder)


@pytest.mark.parametrize("log", [None, {"argv": True, "to": "/dev/log"}])
def test_the_configuration_that_is_written(tmp_path: Path, log: Json) -> None:
    where = place(tmp_path)
    where.folder.mkdir()
    assert site_log_of(where) is None
    write_config(where, ["/usr/bin/python3", "-I", "-S", "/x/helper.py"], log)
    document = json.loads(where.config.read_bytes())
    assert problems("sifprov.plugin-config/1", document) == []
    # The next installation keeps it.
    assert site_log_of(where) == log


@pytest.mark.parametrize("version", [None, "0.1.0"])
def test_the_status_of_the_plugin(tmp_path: Path, version: str | None) -> None:
    state = pluginadmin.State.STALE if version else pluginadmin.State.ABSENT
    status = pluginadmin.Status(place(tmp_path), state, version, ("/x",), ("broken",))
    document = {"runtimes": [status.to_json()], "schema": pluginadmin.SCHEMA, "skipped": ["/y"]}
    assert problems("sifprov.plugin-status/1", plain(document)) == []


def test_what_doctor_finds(tmp_path: Path) -> None:
    document = plain(diagnose(None, tmp_path, environ={"PATH": ""}).to_json())
    assert problems("sifprov.doctor/1", document) == []
    document["checks"][0]["level"] = "fine"
    assert problems("sifprov.doctor/1", document)


def test_the_trail(tmp_path: Path) -> None:
    source = make_sif(tmp_path / "in.sif", uuid=IN, name=b"sifprov:input:/In\xff")
    add(source, origin_record())
    output = make_sif(tmp_path / "out.sif")
    add(output, run_record())
    add_object(output, b'{"schema":"sifprov.record/1"}', name=b"metadata.json")
    trail = read_trail(str(output))
    document = plain(trail_document(trail, build(trail)))
    assert problems("sifprov.trail/1", document) == []
    assert [c["role"] for c in (document["container"], *document["ancestors"])] == [
        "output", "input",
    ]  # fmt: skip
    assert [r["error"] for r in document["container"]["records"]] == [None, "captured_by: missing"]
    document["container"]["records"][0]["record"]["id"] = "no"
    assert problems("sifprov.trail/1", document)


def test_the_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    record = replace(run_record(), container=UUID(int=5))
    path = spool.save("/data/out\udcff.sif", record, reason="it is full")
    document = json.loads(Path(path).read_bytes())
    assert problems("sifprov.spool/1", document) == []
    del document["record"]["id"]
    assert problems("sifprov.spool/1", document)
