"""Who still holds a container: processes by their mounts, loop devices by their file."""

from __future__ import annotations

import fcntl
import os
import struct
import time
from pathlib import Path

import pytest

from sifprov import survivors
from sifprov.survivors import Loop, Process, loops, processes

LOOP_3 = os.makedev(7, 3)
HOST = "30 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
CONTAINER = HOST + "36 30 7:3 /Outputs /Outputs rw,nosuid - ext3 /dev/loop3 rw\n"
OTHER = HOST + "36 30 7:30 /Outputs /Outputs rw,nosuid - ext3 /dev/loop30 rw\n"
SESSION = HOST + "36 30 7:3 / /var/singularity/mnt/session/data-images/0 rw - ext3 /dev/loop3 rw\n"


def process(
    proc: Path, pid: int, table: str, *, ns: str = "", name: str = "sleep", root: str = "root"
) -> None:
    folder = proc / str(pid)
    (folder / "ns").mkdir(parents=True)
    (folder / "ns" / "mnt").symlink_to(f"mnt:[{ns or pid}]")
    (proc / root).mkdir(exist_ok=True)
    (folder / "root").symlink_to(proc / root)
    (folder / "comm").write_text(name + "\n")
    (folder / "mountinfo").write_text(table)


def test_processes_are_found_by_the_device_of_a_mount(tmp_path: Path) -> None:
    process(tmp_path, 10, HOST)
    process(tmp_path, 12, CONTAINER, name="sh")
    process(tmp_path, 11, CONTAINER, ns="shared")
    process(tmp_path, 13, OTHER)
    (tmp_path / "cpuinfo").write_text("no process")
    (tmp_path / "14").mkdir()  # one that has ended meanwhile
    found = processes(LOOP_3, proc=str(tmp_path))
    assert found == (Process(11, "sleep"), Process(12, "sh"))
    assert str(found[1]) == "process 12 (sh)"


def test_the_runtimes_own_are_none(tmp_path: Path) -> None:
    process(tmp_path, 10, SESSION)
    process(tmp_path, os.getpid(), CONTAINER)
    process(tmp_path, os.getppid(), CONTAINER)
    assert processes(LOOP_3, proc=str(tmp_path)) == ()


def test_one_namespace_looks_different_from_two_roots(tmp_path: Path) -> None:
    # SingularityCE's starter and a container share one, and only the root differs.
    process(tmp_path, 10, SESSION, ns="same", root="host")
    process(tmp_path, 11, CONTAINER, ns="same", root="inside")
    assert processes(LOOP_3, proc=str(tmp_path)) == (Process(11, "sleep"),)


def test_a_device_in_another_field_is_no_mount_of_it(tmp_path: Path) -> None:
    process(tmp_path, 10, HOST + "36 30 8:2 / /odd rw - ext4 a 7:3 b\n")
    assert processes(LOOP_3, proc=str(tmp_path)) == ()


def loop(sys: Path, number: int, backing: str, *, offset: int = 0, ro: int = 0) -> None:
    folder = sys / f"loop{number}"
    (folder / "loop").mkdir(parents=True)
    (folder / "loop" / "backing_file").write_text(backing + "\n")
    (folder / "loop" / "offset").write_text(f"{offset}\n")
    (folder / "dev").write_text(f"7:{number}\n")
    (folder / "ro").write_text(f"{ro}\n")


HEADINGS = "major minor  #blocks  name\n\n"


