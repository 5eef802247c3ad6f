"""Command lines of the runtimes: taken apart and put together again."""

from __future__ import annotations

import csv
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from sifprov.runtime import argv as module
from sifprov.runtime.argv import (
    CommandLine,
    image_bind,
    is_image_bind,
    parse,
    split_binds,
    without_image_binds,
)


def parsed(line: str) -> CommandLine:
    found = parse(shlex.split(line))
    assert found is not None
    return found


# line: globals; action; options as (name, value); image; arguments
LINES = {
    "singularity exec app.sif cmd a -b": ([], "exec", [], "app.sif", ["cmd", "a", "-b"]),
    "apptainer run app.sif": ([], "run", [], "app.sif", []),
    "singularity shell -s /bin/zsh app.sif": (
        [], "shell", [("shell", "/bin/zsh")], "app.sif", []),
    "singularity exec -s app.sif x": ([], "exec", [("s", None)], "app.sif", ["x"]),
    "singularity -d -c /f.conf exec -c app.sif x": (
        [("d", None), ("config", "/f.conf")], "exec", [("c", None)], "app.sif", ["x"]),
    "singularity --config=/f.conf -q exec app.sif x": (
        [("config", "/f.conf"), ("q", None)], "exec", [], "app.sif", ["x"]),
    "singularity --config /f.conf exec app.sif x": (
        [("config", "/f.conf")], "exec", [], "app.sif", ["x"]),
    "singularity exec -ceB x:y app.sif c": ([], "exec", [("bind", "x:y")], "app.sif", ["c"]),
    "singularity exec -ceBx:y app.sif c": ([], "exec", [("bind", "x:y")], "app.sif", ["c"]),
    "singularity exec -B=x app.sif c": ([], "exec", [("bind", "x")], "app.sif", ["c"]),
    "singularity exec -Bx app.sif c": ([], "exec", [("bind", "x")], "app.sif", ["c"]),
    "singularity exec --bind=x --bind y app.sif c": (
        [], "exec", [("bind", "x"), ("bind", "y")], "app.sif", ["c"]),
    "singularity exec --bind= app.sif c": ([], "exec", [("bind", "")], "app.sif", ["c"]),
    "singularity exec --env A=--b --nv app.sif c": (
        [], "exec", [("env", "A=--b"), ("nv", None)], "app.sif", ["c"]),
    "singularity exec --env -x app.sif c": ([], "exec", [("env", "-x")], "app.sif", ["c"]),
    "singularity exec --nv -- app.sif -c -- x": (
        [], "exec", [("nv", None)], "app.sif", ["-c", "--", "x"]),
    "singularity exec --no-home -H /h -W/w -S a -o b 'my app.sif' c": (
        [], "exec", [("no-home", None), ("home", "/h"), ("workdir", "/w"), ("scratch", "a"),
                     ("overlay", "b")], "my app.sif", ["c"]),
    "singularity exec app.sif sh -c 'exec -B x'": (
        [], "exec", [], "app.sif", ["sh", "-c", "exec -B x"]),
    "singularity test app.sif": ([], "test", [], "app.sif", []),
}  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_lines(line: str) -> None:
    found = parsed(line)
    got = (
        [(o.name, o.value) for o in found.globals],
        found.action,
        [(o.name, o.value) for o in found.options],
        found.image,
        list(found.args),
    )
    assert got == LINES[line]


@pytest.mark.parametrize("line", LINES)
def test_no_argument_is_lost(line: str) -> None:
    """But for `--`, which says only that no option follows."""
    words, found = shlex.split(line), parsed(line)
    again = [found.program]
    for option in found.globals:
        again += option.tokens
    again.append(found.action)
    for option in found.options:
        again += option.tokens
    again += [found.image, *found.args]
    if "--" in words:
        words.remove("--")
    assert again == words


@pytest.mark.parametrize(
    "line",
    ["", "singularity", "singularity exec", "singularity exec -B x", "singularity exec --nv --",
     "singularity instance start app.sif x", "singularity pull x", "singularity -d",
     "singularity --config exec app.sif"],
)  # fmt: skip
def test_what_runs_no_container(line: str) -> None:
    assert parse(shlex.split(line)) is None


