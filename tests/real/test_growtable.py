"""Tables full of what cannot be bundled, or numbered otherwise, as the runtimes see them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from sifprov.records import read_records
from sifprov.sif import open_image
from tests.real.conftest import tool
from tests.real.harness import ROOT
from tests.real.job import Job
from tests.real.test_sif_agreement import test_the_header as check_header
from tests.real.test_sif_agreement import test_the_list as check_list
from tests.real.test_sign import Signer
from tests.real.test_sign import signer as signer
from tests.unit.sifs import add, make_sif, renumber, run_record


# It takes long, and is no matter of rights.
@pytest.mark.not_for(user="root")
def test_a_table_full_of_signed_objects(signer: Signer) -> None:
    """It grows when told, and the runtime's `verify` holds for every group, old and new."""
    small = signer.path.with_name("small.json")
    layout = json.loads((ROOT / "sif_layouts" / "output.json").read_text())
    small.write_text(json.dumps({**layout, "name": "small", "descriptors": 20, "free": "512K"}))
    signer.path.unlink()
    signer.run([signer.sifprov, "data", "create", signer.path, "--layout", small]).expect()
    for _ in range(9):
        signer.append()
        signer.sign("--records-only").expect()
    assert len(signer.objects()) == 19
    signer.append()
    assert len(signer.objects()) == 20
    done = signer.sign("--records-only").expect(2)
    assert "data grow --records" in done.stderr
    grow = [signer.sifprov, "data", "grow", str(signer.path), "--records", "3"]
    signed = signer.objects()
    assert "3 more fit" in signer.run(grow).expect().stdout
    assert signer.objects() == signed
    for group in range(2, 11):
        assert signer.verify("-g", str(group)) == 0
    signer.sign().expect()  # the last records' group, and the data's
    assert signer.verify() == 0
    signer.append()
    assert len(signer.objects()) == 23
    done = signer.run([*grow[:-1], "600"]).expect()
    signer.append()
    assert len(signer.trail()["records"]) == 12
    assert signer.verify("-g", "1") == 0 and signer.verify("-g", "11") == 0


def test_the_partition_is_bound_from_its_new_place(job: Job) -> None:
    job.exec("sh", "-c", "echo one > /Outputs/a").expect()
    job.cli("data", "grow", "output.sif", "--records", "1000").expect()
    done = job.exec("sh", "-c", "cat /Outputs/a && echo two > /Outputs/b").expect()
    assert done.stdout == "one\n"
    job.check_file_system("output.sif")
    assert len(job.records()) == 2


@pytest.mark.parametrize("ids", [(2, 3, 4, 5, 6, 1), (6, 5, 4, 3, 2, 1), (9, 8, 7, 3, 2, 70000)])
def test_foreign_numbers(tmp_path: Path, singularity: str, ids: tuple[int, ...]) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=6)
    made = [add(path, run_record()) for _ in range(5)]
    renumber(path, ids)
    made += [add(path, run_record()) for _ in range(20)]
    with open_image(str(path)) as (file, image):
        assert [s.digest for s in read_records(file, image)] == made
    for runtime in (singularity, tool("build-apptainer", "--find") + "/apptainer"):
        check_header(runtime, path)
        check_list(runtime, path)
        for item in image.descriptors:
            argv = [runtime, "sif", "dump", str(item.id), str(path)]
            dumped = subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout
            assert dumped == path.read_bytes()[item.offset : item.end]
