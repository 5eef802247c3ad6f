"""Our options out of a command line, `ro` into it; everything else stays byte for byte."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sifprov.create import create_data
from sifprov.errors import SifprovError
from sifprov.model.record import INPUT, OUTPUT
from sifprov.runtime import argv as runtime_argv
from sifprov.wrapper.line import CAPTURED, OPTIONS, prepare, take_out, with_program
from sifprov.wrapper.main import wants_help
from sifprov.wrapper.short import expand

WORDS = [
    "-B", "a:/b", "--bind=c", "--env", "X=1", "--nv", "-e", "-ceB", "x", "--pwd", "/", "--",
    "app.sif", "sh", "--in", "--runtime", "-c", "exit 1", "", "-", "--no-home",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Holds an input and an output container."""
    monkeypatch.chdir(tmp_path)
    create_data("in.sif", mount="/Inputs", role=INPUT)
    create_data("out.sif", mount="/Outputs", role=OUTPUT)
    return tmp_path


def prepared_argv(words: list[str], environ: dict[str, str] | None = None) -> list[str]:
    found = prepare(take_out(["/singularity", "exec", *words]), environ or {}, add_ro=True)
    assert found
    return list(found.argv[2:])


def test_our_options_go_out_wherever_they_stand_before_the_image() -> None:
    words = "exec --nv --runtime /r -B a:/b --in=x.sif --in y.sif app.sif cmd --in z --runtime q"
    typed = take_out(["", *words.split()])
    left = "exec --nv -B a:/b app.sif cmd --in z --runtime q"
    assert list(typed.argv) == ["", *left.split()]
    assert typed.ours.all("in") == ("x.sif", "y.sif")
    assert typed.ours.last("runtime") == "/r"
    assert typed.ours.last("size") is None


def test_a_value_of_the_runtimes_is_no_option_of_ours() -> None:
    typed = take_out(["", "exec", "--env", "--verbose", "app.sif", "x"])
    assert typed.argv == ("", "exec", "--env", "--verbose", "app.sif", "x")


def test_a_line_without_an_image_keeps_its_own_error() -> None:
    typed = take_out(["", "exec", "--runtime", "/r", "--bind"])
    assert (typed.argv, typed.line, typed.ours.last("runtime")) == (
        ("", "exec", "--bind"),
        None,
        "/r",
    )


@pytest.mark.parametrize(
    ("word", "value"), [("--telemetry", ""), ("--telemetry=0.5s", "0.5s"), ("--telemetry=", "")]
)
def test_telemetry_takes_a_value_only_behind_an_equals_sign(word: str, value: str) -> None:
    typed = take_out(["", "exec", word, "app.sif", "5s"])
    assert (typed.argv, typed.ours.last("telemetry")) == (("", "exec", "app.sif", "5s"), value)


@pytest.mark.parametrize("words", [["--runtime="], ["--verbose=yes"]])
def test_values_that_cannot_be(words: list[str]) -> None:
    with pytest.raises(SifprovError, match=words[0].partition("=")[0]):
        take_out(["", "exec", *words, "app.sif", "true"])


@given(st.lists(st.sampled_from([w for w in WORDS if not w.startswith(("--in", "--run"))])))
def test_without_options_of_ours_nothing_changes(words: list[str]) -> None:
    argv = ("/r", "exec", *words)
    assert take_out(argv).argv == argv


def test_no_option_of_ours_is_one_of_the_runtimes() -> None:
    known = runtime_argv._LONG_WITH_VALUE
    assert not known & set(OPTIONS)
    for source in Path("/var/cache/sifprov").glob("*/src/cmd/internal/cli/action_flags.go"):
        names = set(re.findall(r'^\tName:\s+"([^"]+)"', source.read_text(), re.MULTILINE))
        assert len(names) > 50
        assert not names & set(OPTIONS)


def test_ro_goes_to_declared_inputs_alone(folder: Path) -> None:
    binds = "in.sif:/i:image-src=/Inputs,out.sif:/o:image-src=/Outputs,/tmp"
    changed = "in.sif:/i:image-src=/Inputs,ro,out.sif:/o:image-src=/Outputs,/tmp"
    assert prepared_argv(["-B", binds, "app.sif", "true"]) == ["-B", changed, "app.sif", "true"]


@pytest.mark.parametrize(
    ("word", "changed"),
    [
        ("--bind=in.sif:/i:image-src=/Inputs", "--bind=in.sif:/i:image-src=/Inputs,ro"),
        ("-Bin.sif:/i:image-src=/Inputs", "-Bin.sif:/i:image-src=/Inputs,ro"),
        ("-ceB=in.sif:/i:image-src=/Inputs", "-ceB=in.sif:/i:image-src=/Inputs,ro"),
        (
            "--mount=src=in.sif,dst=/i,image-src=/Inputs",
            "--mount=src=in.sif,dst=/i,image-src=/Inputs,ro",
        ),
        ("--bind=in.sif:/i:image-src=/Inputs,rw", "--bind=in.sif:/i:image-src=/Inputs,rw"),
        ("--bind=in.sif:/i:ro,image-src=/Inputs", "--bind=in.sif:/i:ro,image-src=/Inputs"),
        ("--bind=in.sif:/i:image-src=/Inputs,id=7", "--bind=in.sif:/i:image-src=/Inputs,id=7"),
    ],
)
def test_every_way_to_write_a_bind(folder: Path, word: str, changed: str) -> None:
    assert prepared_argv(["--nv", word, "app.sif", "a"]) == ["--nv", changed, "app.sif", "a"]