@pytest.mark.parametrize("told", ["all", "nothing", "no such file"])
def test_loop_devices_are_found_by_their_file(told: str, tmp_path: Path) -> None:
    partitions = tmp_path / "partitions"
    if told != "no such file":
        rows = "".join(f"   7  {n}  100 loop{n}\n" for n in range(3, 9))
        partitions.write_text(HEADINGS + " 8 0 99 sda\n" + rows if told == "all" else "")
    container, sys = tmp_path / "a b\n.sif", tmp_path / "sys"
    container.write_text("x")
    (tmp_path / "other.sif").write_text("x")
    os.link(container, tmp_path / "second-name.sif")
    loop(sys, 3, str(container), offset=4096)
    loop(sys, 4, str(tmp_path / "second-name.sif"), ro=1)
    loop(sys, 5, str(tmp_path / "other.sif"))
    loop(sys, 6, str(tmp_path / "gone.sif"))
    loop(sys, 7, f"{tmp_path}/gone.sif (deleted)")
    (sys / "loop8").mkdir()
    (sys / "sda").mkdir()
    found = sorted(loops(str(container), sys=str(sys), partitions=str(partitions)))
    assert found == [
        Loop("loop3", LOOP_3, 4096, True),
        Loop("loop4", os.makedev(7, 4), 0, False),
    ]
    assert loops(str(container), sys=str(tmp_path / "none"), partitions=str(partitions)) == ()


def test_loop_devices_that_are_not_in_use_are_not_asked(tmp_path: Path) -> None:
    partitions = tmp_path / "partitions"
    partitions.write_text(HEADINGS + "   7        4        100 loop4\n")
    for number in (3, 4):
        loop(tmp_path / "sys", number, str(tmp_path / "container"))
    (tmp_path / "container").write_text("x")
    found = loops(
        str(tmp_path / "container"), sys=str(tmp_path / "sys"), partitions=str(partitions)
    )
    assert [each.name for each in found] == ["loop4"]


def test_a_deleted_name_is_looked_up_in_the_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = tmp_path.stat()
    minor = os.minor(status.st_dev)
    encoded = minor & 0xFF | os.major(status.st_dev) << 8 | (minor & ~0xFF) << 12
    inode = [status.st_ino]

    def ioctl(descriptor: int, request: int, buffer: bytearray) -> int:
        assert request == 0x4C05
        struct.pack_into("=QQ", buffer, 0, encoded, inode[0])
        return 0

    real = os.open
    monkeypatch.setattr(os, "open", lambda path, flags: real("/dev/null", flags))
    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    loop(tmp_path / "sys", 7, f"{tmp_path}/gone.sif (deleted)")
    assert len(loops(str(tmp_path), sys=str(tmp_path / "sys"), partitions="/none")) == 1
    inode[0] += 1
    assert loops(str(tmp_path), sys=str(tmp_path / "sys"), partitions="/none") == ()


def test_what_is_about_to_end_gets_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    one = (Process(7, "tail"),)
    answers = [one, one, ()]
    monkeypatch.setattr(survivors, "processes", lambda device: answers.pop(0))
    assert survivors.after_the_run(LOOP_3) == ()
    monkeypatch.setattr(survivors, "processes", lambda device: one)
    began = time.monotonic()
    assert survivors.after_the_run(LOOP_3, grace=0.1) == one
    assert 0.1 <= time.monotonic() - began < 5


def test_the_warning_names_who_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "a.sif")
    Path(path).write_text("x")
    assert survivors.warning(path) is None
    assert survivors.still_held(path, 0, grace=0) is None
    assert survivors.writers(str(tmp_path / "none")) == ()
    there = (Loop("loop3", LOOP_3, 4096, True), Loop("loop4", os.makedev(7, 4), 4096, False))
    monkeypatch.setattr(survivors, "loops", lambda path: there)
    monkeypatch.setattr(survivors, "processes", lambda device: ())
    assert survivors.writers(path, 0) == ()
    assert survivors.writers(path, 4096) == there[:1]
    assert survivors.still_held(path, 4096, grace=0) == "/dev/loop3"
    many = (Process(7, "sh"), Process(8, "sleep"))
    monkeypatch.setattr(survivors, "processes", lambda device: many)
    warned = survivors.warning(path) or ""
    assert "process 7 (sh) and 1 more" in warned
    assert "will lose files" in warned
    # A run goes on: then nobody outlived one.
    monkeypatch.setattr(survivors, "is_locked", lambda path: True)
    assert survivors.warning(path) is None
