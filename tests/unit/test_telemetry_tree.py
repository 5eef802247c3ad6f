"""What processes use, by a /proc that is made for the test; and by the real one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sifprov.errors import RecordError
from sifprov.model.request import running_process
from sifprov.telemetry.group import own_group, read_group
from sifprov.telemetry.network import Network
from sifprov.telemetry.sampler import Sampler
from sifprov.telemetry.tree import Tree
from sifprov.telemetry.view import View

TICK, PAGE = 1_000_000 // os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
PARENT, FIRST = 50, 100


class Proc:
    """A folder like /proc."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "self").mkdir()
        (folder / "loadavg").write_text("0.0 0.0 0.0 1/2 100\n")
        self.has(1, parent=0)
        self.has(PARENT, parent=1)
        self.has(FIRST, parent=PARENT)

    def has(
        self, pid: int, *, parent: int = FIRST, own: tuple[int, int] = (0, 0),
        left: tuple[int, int] = (0, 0), pages: int = 1, io: tuple[int, ...] | None = (0, 0, 0, 0),
        name: str = "sh", started: int = 7,
    ) -> None:  # fmt: skip
        """There is, or has changed, a process."""
        here = self.folder / str(pid)
        here.mkdir(exist_ok=True)
        fields = ["S", parent, 1, 1, 0, -1, 0, 0, 0, 0, 0, *own, *left, 20, 0, 1, 0, started, 0,
                  pages, 0, 0]  # fmt: skip
        (here / "stat").write_text(f"{pid} ({name}) {' '.join(map(str, fields))}\n")
        if io is not None:
            keys = ("rchar", "wchar", "syscr", "syscw", "read_bytes", "write_bytes", "cancelled")
            values = (io[0], io[1], 9, 9, io[2], io[3], 9)
            lines = (f"{k}: {v}\n" for k, v in zip(keys, values, strict=True))
            (here / "io").write_text("".join(lines))

    def ends(self, *pids: int) -> None:
        for pid in pids:
            for file in (self.folder / str(pid)).iterdir():
                file.unlink()
            (self.folder / str(pid)).rmdir()

    def tree(self) -> Tree:
        return Tree(FIRST, PARENT, proc=str(self.folder))


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path)


def test_what_was_used_before_the_first_look_counts(proc: Proc) -> None:
    tree = proc.tree()
    proc.has(FIRST, parent=PARENT, own=(3, 1), left=(10, 0), pages=5, io=(1, 2, 3, 4))
    assert tree.read() == {
        "user_us": 13 * TICK, "system_us": TICK, "memory_bytes": 5 * PAGE, "processes": 1,
        "read_bytes": 1, "write_bytes": 2, "storage_read_bytes": 3, "storage_write_bytes": 4,
    }  # fmt: skip


def test_strangers_do_not_count(proc: Proc) -> None:
    proc.has(99, parent=1, own=(1000, 0))
    tree = proc.tree()
    proc.has(101, parent=1, own=(1000, 0))
    proc.has(102, parent=101, own=(1000, 0))
    proc.has(103, parent=FIRST, own=(5, 0))
    proc.has(104, parent=103, own=(6, 0))
    found = tree.read()
    assert (found["user_us"], found["processes"]) == (11 * TICK, 3)


def test_who_started_the_container_does_not_count(proc: Proc) -> None:
    proc.has(PARENT, parent=1, own=(1000, 0), left=(1000, 0))
    tree = proc.tree()
    assert tree.read()["user_us"] == 0
    proc.has(PARENT, parent=1, own=(2000, 0), left=(2000, 0))
    assert tree.read()["user_us"] == 0


def test_a_child_that_ends_is_counted_once(proc: Proc) -> None:
    tree = proc.tree()
    proc.has(101, own=(100, 0), io=(10, 0, 0, 0))
    assert tree.read()["user_us"] == 100 * TICK
    # It used 20 more, and a child that nobody saw has used 7.
    proc.ends(101)
    proc.has(FIRST, parent=PARENT, left=(127, 0), io=(12, 0, 0, 0))
    found = tree.read()
    assert (found["user_us"], found["read_bytes"]) == (127 * TICK, 12)
    assert tree.read() == found


def test_a_child_that_its_parent_has_not_waited_for_yet(proc: Proc) -> None:
    tree = proc.tree()
    proc.has(101, own=(100, 0))
    tree.read()
    proc.ends(101)
    assert tree.read()["user_us"] == 100 * TICK
    proc.has(FIRST, parent=PARENT, left=(110, 0))
    assert tree.read()["user_us"] == 110 * TICK


