"""Replays from Python, with a program that stands for the runtime on real containers."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from tests.unit import fakeruntime
from tests.unit.schemas import problems
from tests.unit.verified import make_app

import sifprov
from sifprov import api
from sifprov.create import create_data
from sifprov.errors import MissingError, SifprovError

SOURCES = str(Path(__file__).resolve().parents[2] / "pytools")


def record_run(folder: Path, given: str, mount: str, made: str, into: str) -> None:
    create_data(str(folder / f"{made}.sif"), mount=into, free=100_000)
    done = api.run(
        [
            *("--runtime", folder / "singularity"),
            *("--bind", f"{folder}/{given}.sif:{mount}:image-src={mount},ro"),
            *("--bind", f"{folder}/{made}.sif:{into}:image-src={into}"),
            *(folder / "app.sif", "join", made),
        ],
        environ={**os.environ, "PYTHONPATH": SOURCES},
    )
    assert done.returncode == 0


@pytest.fixture
def result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> api.Container:
    """`last.sif`, made from `between.sif`, which was made from `input.sif`."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    fakeruntime.install(tmp_path)
    make_app(tmp_path / "app.sif")
    for name in ("input", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text(f"{name}\n")
        sifprov.make(tmp_path / f"{name}.sif", mount="/In", source=tmp_path / name)
    record_run(tmp_path, "input", "/In", "between", "/Between")
    record_run(tmp_path, "between", "/Between", "last", "/Last")
    return sifprov.open(tmp_path / "last.sif")


def words(path: str) -> str:
    return sifprov.open(path).read("/Last/f").decode()


def test_a_plan_is_data_and_runs_nothing(result: api.Container) -> None:
    folder = Path(result.path).parent
    before = sorted(folder.iterdir())
    planned = result.plan_rerun(from_origin=True)
    assert repr(planned) == f"<replay of {result.path!r}: 2 runs>"
    first, second = planned.plan.steps
    assert second.needs == (first.key,)
    assert [argv[-1] for argv in planned.commands()] == ["between", "last"]
    assert planned.into == str(folder / "last.rerun-1.sif")
    assert any(planned.into in word for word in planned.commands()[1])
    document = planned.to_json()
    assert problems("sifprov.replay-plan/1", document) == []
    assert [step["key"] for step in document["steps"]] == [first.key, second.key]
    assert sorted(folder.iterdir()) == before
    assert repr(result.plan_rerun()) == f"<replay of {result.path!r}: 1 run>"


def test_a_plan_is_carried_out(result: api.Container, capfd: pytest.CaptureFixture[str]) -> None:
    folder = Path(result.path).parent
    (folder / "between.sif").unlink()
    with pytest.raises(MissingError, match=r"between\.sif"):
        result.rerun()
    done = result.plan_rerun(from_origin=True).run(jobs=2, keep=True)
    assert (done.same, done.word, done.into) == (True, "same", str(folder / "last.rerun-1.sif"))
    assert (folder / "last.rerun-1.parts" / "between.sif").exists()
    assert [step.word for step in done.judgement.verdict.steps] == ["same", "same"]
    verdict = sifprov.open(done.into).records()[-1].verdict
    assert verdict == done.judgement.verdict
    assert "same" not in capfd.readouterr().out


def test_a_replay_on_other_data(result: api.Container) -> None:
    folder = Path(result.path).parent
    done = result.rerun(
        from_origin=True,
        inputs={"input.sif": folder / "other.sif"},
        into=folder / "new.sif",
        tolerance=1e-6,
    )
    assert (done.same, done.into) == (False, str(folder / "new.sif"))
    assert words(result.path) == "input\nbetween\nlast\n"
    assert words(done.into) == "other\nbetween\nlast\n"
    assert done.judgement.verdict.tolerance == "0.000001"
    (change,) = done.plan.changes
    assert change.after == str(folder / "other.sif")


def test_other_words_and_another_application(result: api.Container) -> None:
    folder = Path(result.path).parent
    newer = make_app(folder / "newer.sif")
    ident = str(result.records()[-1].id)
    planned = result.plan_rerun(
        record=ident[:8],
        arguments={"last": "least"},
        application=newer,
        search=[folder],
        runtime=str(folder / "singularity"),
        force=True,
    )
    assert planned.commands()[0][-1] == "least"
    assert str(newer) in planned.commands()[0]
    assert words(planned.run().into) == "input\nbetween\nleast\n"
    by_name = result.plan_rerun(applications={"app.sif": newer})
    assert str(newer) in by_name.commands()[0]
    with pytest.raises(SifprovError, match="first"):
        result.plan_rerun(arguments={"first": "second"})


def test_what_the_page_shows_runs(result: api.Container, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(result.path).parent)
    page = (Path(SOURCES).parent / "docs" / "python.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```py\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {"result": result}
    exec(code.replace("raw.sif", "input.sif"), names)  # noqa: S102
    assert [argv[-1] for argv in names["planned"].commands()] == ["between", "last"]
    assert (names["done"].same, names["done"].word) == (False, "differs")
