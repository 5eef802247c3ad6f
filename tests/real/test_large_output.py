"""A container with room for much: large blocks, and a journal made for what is to be written."""

from __future__ import annotations

from pyext2fs._inodes import Inodes
from sifprov.content import Deadline, scan_folder
from sifprov.identity import identify
from sifprov.partition import scan_partition
from tests.real.job import Job

# 1 GiB is free: a 32nd of it.
JOURNAL = 32 << 20
# Files of the usual size: each has a block map, which the journal writes whole.
WRITE = (
    "cd /Outputs && for d in 1 2 3; do mkdir $d && for f in $(seq 200); do"
    " head -c 60000 /dev/zero | tr '\\0' $d > $d/$f; done; done"
)


def test_many_files_arrive_through_a_large_journal(job: Job) -> None:
    job.run(["rm", "output.sif"]).expect()
    job.cli("data", "create", "output.sif", "--free", "1G", "--mount", "/Outputs").expect()
    path = job.path("output.sif")
    assert path.stat().st_blocks * 512 < 1 << 20
    partition = identify(str(path)).partition
    assert partition
    with path.open("rb") as file:
        inode = Inodes(file.fileno(), partition.offset).read(8)
    assert int.from_bytes(inode[4:8], "little") == JOURNAL

    job.shell(WRITE).expect()

    job.check_file_system("output.sif")
    # The files and what the journal wrote of them, not all that is reserved.
    assert path.stat().st_blocks * 512 < 600 * 64 * 1024 + JOURNAL
    plain = job.path("plain")
    for folder in "123":
        (plain / "Outputs" / folder).mkdir(parents=True)
        for number in range(1, 201):
            (plain / "Outputs" / folder / str(number)).write_bytes(folder.encode() * 60_000)
    tree = scan_partition(str(path), partition, Deadline())
    assert tree.digest == scan_folder(str(plain), Deadline()).digest
    (record,) = job.records()
    (output,) = (c for c in record["containers"] if c["role"] == "output")
    assert output["digest"] == tree.digest