def test_a_child_that_nobody_waits_for_takes_nothing_from_the_others(proc: Proc) -> None:
    tree = proc.tree()
    proc.has(101, own=(100, 0))
    tree.read()
    proc.ends(101)
    tree.read()
    tree.read()
    proc.has(FIRST, parent=PARENT, left=(40, 0))  # another one
    assert tree.read()["user_us"] == 140 * TICK


def test_a_whole_branch_that_ends_between_two_looks(proc: Proc) -> None:
    tree = proc.tree()
    proc.has(101, own=(10, 0))
    proc.has(102, parent=101, own=(20, 0), left=(5, 0))
    proc.has(103, parent=102, own=(30, 0))
    assert tree.read()["user_us"] == 65 * TICK
    proc.ends(101, 102, 103)
    proc.has(FIRST, parent=PARENT, own=(1, 0), left=(68, 0))
    assert tree.read()["user_us"] == 69 * TICK
    assert not tree.gone


def test_the_end_of_the_first_is_with_who_started_it(proc: Proc) -> None:
    proc.has(PARENT, parent=1, left=(500, 0))  # what it used to set the container up
    tree = proc.tree()
    proc.has(FIRST, parent=PARENT, own=(10, 0))
    proc.has(101, own=(20, 2))
    tree.read()
    proc.ends(FIRST, 101)
    assert tree.gone is False
    assert tree.read()["user_us"] == 30 * TICK
    assert tree.gone
    assert tree.waits
    proc.has(PARENT, parent=1, left=(536, 3))
    found = tree.read()
    assert (found["user_us"], found["system_us"]) == (36 * TICK, 3 * TICK)
    assert not tree.waits


def test_an_orphan_that_was_seen_stays(proc: Proc) -> None:
    tree = proc.tree()
    proc.has(101)
    tree.read()
    proc.has(101, parent=1, own=(9, 0))
    proc.has(102, parent=101, own=(1, 0))
    found = tree.read()
    assert (found["user_us"], found["processes"]) == (10 * TICK, 3)


def test_an_orphan_is_known_by_its_root(proc: Proc, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    for pid, root in (("self", tmp_path), (str(FIRST), inside)):
        (tmp_path / pid / "root").symlink_to(root)
    tree = proc.tree()
    for pid, root in ((101, inside), (102, tmp_path)):
        proc.has(pid, parent=1, own=(pid, 0))
        (tmp_path / str(pid) / "root").symlink_to(root)
    proc.has(103, parent=101)
    assert tree.read()["processes"] == 3
    joined = Tree(FIRST, PARENT, proc=str(tmp_path), joined=True)
    proc.has(104, parent=1)
    (tmp_path / "104" / "root").symlink_to(inside)
    assert joined.read()["processes"] == 1


def test_a_number_that_is_used_again_is_another_process(proc: Proc) -> None:
    tree = proc.tree()
    proc.has(101, own=(100, 0))
    tree.read()
    proc.has(101, parent=1, own=(5000, 0), started=8)
    proc.has(FIRST, parent=PARENT, left=(100, 0))
    found = tree.read()
    assert (found["user_us"], found["processes"]) == (100 * TICK, 1)


@pytest.mark.parametrize("name", ["a b", "a) S 1 (b", "two\nlines", "))))", "\x1b[31m"])
def test_names_may_be_anything(proc: Proc, name: str) -> None:
    tree = proc.tree()
    proc.has(101, name=name, own=(4, 0))
    assert tree.read()["user_us"] == 4 * TICK


@pytest.mark.parametrize("stat", ["", "101 (sh) S", "101 (sh) S x y z" + " 1" * 40, "\0\xff"])
def test_what_cannot_be_read_is_passed_over(proc: Proc, stat: str) -> None:
    tree = proc.tree()
    proc.has(101, own=(4, 0))
    (proc.folder / "101" / "stat").write_text(stat)
    proc.has(102, own=(5, 0), io=None)
    found = tree.read()
    assert (found["user_us"], found["processes"]) == (5 * TICK, 2)


def test_without_any_io_there_are_no_such_columns(proc: Proc) -> None:
    tree = proc.tree()
    (proc.folder / str(FIRST) / "io").unlink()
    assert set(tree.read()) == {"user_us", "system_us", "memory_bytes", "processes"}


def test_thousands_of_processes_in_one_chain(proc: Proc) -> None:
    tree = proc.tree()
    for pid in range(101, 3101):
        proc.has(pid, parent=pid - 1, own=(1, 0))
    assert tree.read()["processes"] == 3001
    proc.ends(*range(101, 3101))
    proc.has(FIRST, parent=PARENT, left=(3000, 0))
    assert tree.read()["user_us"] == 3000 * TICK


def test_parents_that_lead_in_a_circle_end(proc: Proc) -> None:
    tree = proc.tree()
    proc.has(101)
    proc.has(102, parent=101)
    tree.read()
    proc.has(101, parent=102)
    tree.read()
    proc.ends(101, 102)
    assert tree.read()["processes"] == 1


def test_numbers_that_began_anew(proc: Proc) -> None:
    (proc.folder / "loadavg").write_text("0.0 0.0 0.0 1/2 20\n")
    proc.has(15, own=(3, 0))
    assert proc.tree().read()["processes"] == 2


# -- the control group


def grouped(tmp_path: Path, theirs: str, ours: str = "/") -> str | None:
    (tmp_path / "proc" / "7").mkdir(parents=True)
    (tmp_path / "proc" / "self").mkdir()
    (tmp_path / "proc" / "7" / "cgroup").write_text(f"4:memory:/x\n0::{theirs}\n")
    (tmp_path / "proc" / "self" / "cgroup").write_text(f"0::{ours}\n")
    return own_group(7, proc=str(tmp_path / "proc"), root=str(tmp_path / "root"))


FILES = {
    "cpu.stat": "usage_usec 12\nuser_usec 10\nsystem_usec 2\nnr_periods 0\n",
    "memory.current": "4096\n",
    "pids.current": "3\n",
    "io.stat": "8:0 rbytes=10 wbytes=5 rios=1 wios=1\n7:0 rbytes=1 wbytes=0 rios=1 wios=0\n",
}


def group(folder: Path, **files: str | None) -> str:
    folder.mkdir(parents=True)
    for name, text in {**FILES, **files}.items():
        if text is not None:
            (folder / name.replace("_", ".")).write_text(text)
    return str(folder)


def test_a_group_of_its_own_is_found(tmp_path: Path) -> None:
    made = group(tmp_path / "root" / "user" / "box")
    assert grouped(tmp_path, "/user/box", "/user/session") == made
    assert read_group(made) == {
        "user_us": 10, "system_us": 2, "memory_bytes": 4096, "processes": 3,
        "storage_read_bytes": 11, "storage_write_bytes": 5,
    }  # fmt: skip


def test_beside_the_first_version_it_is_found_too(tmp_path: Path) -> None:
    made = group(tmp_path / "root" / "unified" / "box")
    assert grouped(tmp_path, "/box") == made


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("/", "/x"), ("/box", "/box"), ("/box", "/box/inner"), ("/../box", "/"), ("", "/x")],
)
def test_a_group_that_is_shared_is_not_asked(tmp_path: Path, theirs: str, ours: str) -> None:
    group(tmp_path / "root" / "box")
    group(tmp_path / "box")
    assert grouped(tmp_path, theirs, ours) is None


