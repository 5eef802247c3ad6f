"""The script of a trail, read by a real `sh`: hostile words come through as they are, programs get
the arguments that were recorded, and what cannot be done again stops it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.graphmaker import Sample
from tests.unit.graphs import NAMES, hostile_names, partly_missing, small

from sifprov.frozen import replace
from sifprov.model.container import FOLDER, OUTPUT
from sifprov.model.graph import Graph
from sifprov.model.record import NOT_STARTED, Record
from sifprov.render.script import script
from sifprov.render.shell import HERE, Shell

SHELLS = [s for s in ("sh", "dash", "bash") if shutil.which(s)]
# Writes its arguments and its folder into a file, and stands in for every program of a script.
PROGRAM = """#!/bin/sh
{ printf '%s\\0' "${0##*/}" "$PWD" "$@"; printf '\\n\\0'; } >> "$CALLS"
case ${0##*/}:$1:$2 in sifprov:data:create) : > "$4" ;; esac
exit ${CODE:-0}
"""


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with stand-ins for the programs, and the containers that scripts need."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("singularity", "sifprov"):
        (programs / name).write_text(PROGRAM)
        (programs / name).chmod(0o755)
    (tmp_path / "new").mkdir()
    return tmp_path


def run(
    desk: Path, text: str, **environment: str
) -> tuple[subprocess.CompletedProcess[bytes], list[list[str]]]:
    """Runs a script; returns how it ended, and the calls: program, folder, arguments."""
    path, calls = desk / "again.sh", desk / "calls"
    path.write_bytes(text.encode())
    calls.write_bytes(b"")
    done = subprocess.run(
        ["sh", str(path)], cwd=desk / "new", capture_output=True, timeout=60, check=False,
        env={"PATH": f"{desk / 'bin'}:/usr/bin:/bin", "CALLS": str(calls), **environment},
    )  # fmt: skip
    words = os.fsdecode(calls.read_bytes()).split("\0\n\0")
    return done, [line.split("\0") for line in words if line]


def touch(desk: Path, graph: Graph, *but: str) -> None:
    """Puts what the script needs into its folder, by the names that it says."""
    for line in script(graph).splitlines():
        if line.startswith("need ") and line.split()[1] not in but:
            (desk / "new" / line.split()[1]).touch()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "name", [*NAMES, "", "\n", "a\n\n", "-e", "%s", "\\", "\\061", "*", "~", "!x"]
)
def test_a_word_comes_through(shell: str, name: str) -> None:
    quoted = Shell()
    text = quoted.words([name, "b", name])
    lines = "\n".join([*quoted.before, f"printf '%s\\0' {text}"])
    done = subprocess.run([shell, "-c", lines], capture_output=True, timeout=20, check=True)
    assert os.fsdecode(done.stdout).split("\0") == [name, "b", name, ""]
    assert done.stderr == b""


_WORDS = st.binary(max_size=20).map(lambda data: os.fsdecode(data.replace(b"\0", b"")))


@given(st.lists(_WORDS, max_size=4))
def test_all_words_come_through(words: list[str]) -> None:
    quoted = Shell()
    text = quoted.words(words)
    lines = "\n".join([*quoted.before, f"set -- {text}", "printf '%s\\0' \"$@\""])
    done = subprocess.run(["sh", "-c", lines], capture_output=True, timeout=20, check=True)
    assert os.fsdecode(done.stdout).split("\0")[:-1] == (words or [""])


def test_the_folder_of_the_script_stands_in_words() -> None:
    quoted = Shell()
    text = quoted.words([f"{HERE}/a b:/x\n", HERE])
    lines = "\n".join(["here='/tmp/it is'", *quoted.before, f"printf '%s\\0' {text}"])
    done = subprocess.run(["sh", "-c", lines], capture_output=True, timeout=20, check=True)
    assert done.stdout == b"/tmp/it is/a b:/x\n\0/tmp/it is\0"


def test_two_steps(desk: Path) -> None:
    touch(desk, small())
    done, calls = run(desk, script(small()))
    assert done.returncode == 0, done.stderr
    new = str(desk / "new")
    assert [(c[0], c[1]) for c in calls] == [
        ("sifprov", new), ("singularity", new), ("sifprov", new), ("singularity", new),
    ]  # fmt: skip
    assert calls[0][2:] == [
        "data", "create", "-q", "middle.sif", "--role", "output", "--mount", "/Outputs",
        "--free", "67108864",
    ]  # fmt: skip
    assert calls[3][2:] == [
        "exec", "--bind", f"{new}/middle.sif:/Inputs:image-src=/Inputs,ro",
        "--bind", f"{new}/output.sif:/Outputs:image-src=/Outputs",
        f"{new}/gnuplot.sif", "sh", "-c", "cat /Inputs/* > /Outputs/result.csv",
    ]  # fmt: skip


def test_it_stops_before_it_begins_where_something_is_missing(desk: Path) -> None:
    touch(desk, partly_missing(), "gone.sif", "bare.sif")
    done, calls = run(desk, script(partly_missing()))
    assert (done.returncode, calls) == (3, [])
    said = done.stderr.decode()
    assert "missing: gone.sif" in said
    assert "missing: bare.sif" in said
    assert "UUID 00000000-0000-4000-8000-000000000002" in said
    assert "swapped" not in said


def test_a_container_is_taken_from_where_it_was_found(desk: Path) -> None:
    graph = small()
    entities = {}
    for key, entity in graph.entities.items():
        where = desk / "store" / entity.name
        where.parent.mkdir(exist_ok=True)
        where.write_text(entity.name)
        entities[key] = replace(entity, path=str(where))
    done, calls = run(desk, script(replace(graph, entities=entities)))
    assert done.returncode == 0, done.stderr
    assert len(calls) == 4
    links = {p.name: p.read_text() for p in (desk / "new").iterdir() if p.is_symlink()}
    assert links == {n: n for n in ("simulate.sif", "input.sif", "gnuplot.sif")}


def test_nothing_that_is_there_is_written_to(desk: Path) -> None:
    touch(desk, small())
    (desk / "new" / "output.sif").write_text("result")
    done, calls = run(desk, script(small()))
    assert (done.returncode, calls) == (1, [])
    assert b"output.sif is here already" in done.stderr
    assert (desk / "new" / "output.sif").read_text() == "result"


def test_the_exit_code_of_then_is_the_one_that_is_good(desk: Path) -> None:
    graph = partly_missing()
    touch(desk, graph)
    done, calls = run(desk, script(graph))
    assert done.returncode == 3
    assert b"it ended with 0, and with 3 then" in done.stderr
    assert len([c for c in calls if c[0] == "singularity"]) == 1


def test_hostile_names_harm_nothing(desk: Path) -> None:
    graph = hostile_names()
    touch(desk, graph)
    done, calls = run(desk, script(graph))
    assert done.returncode == 0, done.stderr
    first = next(c for c in calls if c[0] == "singularity")
    # The recorded command has the names as arguments: the image, options, and what follows.
    assert [word for word in first if word in NAMES[4:]] == list(NAMES[4:])
    assert not any(b < 32 and b != 10 for b in script(graph).encode())


def stopped(desk: Path, graph: Graph) -> str:
    touch(desk, graph)
    done, calls = run(desk, script(graph))
    assert done.returncode == 3
    assert not [c for c in calls if c[0] == "singularity"]
    return done.stderr.decode()


def test_what_cannot_be_done_again_stops_it(desk: Path) -> None:
    s = Sample()
    (end,) = s.run(s.application(), (s.made("input.sif"),), "output.sif")
    graph = s.graph(end)
    activity = graph.activities[end.generated_by or ""]
    record = activity.record
    assert record
    assert record.run

    def with_record(changed: Record) -> Graph:
        return replace(
            graph, activities={**graph.activities, activity.key: replace(activity, record=changed)}
        )

    secret = replace(record, run=replace(record.run, redacted=(1,)))
    assert "argument 2 of its command held a secret" in stopped(desk, with_record(secret))
    unknown = replace(record, run=replace(record.run, argv=()))
    assert "was not recorded" in stopped(desk, with_record(unknown))
    folder = tuple(
        replace(c, marks=(FOLDER,)) if c.role == OUTPUT else c for c in record.containers
    )
    assert "folder of the host" in stopped(desk, with_record(replace(record, containers=folder)))
    never = replace(record, run=replace(record.run, outcome=NOT_STARTED, exit_code=None))
    done, calls = run(desk, script(with_record(never)))
    assert (done.returncode, calls) == (0, [])


def test_two_runs_into_one_container_make_it_once(desk: Path) -> None:
    s = Sample()
    app, data = s.application(), s.made("input.sif")
    (first,) = s.run(app, (data,), "output.sif")
    graph = s.graph(*s.run(app, (data,), first))
    touch(desk, graph)
    done, calls = run(desk, script(graph))
    assert done.returncode == 0, done.stderr
    assert [c[0] for c in calls] == ["sifprov", "singularity", "singularity"]


def test_the_folder_of_the_run_is_used_where_it_is(desk: Path) -> None:
    s = Sample()
    (end,) = s.run(s.application(), (s.made("input.sif"),), "output.sif")
    graph = s.graph(end)
    activity = graph.activities[end.generated_by or ""]
    assert activity.record
    assert activity.record.run
    there = desk / "it is\n"
    there.mkdir()
    record = replace(activity.record, run=replace(activity.record.run, cwd=str(there)))
    activities = {**graph.activities, activity.key: replace(activity, record=record)}
    graph = replace(graph, activities=activities)
    touch(desk, graph)
    done, calls = run(desk, script(graph))
    assert done.returncode == 0, done.stderr
    assert calls[-1][:2] == ["singularity", str(there)]


def test_a_folder_that_no_bind_can_name_is_refused(desk: Path) -> None:
    (desk / "new").rmdir()
    (desk / "a:b").mkdir()
    (desk / "new").symlink_to("a:b")
    done, calls = run(desk, script(small()))
    assert (done.returncode, calls) == (1, [])
    assert b"of such a name" in done.stderr
