"""Changes outside of any recorded run are marked, and nothing else is."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sifprov.identity import identify
from sifprov.survivors import loops
from sifprov.wrapper.line import CAPTURED
from tests.real.job import BINDS, COPY, Job

WRITABLE_INPUT = ("input.sif:/Inputs:image-src=/Inputs,rw", BINDS[1])


def marks(job: Job, name: str, container: str = "output.sif") -> list[str]:
    """The marks that the newest record gives to a container."""
    runs = [r for r in job.records(container) if r["run"]]
    (entry,) = [c for c in runs[-1]["containers"] if c["name"] == name]
    return list(entry.get("marks", []))


def stands(job: Job, name: str = "output.sif") -> str:
    now: dict[str, Any] = json.loads(job.cli("trail", "--json", name).expect().stdout)["now"]
    return str(now["state"])


def settle(job: Job, name: str = "output.sif") -> None:
    """Waits until the kernel has let go of a container, and for the next second of a dtime."""
    end = time.monotonic() + 15
    while loops(str(job.path(name))):
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(1.05 - time.time() % 1)


def unseen(job: Job, script: str, name: str = "output.sif", at: str = "/Outputs") -> None:
    """A run that nobody records."""
    bind = f"{name}:{at}:image-src={at},rw"
    job.exec("sh", "-c", script, binds=(bind,), env={CAPTURED: "1"}).expect()


def by_mount(job: Job, script: str, *options: str) -> None:
    """A mount by root, by hand."""
    point = job.path("mounted")
    point.mkdir()
    identity = identify(str(job.path("output.sif")))
    assert identity.partition
    where = f"loop,offset={identity.partition.offset},sizelimit={identity.partition.size}"
    mount = ["mount", "-o", ",".join((where, *options)), identity.path, str(point)]
    subprocess.run(mount, check=True, timeout=30)
    try:
        subprocess.run(["sh", "-c", script], cwd=point, check=True, timeout=30)
    finally:
        subprocess.run(["umount", point], check=True, timeout=30)
        point.rmdir()


CHANGES = (
    "echo more >> /Outputs/copy.txt",
    "rm /Outputs/copy.txt",
    "mv /Outputs/copy.txt /Outputs/other.txt",
    "touch /Outputs/new",
    "chmod 700 /Outputs/copy.txt",
    "cp -p /Outputs/copy.txt /Outputs/z && touch -r /Outputs/z /Outputs/copy.txt",
)


def side_by_side(job: Job, check: Callable[[Job, str], object], names: Iterable[str]) -> None:
    """Checks each on copies of the job's containers: most of the time they wait for the clock."""
    settle(job)
    todo = [(job.sibling(str(number)), name) for number, name in enumerate(names)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda both: check(*both), todo))


def test_an_unrecorded_run_is_noticed(either: Job) -> None:
    either.shell(COPY).expect()
    side_by_side(either, is_noticed, CHANGES)


def is_noticed(job: Job, script: str) -> None:
    assert stands(job) == "as-recorded"
    unseen(job, script)
    settle(job)

    assert stands(job) == "changed-outside", script
    assert "by no recorded run" in job.cli("trail", "output.sif").expect().stdout
    # The helper starts beside the run, which could take the inode of a deleted file before it.
    job.shell("sleep 1; echo again > /Outputs/again").expect()
    assert marks(job, "output.sif") == ["changed-outside"], script
    settle(job)
    # The record now says what there is.
    assert stands(job) == "as-recorded", script
    job.shell("echo again > /Outputs/again").expect()
    assert marks(job, "output.sif") == [], script


def test_a_changed_input_is_noticed_by_its_content(either: Job) -> None:
    # With room, without which fuse2fs writes nothing at all.
    either.path("input.sif").unlink()
    create = ("data", "create", "-q", "input.sif", "--from", "data", "--mount", "/Inputs")
    either.cli(*create, "--free", "4M").expect()
    either.shell(COPY).expect()
    assert marks(either, "input.sif") == []
    settle(either, "input.sif")
    unseen(either, "echo four >> /Inputs/data.txt", "input.sif", "/Inputs")
    settle(either, "input.sif")
    either.shell(COPY).expect()
    assert marks(either, "input.sif") == ["changed-outside"]
    assert marks(either, "output.sif") == []
    assert stands(either, "input.sif") == "changed-outside"