SPECS = {
    "a": ("a",),
    "a,b": ("a", "b"),
    "a:b": ("a:b",),
    "a:b:ro": ("a:b:ro",),
    "a:b:ro,c": ("a:b:ro", "c"),
    "a:b:image-src=/x,ro,c:d": ("a:b:image-src=/x,ro", "c:d"),
    "a:b:id=2,image-src=/,c:d:rw,e": ("a:b:id=2,image-src=/", "c:d:rw", "e"),
    "ro,rw": ("ro", "rw"),
    "a:b,ro": ("a:b,ro",),
    "": (),
    "a,,b": ("a", "b"),
}


@pytest.mark.parametrize("value", SPECS)
def test_binds_are_split_as_the_runtimes_do(value: str) -> None:
    assert split_binds(value) == SPECS[value]


@pytest.mark.parametrize(
    ("spec", "image"),
    [("a:b", False), ("a:b:ro", False), ("a:b:image-src=/", True), ("a:b:ro,id=1", True),
     ("type=bind,source=a,destination=b,image-src=/x", True), ("image-src:b", False)],
)  # fmt: skip
def test_image_binds_are_told(spec: str, image: bool) -> None:
    assert is_image_bind(spec) is image


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("-B i.sif:/I:image-src=/I --nv", "--nv"),
        ("-B i.sif:/I:image-src=/I,ro,/scratch,o.sif:/O:id=1 -e", "--bind /scratch -e"),
        ("--bind=/a:/b:ro -B /c", "--bind /a:/b:ro --bind /c"),
        ("--mount type=bind,source=x.sif,dst=/I,image-src=/ --mount type=bind,src=/a,dst=/b",
         "--mount type=bind,src=/a,dst=/b"),
        ("--data x.sif:/I --env A=1", "--env A=1"),
        ("-ceB i.sif:/I:image-src=/I", "-ce"),
    ],
)  # fmt: skip
def test_image_binds_are_taken_out(line: str, left: str) -> None:
    options = parsed(f"singularity exec {line} app.sif c").options
    assert list(without_image_binds(options)) == shlex.split(left)


def test_a_plain_bind() -> None:
    assert image_bind("/i.sif", "/I", "/I", read_only=False) == ("--bind", "/i.sif:/I:image-src=/I")
    assert image_bind("/i.sif", "/I", "/", read_only=True)[1] == "/i.sif:/I:image-src=/,ro"


@pytest.mark.parametrize("path", ["/a,b.sif", "/a:b.sif", '/a"b,.sif', " /a.sif", "/a.sif "])
def test_a_bind_with_commas_and_colons(path: str) -> None:
    option, value = image_bind(path, "/I", "/I", read_only=True)
    assert option == "--mount"
    (fields,) = csv.reader([value])
    assert fields == ["type=bind", f"source={path}", "destination=/I", "image-src=/I", "ro"]


def test_a_bind_comes_back_from_the_parser() -> None:
    for path in ("/i.sif", "/my app.sif"):
        option = image_bind(path, "/I", "/I", read_only=True)
        line = parse(["singularity", "exec", *option, "app.sif", "c"])
        assert line is not None
        assert without_image_binds(line.options) == ()


@pytest.mark.real
@pytest.mark.parametrize("action", ["exec", "run", "shell", "test"])
def test_the_options_with_a_value_are_the_runtimes_own(action: str) -> None:
    root = Path(__file__).parents[2]
    found = subprocess.run(
        [root / "tools" / "find-runtime"], capture_output=True, text=True, timeout=120, check=False
    )
    if found.returncode:
        pytest.skip(f"tools/find-runtime: {found.stderr.strip()}")
    text = subprocess.run(
        [found.stdout.strip(), action, "--help"],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    rows = re.findall(r"^ {2,6}(?:-(\w), )?--([\w-]+)(?: (\w+))? {2,}", text, re.MULTILINE)
    assert len(rows) > 40
    valued = {name for _, name, kind in rows if kind}
    switches = {name for _, name, kind in rows if not kind}
    assert valued <= module._LONG_WITH_VALUE
    assert not switches & module._LONG_WITH_VALUE
    short = {letter: name for letter, name, kind in rows if letter and kind}
    known = {**module._SHORT_WITH_VALUE, **(module._SHORT_OF_SHELL if action == "shell" else {})}
    assert short.items() <= known.items()
    assert not {letter for letter, _, kind in rows if letter and not kind} & set(known)
