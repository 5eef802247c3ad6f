"""Whatever sifprov itself does to a container, verify finds it good."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from tests.unit.verified import Site, make_site

from sifprov.annotate import annotate
from sifprov.create import create_data
from sifprov.frozen import replace
from sifprov.groups import is_bundle
from sifprov.grow import grow
from sifprov.growtable import grow_table
from sifprov.model.annotation import Annotation
from sifprov.model.record import Record
from sifprov.seal import seal
from sifprov.sif import open_image
from sifprov.verify import GOOD, verify


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = make_site(tmp_path)
    made.run()
    return made


def is_good(path: Path) -> bool:
    report = verify(str(path), full=True)
    assert report.verdict == GOOD, report
    return True


def test_words_that_come_later(site: Site) -> None:
    annotate(str(site.out), Annotation(notes=("detector 3 was off",)))
    site.run()
    annotate(str(site.input), Annotation(notes=("later than the runs",)))
    assert is_good(site.out) and is_good(site.input)


def test_grown(site: Site) -> None:
    grow(str(site.out), 4 << 20, now=int(time.time()))
    assert is_good(site.out)
    site.run()
    grow_table(str(site.out), 300, now=int(time.time()))
    site.run()
    grow_table(str(site.input), 300, now=int(time.time()))
    assert is_good(site.out)


def test_hundreds_of_runs(site: Site) -> None:
    """Bundles are made of records and bundles again and again."""
    bundles = set()
    for number in range(150):
        site.run()
        with open_image(str(site.out)) as (_, image):
            bundles |= {d.offset for d in image.descriptors if is_bundle(d)}
        if number % 10 == 0:
            assert is_good(site.out)
    assert len(bundles) > 5
    assert is_good(site.out)


@pytest.mark.skipif(not shutil.which("mksquashfs"), reason="mksquashfs is not there")
def test_sealed_and_used(site: Site) -> None:
    for _ in range(30):
        site.run()
    sealed = site.folder / "sealed.sif"
    seal(str(site.out), str(sealed))
    assert is_good(sealed)
    annotate(str(sealed), Annotation(notes=("sealed",)))
    assert is_good(sealed)


def test_reproducible_and_made_of_nothing(site: Site) -> None:
    source = site.folder / "source"
    path = site.folder / "again.sif"
    create_data(str(path), mount="/Inputs", source=str(source), reproducible=True)
    assert is_good(path)
    empty = site.folder / "empty.sif"
    create_data(str(empty), mount="/Outputs", free=1 << 20)
    assert verify(str(empty)).verdict == "incomplete"
    Site.run(OtherOutput(site.folder))
    assert is_good(empty)


class OtherOutput(Site):
    """The same, with another output."""

    @property
    def out(self) -> Path:
        return self.folder / "empty.sif"


def test_a_failed_run_and_one_that_is_unknown(site: Site) -> None:
    def failed(record: Record) -> Record:
        assert record.run
        return replace(record, run=replace(record.run, outcome="unknown", exit_code=None))

    site.run(failed)
    assert is_good(site.out)
