"""What was reserved on the disk and not written is given back; no byte changes."""

from __future__ import annotations

import os
from pathlib import Path

from sifprov.sparse import release

KIB = 1024


def test_what_was_never_written_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("w+b", buffering=0) as file:
        fd = file.fileno()
        os.posix_fallocate(fd, 0, 512 * KIB)
        os.pwrite(fd, b"a" * 4 * KIB, 128 * KIB)
        os.pwrite(fd, b"b" * 4 * KIB, 508 * KIB)
        os.fsync(fd)
        before, reserved = path.read_bytes(), os.fstat(fd).st_blocks * 512
        release(fd, 64 * KIB, 320 * KIB)
        assert path.read_bytes() == before
        # Beyond the range everything stays reserved.
        given_back = reserved - os.fstat(fd).st_blocks * 512
        assert 200 * KIB <= given_back <= (320 - 4) * KIB
        release(fd, 0, 512 * KIB)
        assert path.read_bytes() == before
        assert os.fstat(fd).st_blocks * 512 <= 64 * KIB


def test_a_file_that_is_all_written_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100_000)
    with path.open("r+b", buffering=0) as file:
        blocks = os.fstat(file.fileno()).st_blocks
        release(file.fileno(), 0, 200_000)
        assert os.fstat(file.fileno()).st_blocks == blocks
    assert path.read_bytes() == b"x" * 100_000
