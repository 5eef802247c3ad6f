"""Mount points are found by loop device, and by their place in the session under FUSE."""

from __future__ import annotations

from pathlib import Path

from sifprov.runtime.mounts import find_mount

SESSION = "/var/mnt/session/data-images"
TABLE = f"""\
85 76 0:36 / / rw - overlay overlay rw
88 85 7:3 / {SESSION}/0 ro,nosuid shared:22 - ext3 /dev/loop3 ro
89 85 7:4 /sub {SESSION}/1 rw - ext3 /dev/loop4 rw
90 85 0:41 / {SESSION}/1 rw,nosuid shared:23 - fuse.ext4 /proc/self/fd/3 rw
91 85 0:42 / {SESSION}/10 rw - fuse.ext4 /proc/self/fd/3 rw
92 85 7:5 / /mnt/with\\040space rw - ext3 /dev/loop5 rw
broken line
"""


def loop(sys: Path, number: str, file: Path, offset: int) -> None:
    folder = sys / number / "loop"
    folder.mkdir(parents=True)
    (folder / "offset").write_text(f"{offset}\n")
    (folder / "backing_file").write_text(f"{file}\n")


def test_find_mount(tmp_path: Path) -> None:
    table, sys = tmp_path / "mountinfo", tmp_path / "sys"
    table.write_text(TABLE)
    one, two = tmp_path / "one.sif", tmp_path / "two.sif"
    for file in (one, two):
        file.touch()
    loop(sys, "7:3", one, 4096)
    loop(sys, "7:4", two, 4096)
    loop(sys, "7:5", two, 8192)

    def find(path: Path, offset: int, place: int | None = None) -> str | None:
        return find_mount(str(path), offset, place, proc=str(table), sys=str(sys))

    assert find(one, 4096) == f"{SESSION}/0"
    assert find(one, 4096, 1) in (f"{SESSION}/0", f"{SESSION}/1")
    assert find(one, 8192) is None
    # A bind of a folder is not the partition's mount.
    assert find(two, 4096) is None
    assert find(two, 8192) == "/mnt/with space"
    assert find(two, 4096, 1) == f"{SESSION}/1"
    assert find(two, 4096, 10) == f"{SESSION}/10"
    assert find(two, 4096, 2) is None
    assert find(tmp_path / "missing", 4096, 1) is None
