"""`sifprov exec --atomic`: a result has its name when all went well, and never before."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.unit.workflows import Site, make_site

from sifprov.create import create_data
from sifprov.errors import FileError, SifprovError
from sifprov.model.record import EXITED, SIGNALED, UNKNOWN
from sifprov.model.request import CaptureEnd
from sifprov.wrapper import atomic


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path / "w")


def exec_(site: Site, name: str, *options: str) -> subprocess.CompletedProcess[str]:
    words = ("--atomic", "--in", "raw.sif", "--out", "new.sif:/New", *options)
    return site.cli("exec", *words, "app.sif", "join", name, code=None)


def left(site: Site) -> set[str]:
    known = {"singularity", "app.sif", "raw.sif", "log", "source", "cache", "state"}
    return {p.name for p in site.folder.iterdir()} - known


def test_a_good_result_has_its_name_and_its_record_tells_no_other(site: Site) -> None:
    done = exec_(site, "a")
    assert (done.returncode, done.stderr) == (0, "err a\n")
    assert left(site) == {"new.sif"}
    record = site.record("new.sif")
    assert record.run
    assert not any("part" in word for word in record.run.argv)
    itself = record.itself()
    assert itself
    assert itself.path == str(site.path("new.sif"))
    assert site.text("new.sif", "/New/f") == "raw\na\n"


def test_a_failed_one_has_another_name_and_the_code_is_the_applications(site: Site) -> None:
    site.path("fail-a").touch()
    done = exec_(site, "a")
    assert done.returncode == 3
    assert "new.failed.sif" in done.stderr
    assert left(site) == {"new.failed.sif", "fail-a"}
    itself = site.record("new.failed.sif").itself()
    assert itself
    assert itself.name == "new.failed.sif"
    exec_(site, "a")
    assert left(site) == {"new.failed.sif", "new.failed-2.sif", "fail-a"}


def test_nothing_is_left_where_nothing_ran(site: Site) -> None:
    site.path("refuse-a").touch()
    assert exec_(site, "a").returncode == 255
    assert left(site) <= {"refuse-a"}


def test_a_result_that_is_there_is_not_written_into(site: Site) -> None:
    exec_(site, "a")
    before = site.path("new.sif").read_bytes()
    done = exec_(site, "b")
    assert done.returncode == 255
    assert "--atomic: new.sif is there already" in done.stderr
    assert site.path("new.sif").read_bytes() == before


def test_a_record_that_goes_elsewhere_makes_no_whole_result(site: Site) -> None:
    done = exec_(site, "a", "--metadata", "records.sif")
    assert done.returncode == 0
    assert "no record is in it: what it wrote is in" in done.stderr
    assert "new.sif" not in left(site)


def test_a_name_that_appeared_meanwhile_is_not_taken(site: Site) -> None:
    site.path("hold-a").touch()
    words = ["exec", "--atomic", "--in", "raw.sif", "--out", "new.sif:/New"]
    process = subprocess.Popen(
        site.argv(*words, "app.sif", "join", "a"), env=site.env, cwd=site.folder, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    site.wait_for("a")
    site.path("new.sif").write_text("mine")
    site.path("hold-a").unlink()
    _, err = process.communicate(timeout=200)
    assert process.returncode == 0
    assert "did not get its name" in err
    assert site.path("new.sif").read_text() == "mine"
    assert site.record(".new.sif.part").run


@pytest.mark.parametrize(
    "words",
    [
        ("--atomic", "app.sif", "join", "a"),
        ("--atomic", "--in", "raw.sif", "--out", "w/", "app.sif", "join", "a"),
    ],
)
def test_it_is_for_results_that_are_made(site: Site, words: tuple[str, ...]) -> None:
    site.path("w").mkdir()
    done = site.cli("exec", *words, code=255)
    assert "--atomic" in done.stderr


def test_several_results_have_a_size_each(site: Site) -> None:
    words = ("--in", "raw.sif", "--out", "a.sif:/A", "--size", "64K", "--out", "b.sif:/B", "--size")
    site.path("hold-x").touch()
    process = subprocess.Popen(
        site.argv("exec", *words, "9M", "app.sif", "join", "x"), env=site.env, cwd=site.folder,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    site.wait_for("x")
    sizes = [site.path(name).stat().st_size for name in ("a.sif", "b.sif")]
    site.path("hold-x").unlink()
    assert process.wait(timeout=200) == 0
    assert sizes[0] < 2 << 20
    assert sizes[1] > 9 << 20


def test_what_a_killed_run_left_is_in_the_way(tmp_path: Path) -> None:
    path = str(tmp_path / "new.sif")
    create_data(atomic.part_of(path), mount="/New", free=65536)
    with pytest.raises(FileError, match=r"\.new\.sif\.part: exists already"):
        atomic.plan([(path, "")], [(path, "")], [])
    with pytest.raises(SifprovError, match="is there already"):
        atomic.plan([(path, "")], [], [])


@pytest.mark.parametrize(
    ("end", "well"),
    [
        (CaptureEnd("2026-01-01T00:00:00Z", EXITED, 0, None), True),
        (CaptureEnd("2026-01-01T00:00:00Z", EXITED, 1, None), False),
        (CaptureEnd("2026-01-01T00:00:00Z", SIGNALED, None, 9), False),
        (CaptureEnd(None, UNKNOWN, None, None), False),
    ],
)
def test_the_record_names_it_by_how_the_run_ended(end: CaptureEnd, well: bool) -> None:
    late = atomic.Late("a.sif", "/x/.a.sif.part", "/x/a.sif", "/x/a.failed.sif")
    assert atomic.names([late], end) == {late.part: late.good if well else late.failed}