# Mounting by hand wants root.
@pytest.mark.not_for(user="user")
def test_a_mount_by_hand_is_noticed_when_it_changes_anything(either: Job) -> None:
    either.shell(COPY).expect()
    for options in (("ro",), ("rw",)):
        settle(either)
        by_mount(either, "cat Outputs/copy.txt > /dev/null; ls -lR . > /dev/null", *options)
        assert stands(either) == "as-recorded"
    settle(either)
    by_mount(either, "rm Outputs/copy.txt", "rw")
    assert stands(either) == "changed-outside"


def ran(job: Job, script: str, code: int = 0) -> None:
    job.shell(script).expect(code)


OURS: dict[str, Callable[[Job], object]] = {
    "a run": lambda job: ran(job, "echo 2 > /Outputs/2"),
    "a run that fails": lambda job: ran(job, "echo 3 > /Outputs/3; exit 3", 3),
    "a run that changes nothing": lambda job: ran(job, "cat /Outputs/copy.txt"),
    "a run that deletes": lambda job: ran(job, "rm /Outputs/copy.txt"),
    "a run that only reads it": lambda job: job.exec(
        "cat", "/Outputs/copy.txt", binds=("output.sif:/Outputs:image-src=/Outputs,ro",)
    ).expect(),
    "an unrecorded run that only reads it": lambda job: unseen(job, "cat /Outputs/*"),
    "rerun": lambda job: job.cli("rerun", "-q", "output.sif"),
    "grow": lambda job: job.cli("data", "grow", "-q", "output.sif", "--to", "16M").expect(),
    "seal": lambda job: job.cli("data", "seal", "-q", "output.sif").expect(),
    "annotate": lambda job: job.cli("annotate", "output.sif", "--note", "x").expect(),
    "list and extract": lambda job: job.cli("data", "extract", "-q", "output.sif", "all").expect(),
}


def test_what_we_do_ourselves_is_never_marked(either: Job) -> None:
    either.shell(COPY).expect()
    side_by_side(either, is_not_marked, OURS)
    # Nor a container that is bound with rw although it is an input.
    settle(either, "input.sif")
    for _ in range(2):
        either.exec("sh", "-c", COPY, binds=WRITABLE_INPUT).expect()
        settle(either, "input.sif")
        assert marks(either, "input.sif") == []
        assert stands(either, "input.sif") == "as-recorded"


def is_not_marked(job: Job, what: str) -> None:
    settle(job)
    OURS[what](job)
    settle(job)
    for name in ("output.sif", "output.sealed.sif"):
        if job.path(name).exists():
            assert stands(job, name) == "as-recorded", what
    job.shell(f"date > /Outputs/next; {COPY}").expect()
    assert marks(job, "output.sif") == marks(job, "input.sif") == [], what


def test_a_signed_container_stands_as_it_was_recorded(job: Job, tmp_path: Path) -> None:
    job.shell(COPY).expect()
    # A key of this test alone; no passphrase is asked for.
    key = tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ed25519", "-out", key],
        check=True,
        capture_output=True,
        timeout=60,
    )
    copy = job.path("key.pem")
    copy.write_bytes(key.read_bytes())
    copy.chmod(0o644)
    settle(job)
    job.cli("sign", "--key", "key.pem", "--runtime", job.runtime, "output.sif").expect()
    assert stands(job) == "as-recorded"
    job.shell("echo 2 > /Outputs/2").expect()
    assert marks(job, "output.sif") == []


def test_a_run_that_is_recorded_elsewhere_is_none(either: Job) -> None:
    """And whatever nobody recorded is noticed behind it as well."""
    either.shell(COPY).expect()
    settle(either)
    elsewhere = {"SIFPROV_METADATA": str(either.path("meta.sif"))}
    either.exec("sh", "-c", "date > /Outputs/a", env=elsewhere).expect()
    settle(either)
    either.shell("date > /Outputs/b").expect()
    assert marks(either, "output.sif") == []
    settle(either)
    either.exec("sh", "-c", "date > /Outputs/c", env=elsewhere).expect()
    settle(either)
    assert stands(either) == "as-recorded"
    unseen(either, "date > /Outputs/d")
    settle(either)
    assert stands(either) == "changed-outside"
    either.shell("date > /Outputs/e").expect()
    assert marks(either, "output.sif") == ["changed-outside"]
