"""`sifprov diff`: what is not the same between two recorded runs."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.unit.schemas import problems
from tests.unit.sifs import OUT, add, container, make_sif, run, run_record

from sifprov.cli import main
from sifprov.content import Deadline, file_entry, make_tree
from sifprov.errors import NoRecordError
from sifprov.model.annotation import make
from sifprov.model.canonical import Json
from sifprov.model.container import Container
from sifprov.model.fact import Fact
from sifprov.model.files import describe
from sifprov.model.record import INPUT, SIGNALED, Record, Run
from sifprov.rundiff import diff_runs, read_run
from sifprov.rundiff.change import Change, by_way
from sifprov.rundiff.containers import name_files

OTHER = "tree-v1:" + "9" * 64


def cli(*argv: str | Path) -> Result:
    return CliRunner().invoke(main, ["diff", *map(str, argv)], standalone_mode=False)


def stored(folder: Path, name: str, record: Record) -> Path:
    path = folder / name
    if not path.exists():
        make_sif(path)
    add(path, record)
    return path


def changes(first: Path, second: Path | None = None) -> dict[str, dict[str, tuple[Any, Any]]]:
    """What --json says, by topic and what it is."""
    done = cli(*filter(None, (first, second)), "--json")
    document = json.loads(done.stdout)
    assert not problems("sifprov.diff/1", document)
    assert done.return_value == (0 if document["same"] else 1)
    counted = ("same", "shown")
    assert document["same"] == all(t["verdict"] in counted for t in document["topics"])
    return {
        t["name"]: {c["what"]: (c["first"], c["second"]) for c in t["changes"]}
        for t in document["topics"]
        if t["changes"] or t["verdict"] not in counted
    }


def with_run(**fields: Any) -> Record:
    return replace(run_record(), run=replace(run(), **fields))


def with_input(record: Record, **fields: Any) -> Record:
    def changed(c: Container) -> Container:
        return replace(c, **fields) if c.role == INPUT else c

    return replace(record, containers=tuple(map(changed, record.containers)))


def facts(**values: Json) -> tuple[Fact, ...]:
    return tuple(Fact(name, value, source="test") for name, value in sorted(values.items()))


CASES: dict[str, tuple[Record, str, dict[str, tuple[str | None, str | None]]]] = {
    "argument": (
        with_run(argv=("singularity", "exec", "app.sif", "sh", "-c", "x")),
        "command",
        {"argument 1": ("true", "sh -c x")},
    ),
    "option": (
        with_run(argv=("singularity", "exec", "--nv", "app.sif", "true")),
        "command",
        {"option 1": (None, "--nv")},
    ),
    "folder": (with_run(cwd="/tmp"), "command", {"working directory": ("/data", "/tmp")}),
    "variable": (
        with_run(environment=(("LANG", "de"), ("TZ", "UTC"))),
        "environment",
        {"LANG": ("C.UTF-8", "de"), "TZ": (None, "UTC")},
    ),
    "runtime": (
        with_run(runtime_version="9.9"),
        "platform",
        {"runtime": ("singularity-ce 4.3.3", "singularity-ce 9.9")},
    ),
    "signal": (
        with_run(outcome=SIGNALED, exit_code=None, signal=9),
        "outcome",
        {"ended": ("exit code 0", "signal 9")},
    ),
    "input": (
        with_input(run_record(), digest=OTHER, name="new.sif"),
        "inputs",
        {"/mnt": ("in.sif (tree-v1:0000000000000000…)", "new.sif (tree-v1:9999999999999999…)")},
    ),
    "elsewhere in it": (
        with_input(run_record(), source="/a"),
        "inputs",
        {"/mnt: folder of the container": ("/mnt", "/a")},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_not_the_same_is_named(case: str, tmp_path: Path) -> None:
    other, topic, expected = CASES[case]
    first = stored(tmp_path, "a.sif", run_record())
    second = stored(tmp_path, "b.sif", other)
    assert changes(first, second) == {topic: expected}
    assert changes(second, first) == {topic: {what: both[::-1] for what, both in expected.items()}}
    assert changes(first, first) == {}


def test_the_same_content_in_another_container_is_the_same(tmp_path: Path) -> None:
    moved = with_input(run_record(), path="/else/where.sif", name="where.sif", uuid=OUT)
    first = stored(tmp_path, "a.sif", run_record())
    assert changes(first, stored(tmp_path, "b.sif", moved)) == {}


def test_files_that_are_not_the_same_are_named(tmp_path: Path) -> None:
    def with_files(**files: bytes) -> Record:
        found = [
            file_entry(name.encode(), stat.S_IFREG | 0o644, [content], Deadline())
            for name, content in files.items()
        ]
        tree = make_tree(found, 0)
        return with_input(run_record(), digest=tree.digest, files=describe(tree)[0])

    many = {f"f{n:03}": b"x" for n in range(9)}
    first = stored(tmp_path, "a.sif", with_files(**many, a=b"1", gone=b"22"))
    second = stored(tmp_path, "b.sif", with_files(**many, a=b"2", new=b"333"))
    found = changes(first, second)["inputs"]
    one, other = found["/a"]
    assert one.startswith("1 B (6b86b273") and other.startswith("1 B (d4735e3a")
    assert found["/gone"][1] is None and found["/new"][0] is None
    assert found["/new"][1].startswith("3 B (")
    assert set(found) == {"/mnt", "/a", "/gone", "/new"}


def test_of_many_files_the_first_are_named() -> None:
    trees = [
        make_tree([file_entry(b"%04d" % n, stat.S_IFREG, [c], Deadline()) for n in range(80)], 0)
        for c in (b"1", b"2")
    ]
    rows = list(name_files(trees[0], trees[1]))
    assert len(rows) == 51
    assert rows[-1] == Change("30 more files", None, None)


def test_an_unknown_content_is_not_called_the_same(tmp_path: Path) -> None:
    unread = with_input(run_record(), digest=None, reason="not asked for")
    first = stored(tmp_path, "a.sif", run_record())
    found = changes(first, stored(tmp_path, "b.sif", unread))
    assert found["inputs"]["/mnt"][1] == "in.sif (content unknown: not asked for)"
    assert "inputs        not known" in cli(first, tmp_path / "b.sif").stdout


def test_an_input_more_is_told(tmp_path: Path) -> None:
    more = replace(container(INPUT, None, "more.sif"), mount="/more")
    record = replace(run_record(), containers=(*run_record().containers, more))
    first = stored(tmp_path, "a.sif", run_record())
    found = changes(first, stored(tmp_path, "b.sif", record))
    assert found["inputs"]["/more"][0] is None
    assert "/more: only in the second: more.sif" in cli(first, tmp_path / "b.sif").stdout


def test_the_machine_counts_and_what_was_used_does_not(tmp_path: Path) -> None:
    machine: dict[str, Json] = {"cpu": "X 1", "memory_bytes": 8 << 30, "gpus": ["A100"]}
    used: dict[str, Json] = {
        "scope": "container",
        "user_us": 1_000_000,
        "peak_memory_bytes": 1 << 20,
    }
    a = with_run(facts=facts(platform=machine, resources=used, user={"name": "me", "uid": 1}))
    less = facts(
        platform={**machine, "gpus": ["H100"]},
        resources={**used, "user_us": 2_000_000},
        user={"name": "you", "uid": 2},
    )
    first = stored(tmp_path, "a.sif", a)
    second = stored(tmp_path, "b.sif", with_run(facts=less))
    found = changes(first, second)
    assert found == {
        "platform": {"gpus": ("A100", "H100")},
        "resources": {"user time": ("1.00 s", "2.00 s (2.00 times)")},
        "circumstances": {"user.name": ("me", "you"), "user.uid": ("1", "2")},
    }
    calm = replace(a, run=replace(a.run or run(), facts=(*a.run.facts[:1], *less[1:])))  # type: ignore[union-attr]
    assert cli(first, stored(tmp_path, "c.sif", calm)).return_value == 0


def test_the_users_words_are_shown_later_ones_too(tmp_path: Path) -> None:
    noted = replace(run_record(), annotation=make(["detector 3"], [], ["r2=0.93"]))
    first = stored(tmp_path, "a.sif", run_record())
    found = changes(first, stored(tmp_path, "b.sif", noted))
    assert found == {"circumstances": {"notes": (None, "detector 3"), "metric.r2": (None, "0.93")}}
    CliRunner().invoke(main, ["annotate", str(first), "--metric", "r2=0.5"])
    assert changes(first, tmp_path / "b.sif")["circumstances"]["metric.r2"] == ("0.5", "0.93")


def test_the_last_two_runs_of_one_container(tmp_path: Path) -> None:
    path = stored(tmp_path, "a.sif", run_record())
    with pytest.raises(NoRecordError, match="only one recorded run"):
        read_run(str(path), before=1)
    assert "only one" in str(cli(path).exception)
    later = with_run(started="2026-05-28T21:00:00Z", ended=None, cwd="/later")
    stored(tmp_path, "a.sif", replace(later, id=OUT))
    assert changes(path)["command"] == {"working directory": ("/data", "/later")}


def test_a_run_is_chosen_by_its_id(tmp_path: Path) -> None:
    path = stored(tmp_path, "a.sif", run_record())
    stored(tmp_path, "a.sif", replace(with_run(started="2026-05-28T21:00:00Z"), id=OUT))
    ident = str(run_record().id)
    assert read_run(f"{path}@{ident}").record.id == run_record().id
    assert read_run(f"{path}@{str(OUT).upper()}").record.id == OUT
    assert read_run(str(path)).record.id == OUT
    with pytest.raises(NoRecordError, match="no recorded run whose id begins with ffff"):
        read_run(f"{path}@ffff")
    odd = tmp_path / "a@b.sif"
    path.rename(odd)
    assert read_run(str(odd)).record.id == OUT


def test_hostile_words_are_harmless(tmp_path: Path) -> None:
    evil = with_run(argv=("s", "exec", "a.sif", "\x1b[2J" + "x" * 10_000), cwd="/\x1b]0;x\x07")
    first = stored(tmp_path, "a.sif", run_record())
    shown = cli(first, stored(tmp_path, "b.sif", evil)).stdout
    assert "\x1b" not in shown and "\\x1b[2J" in shown


def test_deep_facts_end_and_lists_are_compared_by_what_is_in_them() -> None:
    deep: Json = "x"
    for _ in range(60):
        deep = [deep]
    assert list(by_way({"a": deep, "b": None, "c": True}, {"a": "y"})) == [
        Change("a", None, "y"), Change("c", "true", None)
    ]  # fmt: skip
    assert list(by_way({"e": ["a", "b", "b"]}, {"e": ["b", "c"]}, "is ")) == [
        Change("is e", "a, b", "c")
    ]
    assert not list(by_way({"e": ["a", "b"]}, {"e": ["b", "a"]}))


def test_names_of_variables_that_went_in_do_not_count(tmp_path: Path) -> None:
    first, second = (
        with_run(facts=facts(isolation={"contain": False, "environment": ["HOME", name]}))
        for name in ("A", "B")
    )
    found = changes(stored(tmp_path, "a.sif", first), stored(tmp_path, "b.sif", second))
    assert found == {"circumstances": {"variables": ("A", "B")}}


def test_what_one_way_of_recording_does_not_tell_of_isolation_is_no_change(tmp_path: Path) -> None:
    plugin = with_run(facts=facts(isolation={"contain": False, "no_tmp": False}))
    wrapper = with_run(facts=facts(isolation={"contain": True}))
    found = changes(stored(tmp_path, "a.sif", plugin), stored(tmp_path, "b.sif", wrapper))
    assert found == {"platform": {"isolation: contain": ("false", "true")}}


def test_long_command_lines_take_no_time(tmp_path: Path) -> None:
    words = tuple(str(i % 7) for i in range(20_000))
    a: Run = replace(run(), argv=(), command=words)
    b: Run = replace(run(), argv=(), command=words[::-1])
    first = stored(tmp_path, "a.sif", replace(run_record(), run=a))
    second = stored(tmp_path, "b.sif", replace(run_record(), run=b))
    found = diff_runs(read_run(str(first)), read_run(str(second)))
    (topic,) = (t for t in found.topics if t.name == "command")
    assert [c.first for c in topic.changes] == ["20000 words"]
