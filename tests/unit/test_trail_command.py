"""`sifprov trail` as it is typed: formats, files that are written, colour."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.bench.bench_trail import container
from tests.unit.graphs import SAMPLES, chain, fan_in, hostile_names, small
from tests.unit.schemas import problems
from tests.unit.sifs import make_sif

from sifprov.cli import main
from sifprov.errors import Exit, FileError, SifprovError
from sifprov.trailformats import FORMATS, format_of


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return container(tmp_path / "output.sif", small())


def trail(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["trail", *map(str, arguments)])


@pytest.mark.parametrize("name", SAMPLES)
def test_the_json_of_a_sample_has_its_schema(tmp_path: Path, name: str) -> None:
    path = container(tmp_path / "x.sif", SAMPLES[name]())
    done = trail("--json", path)
    assert done.exit_code == 0, done.output
    assert done.output.isascii()
    document = json.loads(done.output)
    assert problems("sifprov.trail/1", document) == []
    keys = [e["key"] for e in document["graph"]["entities"]]
    assert len(set(keys)) == len(keys)
    assert set(document["graph"]["targets"]) <= set(keys)
    missing = [e["key"] for e in document["graph"]["entities"] if e["standing"] == "missing"]
    assert document["missing"] == missing
    assert bool(missing) == (name == "partly-missing")


def test_json_of_a_thousand_is_lines_one_can_read(tmp_path: Path) -> None:
    done = trail("--json", container(tmp_path / "x.sif", fan_in(50)))
    lines = done.output.splitlines()
    assert len(lines) > 100
    assert json.loads(
        lines[[line.strip() for line in lines].index('"activities": [') + 1].strip(" ,")
    )


def test_the_suffix_says_the_format(output: Path) -> None:
    for name, wanted in (("a.json", "json"), ("a.txt", "tree"), ("A.JSON", "json")):
        file = output.parent / name
        assert trail(output, "-o", file).exit_code == 0
        text = file.read_text(encoding="utf-8")
        assert text == trail(output, "--format", wanted).output
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
    for name, wanted in (
        ("x.prov.json", "prov-json"), ("x.provn", "prov-n"), ("x.ttl", "prov-ttl"),
        ("x.prov.xml", "prov-xml"), ("x.gv", "dot"), ("x.mmd", "mermaid"), ("x.svg", "svg"),
        ("x.html", "html"), ("x.htm", "html"),
    ):  # fmt: skip
        assert format_of(None, name) == wanted
    assert {format_of(f, "x") for f in FORMATS} == set(FORMATS)
    assert format_of("json", "x.txt") == "json"
    with pytest.raises(SifprovError, match="does not say what to write"):
        format_of(None, "x.dat")


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"tree", "json"}))
def test_every_format_is_there(output: Path, name: str) -> None:
    done = trail(output, "--format", name)
    assert done.exit_code == 0, done.output
    assert "output.sif" in done.output


def test_a_file_is_replaced_when_the_new_one_is_whole(output: Path) -> None:
    file = output.parent / "trail.json"
    file.write_text("old")
    file.chmod(0o640)
    link = output.parent / "link.json"
    link.symlink_to(file)
    assert trail(output, "-o", link).exit_code == 0
    assert link.is_symlink()
    assert json.loads(file.read_text(encoding="utf-8"))["schema"] == "sifprov.trail/1"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(p.name for p in output.parent.iterdir()) == [
        "link.json", "output.sif", "trail.json",
    ]  # fmt: skip


def test_a_container_is_never_replaced(output: Path) -> None:
    before = output.read_bytes()
    other = make_sif(output.parent / "other.json")
    for path in (output, other):
        done = trail(output, "--format", "json", "-o", path)
        assert isinstance(done.exception, FileError)
        assert "is a container" in str(done.exception)
    assert output.read_bytes() == before


def test_what_cannot_be_written_is_told(output: Path) -> None:
    done = trail(output, "-o", output.parent / "no" / "trail.json")
    assert isinstance(done.exception, FileError)
    assert done.exception.exit_code == Exit.USAGE


def test_a_pipe_is_written_to(output: Path) -> None:
    pipe = output.parent / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text(encoding="utf-8")))
    reader.start()
    assert trail(output, "--format", "tree", "-o", pipe).exit_code == 0
    reader.join(timeout=20)
    assert read == [trail(output).output]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_pipe_gets_everything_and_no_colour(tmp_path: Path) -> None:
    path = container(tmp_path / "x.sif", chain(30))
    plain = trail(path).output
    assert "\x1b" not in plain
    assert plain.count("recorded by") == 30
    assert "… 28 more runs" in trail(path, "--collapse").output
    coloured = trail(path, "--color", "always").output
    assert "\x1b[32mexit code 0\x1b[0m" in coloured


def on_a_terminal(path: Path, *arguments: str, **environment: str) -> str:
    """What the program writes on a terminal."""
    import pty
    import subprocess
    import sys

    main_end, other_end = pty.openpty()
    argv = [sys.executable, "-m", "sifprov", "trail", str(path), *arguments]
    with subprocess.Popen(
        argv, stdout=other_end, stderr=other_end, stdin=other_end,
        env={**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, **environment},
    ) as process:  # fmt: skip
        os.close(other_end)
        said = b""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                piece = os.read(main_end, 1 << 16)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            said += piece
        assert process.wait(timeout=20) == 0
    os.close(main_end)
    return said.decode()


def test_a_terminal_gets_colour_and_what_fits_it(tmp_path: Path) -> None:
    path = container(tmp_path / "x.sif", chain(30))
    shown = on_a_terminal(path)
    assert "\x1b[32mexit code 0\x1b[0m" in shown
    assert "… 28 more runs" in shown
    assert "\x1b" not in on_a_terminal(path, NO_COLOR="1")
    assert "\x1b" not in on_a_terminal(path, "--color", "never")
    assert "\x1b" in on_a_terminal(path, NO_COLOR="")
    assert on_a_terminal(path, "--no-collapse").count("recorded by") == 30
    assert "\x1b" not in on_a_terminal(path, "--json")


def test_depth(tmp_path: Path) -> None:
    path = container(tmp_path / "x.sif", chain(5))
    assert trail(path, "--depth", "2").output.count("recorded by") == 2
    assert trail(path, "--depth", "0").exit_code == Exit.USAGE


@pytest.mark.parametrize(
    "arguments",
    [("--script", "--json"), ("--file", "/x", "--script"), ("--json", "--format", "dot"),
     ("--file", "/x", "--format", "svg")],
)  # fmt: skip
def test_what_does_not_go_together(output: Path, arguments: tuple[str, ...]) -> None:
    done = trail(output, *arguments)
    assert done.exit_code == Exit.USAGE
    assert "do not go together" in done.output


def test_the_script_is_printed(output: Path) -> None:
    done = trail(output, "--script")
    assert done.output.startswith("#!/bin/sh\n")
    file = output.parent / "again.sh"
    assert trail(output, "--script", "-o", file).exit_code == 0
    assert file.read_text() == done.output


def test_hostile_names_in_a_file(tmp_path: Path) -> None:
    done: Any = trail(container(tmp_path / "x.sif", hostile_names()))
    assert done.exit_code == 0
    assert "\x1b" not in done.output