def test_ro_goes_into_the_environment_too(folder: Path) -> None:
    environ = {"SINGULARITY_BIND": "in.sif:/i:image-src=/Inputs", "A": "b"}
    found = prepare(take_out(["/singularity", "exec", "app.sif", "x"]), environ, add_ro=True)
    assert found
    assert found.environ == {
        "SINGULARITY_BIND": "in.sif:/i:image-src=/Inputs,ro", "A": "b", CAPTURED: "1",
    }  # fmt: skip
    assert found.argv == found.typed == ("/singularity", "exec", "app.sif", "x")
    assert [b.read_only for b in found.binds] == [True]


def test_runs_that_are_left_alone(folder: Path) -> None:
    image = ["-B", "out.sif:/o:image-src=/Outputs", "app.sif", "x"]
    for words, environ in (
        (["-B", "/tmp", "app.sif", "x"], {}),
        (["app.sif"], {}),
        ([], {}),
        (["-B", "in.sif:/i:nonsense", *image], {}),
        (image, {CAPTURED: "1"}),
        (["instance://no-such-instance", "x"], {}),
    ):
        typed = take_out(["/singularity", "exec", *words])
        assert prepare(typed, environ, add_ro=True) is None, words
    assert prepare(take_out(["/singularity", "exec", *image]), {}, add_ro=True)


@pytest.mark.parametrize("fs", ["ext3", "squashfs"])
def test_a_link_on_the_way_is_refused(folder: Path, fs: str) -> None:
    source = folder / "data"
    source.mkdir()
    (source / "etc").symlink_to("/etc")
    (source / "real").mkdir()
    create_data("link.sif", mount="/Inputs", source=str(source), fs=fs)
    for name, refused in (("etc", True), ("real", False), ("missing", False)):
        words = ["-B", f"link.sif:/i:image-src=/Inputs/{name}", "app.sif", "x"]
        typed = take_out(["/singularity", "exec", *words])
        if refused:
            with pytest.raises(SifprovError, match=r"link\.sif: image-src=/Inputs/etc: .*link"):
                prepare(typed, {}, add_ro=True)
        else:
            assert prepare(typed, {}, add_ro=True)


def test_help_is_ours_before_the_image_alone() -> None:
    assert wants_help(["--help"])
    assert wants_help(["--nv", "-h"])
    assert wants_help(["--in", "x", "--help", "app.sif"])
    assert not wants_help(["app.sif", "--help"])
    assert not wants_help(["--env", "--help", "app.sif"])
    assert not wants_help(["--line", "/r", "exec", "--help"])


def short(*words: str) -> tuple[str, ...]:
    return expand(take_out(["/r", "exec", *words, "app.sif", "x"])).typed.argv[2:-2]


def test_short_forms_take_place_and_role_from_the_containers(folder: Path) -> None:
    assert short("--in", "in.sif", "--nv", "--out", "out.sif") == (
        "--bind", "in.sif:/Inputs:image-src=/Inputs,ro",
        "--bind", "out.sif:/Outputs:image-src=/Outputs", "--nv",
    )  # fmt: skip
    assert short("--in", "out.sif:/old") == ("--bind", "out.sif:/old:image-src=/Outputs,ro")


def test_a_missing_output_is_made_and_a_refused_line_makes_nothing(folder: Path) -> None:
    made = expand(take_out(["/r", "exec", "--out", "new.sif:/Res", "--size", "2M", "app.sif"]))
    assert made.made == ("new.sif",)
    assert "new.sif:/Res:image-src=/Res" in made.typed.argv
    assert (folder / "new.sif").stat().st_size < 8 << 20
    with pytest.raises(SifprovError):
        expand(take_out(["/r", "exec", "--out", "other.sif", "--in", "none.sif", "app.sif"]))
    assert not (folder / "other.sif").exists()


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (["--in", "."], "a folder, not a data container", "sifprov data create"),
        (["--in", "none.sif"], "no such container", None),
        (["--in", "text"], "not a data container", None),
        (["--in", "plain.sif"], "does not say where", "--in plain.sif:/Inputs"),
        (["--out", "sealed.sif"], "sealed", "is not there"),
        (["--size", "1M"], "--out", None),
        (["--out", "out.sif", "--size", "1M"], "all are there", "data grow"),
    ],
)
def test_short_forms_that_cannot_be(
    folder: Path, words: list[str], error: str, hint: str | None
) -> None:
    (folder / "text").write_text("no container")
    (folder / "d").mkdir()
    create_data("sealed.sif", mount="/Outputs", source="d", fs="squashfs")
    plain = (folder / "in.sif").read_bytes().replace(b"sifprov:input:/Inputs", b"x" * 21, 1)
    (folder / "plain.sif").write_bytes(plain)
    with pytest.raises(SifprovError, match=re.escape(error)) as caught:
        short(*words)
    assert (hint or "") in (caught.value.hint or "")


def test_a_runtime_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIFPROV_RUNTIME", "/no/where")
    with pytest.raises(SifprovError, match="/no/where: no such program"):
        with_program(take_out(["", "exec", "app.sif", "x"]))
    assert with_program(take_out(["/r", "exec", "a", "x"])).argv[0] == "/r"
