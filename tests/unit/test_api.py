"""sifprov from Python."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.sifs import OUT, add, make_sif, run, run_record

import sifprov
from sifprov import api
from sifprov.errors import FileError, MissingError, NoRecordError, SifprovError
from sifprov.model.annotation import make
from sifprov.model.fact import Fact


@pytest.fixture
def made(tmp_path: Path) -> api.Container:
    source = tmp_path / "data"
    (source / "sub").mkdir(parents=True)
    (source / "fit.csv").write_text("x,r2\n1,0.93\n")
    (source / "sub" / "b").write_bytes(b"\0\1")
    return sifprov.make(tmp_path / "a.sif", mount="/Inputs", source=source)


@pytest.fixture
def ran(tmp_path: Path) -> api.Container:
    path = make_sif(tmp_path / "out.sif")
    facts = (Fact("user", {"name": "ada", "uid": 1}, "passwd"),)
    words = make(["n"], ["paper=2"], ["r2=0.93"])
    add(path, replace(run_record(), run=replace(run(), facts=facts), annotation=words))
    later = replace(run(), started="2026-05-28T21:00:00Z", ended=None)
    add(path, replace(run_record(), id=OUT, run=later))
    return sifprov.open(path)


def test_a_container_is_made_and_read(made: api.Container, tmp_path: Path) -> None:
    assert made.info().kind == "data"
    assert [r.kind for r in made.records()] == ["origin"]
    assert {f.path for f in made.files()} == {
        "/Inputs", "/Inputs/fit.csv", "/Inputs/sub", "/Inputs/sub/b"
    }  # fmt: skip
    assert made.read("/Inputs/sub/b") == b"\0\1"
    assert made.extract(tmp_path / "copy").files == 2
    assert (tmp_path / "copy" / "Inputs" / "fit.csv").read_text() == "x,r2\n1,0.93\n"
    for bad in ("/Inputs/no", "/Inputs"):
        with pytest.raises(FileError):
            made.read(bad)
    assert repr(made) == f"sifprov.open({str(tmp_path / 'a.sif')!r})"


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="No such file"):
        sifprov.open(tmp_path / "none.sif")
    with pytest.raises(NoRecordError):
        sifprov.open(make_sif(tmp_path / "empty.sif")).trail()
    with pytest.raises(AttributeError):
        sifprov.nothing  # noqa: B018


def test_the_trail_is_a_graph_text_and_a_picture(ran: api.Container, tmp_path: Path) -> None:
    trail = ran.trail()
    assert len(trail.graph.activities) == 2
    assert str(trail).startswith("out.sif")
    assert "2 runs and makings" in repr(trail)
    assert "<svg" in trail._repr_html_()
    assert json.loads(trail.export("json"))["schema"] == "sifprov.trail/1"
    trail.save(tmp_path / "trail.svg")
    trail.save(tmp_path / "trail", format="mermaid")
    assert "<svg" in (tmp_path / "trail.svg").read_text()
    assert (tmp_path / "trail").read_text().startswith("flowchart")
    with pytest.raises(SifprovError, match="no format 'png'"):
        trail.export("png")


def test_the_runs_are_a_table(ran: api.Container, monkeypatch: pytest.MonkeyPatch) -> None:
    trail = ran.trail()
    first, second = trail.rows()
    assert first["seconds"] == pytest.approx(0.500000001)
    assert (first["exit_code"], first["user"], first["command"]) == (0, "ada", "true")
    assert (first["application"], first["inputs"]) == ("app.sif", ["in.sif"])
    assert (first["outputs"], first["tag:paper"], first["metric:r2"]) == (["out.sif"], "2", 0.93)
    assert second["record"] == str(OUT) and second["ended"] is None
    table = trail.table()
    assert list(table["record"]) == [first["record"], second["record"]]
    assert table["started"].dt.hour.tolist() == [20, 21]
    assert table["metric:r2"].isna().tolist() == [False, True]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingError, match="pandas"):
        trail.table()


def test_containers_are_compared(made: api.Container, tmp_path: Path) -> None:
    (tmp_path / "data" / "fit.csv").write_text("x,r2\n1,0.9300001\n")
    other = api.make(tmp_path / "b.sif", mount="/Outputs", source=tmp_path / "data", free="1M")
    assert not made.compare(other).same
    assert made.compare(other, tolerance=1e-6).same
    assert other.compare(tmp_path / "data").same


def test_runs_are_compared(ran: api.Container) -> None:
    assert ran.diff().same
    ident = str(run_record().id)
    assert ran.diff(ran, record=ident).first.record.id == run_record().id
    assert ran.diff(record=ident, other_record=str(OUT)).second.record.id == OUT


def test_words_are_added(ran: api.Container) -> None:
    done = ran.annotate(notes=["checked"], tags={"a": "b"}, metrics={"r2": 0.5})
    assert done.about.id == OUT
    annotation = ran.records()[-1].annotation
    assert annotation and annotation.metrics == (("r2", "0.5"),)


def test_a_container_is_verified_sealed_and_grown(made: api.Container, tmp_path: Path) -> None:
    assert made.verify().verdict == "good"
    sealed = made.seal(tmp_path / "sealed.sif")
    assert made.compare(sealed.path).same
    assert made.grow("4M").after >= 4 << 20
    with pytest.raises(NoRecordError):
        made.log()
    with pytest.raises(NoRecordError, match="measured"):
        made.telemetry()


def test_the_rest_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert api.flush([tmp_path]) == []
    assert any(layout.name == "input" for layout in api.layouts())
    assert api.doctor(folder=tmp_path).checks
    done = api.run(["app.sif", "true"], environ={"PATH": "/nowhere"})
    assert done.returncode == 255
    with pytest.raises(subprocess.CalledProcessError):
        api.run(["app.sif"], action="run", check=True, environ={"PATH": "/nowhere"})


def test_importing_it_costs_the_helper_nothing() -> None:
    code = "import sifprov, sys; print([m for m in sys.modules if m.startswith('sifprov')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['sifprov']\n"


def test_the_page_about_it_runs(ran: api.Container, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    folder = Path(ran.path).parent
    Path(ran.path).rename(folder / "output.sif")
    monkeypatch.chdir(folder)
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102
    assert isinstance(names["trail"], api.Trail)
    # Every call that its table names is there.
    for name in re.findall(r"`\.(\w+)\(", page):
        assert hasattr(api.Container, name) or hasattr(api, name), name