def test_what_a_group_does_not_count_is_left_out(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    assert read_group(gone) == {}
    odd = {"cpu.stat": "user_usec\n", "memory.current": "max\n", "pids.current": None,
           "io.stat": ""}  # fmt: skip
    found = read_group(group(tmp_path / "odd", **odd))
    assert found == {"storage_read_bytes": 0, "storage_write_bytes": 0}


# -- the network

DEV = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets
    lo: {0} 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0
  eth0: {0} 1 0 0 0 0 0 0 {1} 1 0 0 0 0 0 0
eth1:5 1 0 0 0 0 0 0 6 1 0 0 0 0 0 0
"""


def test_the_network_counts_from_the_first_look_and_never_back(tmp_path: Path) -> None:
    for pid, where in (("self", "net:[1]"), ("7", "net:[2]")):
        (tmp_path / pid / "ns").mkdir(parents=True)
        (tmp_path / pid / "net").mkdir()
        (tmp_path / pid / "ns" / "net").symlink_to(where)
        (tmp_path / pid / "net" / "dev").write_text(DEV.format(100, 200))
    network = Network(7, proc=str(tmp_path))
    assert network.whose == "own"
    (tmp_path / "7" / "net" / "dev").write_text(DEV.format(150, 201))
    moved = {"network_received_bytes": 50, "network_sent_bytes": 1}
    assert network.read() == moved
    (tmp_path / "7" / "net" / "dev").write_text(DEV.format(1, 1))
    assert network.read() == moved
    (tmp_path / "7" / "net" / "dev").unlink()
    assert network.read() == moved
    (tmp_path / "7" / "ns" / "net").unlink()
    (tmp_path / "7" / "ns" / "net").symlink_to("net:[1]")
    assert Network(7, proc=str(tmp_path)).whose == "host"
    assert Network(8, proc=str(tmp_path)).read() == {}


# -- the real thing

Started = Callable[[str], tuple[subprocess.Popen[bytes], int]]
RUNTIME = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
print(child.pid, flush=True)
child.wait()
print("ended", flush=True)
sys.stdin.read()
"""
# So much of a processor's time, by itself and by children that are not seen.
BURN = """
import subprocess, sys, time
held = bytearray(50 << 20)
def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: pass
burn(0.4)
for n in range(8):
    subprocess.run([sys.executable, "-S", "-c", "for i in range(1000000): pass"])
burn(0.1)
"""


@pytest.fixture
def started() -> Iterator[Started]:
    """Starts a runtime, which starts Python with a script and goes on when that has ended; returns
    it and the script's process."""
    made: list[subprocess.Popen[bytes]] = []

    def start(script: str) -> tuple[subprocess.Popen[bytes], int]:
        argv = [sys.executable, "-c", RUNTIME, script]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        made.append(process)
        assert process.stdout
        return process, int(process.stdout.readline())

    yield start
    for process in made:
        process.communicate(timeout=30)


def cpu_of(pid: int) -> int:
    """Microseconds of the children that a process has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return (int(fields[13]) + int(fields[14])) * TICK


def test_a_sampler_counts_what_was_used_up_to_the_end(started: Started) -> None:
    began = time.time_ns()
    runtime, first = started(BURN)
    sampler = Sampler(lambda: first, runtime.pid, 1_000_000, began)
    assert runtime.stdout and runtime.stdout.readline() == b"ended\n"
    used = cpu_of(runtime.pid)
    sampler.stop()
    found, why = sampler.result()
    assert found, why
    user, system = found.column("user_us"), found.column("system_us")
    assert user and system
    assert used - 3 * TICK <= user[-1] + system[-1] <= used + 3 * TICK
    assert max(found.column("memory_bytes") or ()) >= 50 << 20
    assert found.samples >= 4
    assert 0 < sampler.cost_us < 50_000
    written = found.column("write_bytes")
    assert written is None or written == tuple(sorted(written))


def test_a_sampler_whose_container_never_comes_says_so() -> None:
    sampler = Sampler(lambda: 0, os.getpid(), 1_000_000, time.time_ns())
    time.sleep(0.05)
    sampler.stop()
    assert sampler.result() == (None, "the container's process was not seen")
    sampler.settle({"user_us": 5})
    gone = Sampler(lambda: 2**22 - 1, os.getpid(), 1_000_000, time.time_ns())
    gone.stop()
    assert gone.result()[0] is None


def test_off_nothing_of_it_is_imported() -> None:
    script = (
        "import sys; import sifprov.helper, sifprov.capture.session, sifprov.wrapper.record;"
        " print([m for m in sys.modules if 'telemetry' in m or m == 'select'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "['select']\n"


def test_the_line_that_tells_of_the_process() -> None:
    assert running_process(b'{"event":"running","pid":4711}\n') == 4711
    assert running_process(b'{"event": "running"}\n') == 0
    for pid in (b"0", b"-1", b"true", b'"7"', b"1e3", b"99999999999"):
        with pytest.raises(RecordError):
            running_process(b'{"event":"running","pid":%s}' % pid)


def test_a_sampler_that_fails_costs_no_record() -> None:
    def find() -> int:
        raise RuntimeError("broken")

    sampler = Sampler(find, 1, 1_000_000, time.time_ns())
    sampler.stop()
    assert sampler.result() == (None, "measuring failed: RuntimeError: broken")


def test_an_expensive_look_makes_the_next_one_wait(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(self: View) -> dict[str, int]:
        end = time.thread_time() + 0.004
        while time.thread_time() < end:
            pass
        return {"user_us": 1}

    monkeypatch.setattr(View, "read", slow)
    monkeypatch.setattr(View, "over", False)
    runtime, first = started("import time; time.sleep(1.6)")
    sampler = Sampler(lambda: first, runtime.pid, 100_000, time.time_ns())
    assert runtime.stdout and runtime.stdout.readline()
    sampler.stop()
    found, _ = sampler.result()
    # Each costs 4 ms, so there is one in half a second, where ten were asked for each second.
    assert found and 3 <= found.samples <= 6


@pytest.mark.skipif(
    os.getuid() != 0 or not os.access("/sys/fs/cgroup/unified", os.W_OK),
    reason="making a control group needs root, and a kernel that has both versions",
)
def test_the_kernels_own_group_counts(started: Started) -> None:
    folder = Path(f"/sys/fs/cgroup/unified/sifprov-test-{os.getpid()}")
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        runtime, first = started("import sys; sys.stdin.read(1)")
        (folder / "cgroup.procs").write_text(str(first))
        assert own_group(first) == str(folder)
        view = View(first, runtime.pid)
        assert view.source == "cgroup v2, /proc"
        found = view.read()
        counted = read_group(str(folder))
        assert 0 <= counted["user_us"] - found["user_us"] < 1_000_000
        assert found["memory_bytes"] > 0
        runtime.communicate(timeout=30)
    finally:
        folder.rmdir()
