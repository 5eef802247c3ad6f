"""Where image-src leads, in ext3, in squashfs and below a mount."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.sifs import make_sif

from sifprov.create import create_data
from sifprov.identity import identify
from sifprov.imagepath import (
    GOOD,
    LINK,
    MISSING,
    OUTSIDE,
    UNKNOWN,
    Verdict,
    check_mounted,
    check_source,
)

# Everything stands below the mount point, /in.
CASES = [
    (None, GOOD),
    ("/", GOOD),
    ("/in", GOOD),
    ("in", GOOD),
    ("/in/real/deep", GOOD),
    ("//in/./real//", GOOD),
    ("/in/real/file", GOOD),
    # As the runtimes do, by its text alone: what "absolute" is does not matter.
    ("/in/absolute/../real", GOOD),
    ("/nowhere/../in", GOOD),
    ("/in/near", LINK),
    ("/in/near/deep", LINK),
    ("/in/far-inside", LINK),
    ("/in/twice", LINK),
    ("/in/back", LINK),
    ("/in/to-file", LINK),
    ("/in/absolute", OUTSIDE),
    ("/in/absolute/passwd", OUTSIDE),
    ("/in/same-name", OUTSIDE),
    ("/in/climbs", OUTSIDE),
    ("/in/climbs/host", OUTSIDE),
    ("/in/near/out", OUTSIDE),
    ("/..", OUTSIDE),
    ("../../etc", OUTSIDE),
    ("/in/../../etc", OUTSIDE),
    ("/none", MISSING),
    ("/in/real/none/deeper", MISSING),
    ("/in/real/file/below", MISSING),
    ("/in/dangling", MISSING),
    ("/in/circle", MISSING),
    ("/in/through-file", MISSING),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree") / "root"
    folder = root / "in"
    (folder / "real" / "deep").mkdir(parents=True)
    (folder / "real" / "file").write_text("x")
    links = {
        "near": "real",
        "far-inside": "real/../real/deep",
        "twice": "near/deep",
        "back": "../in",
        "to-file": "real/file",
        "absolute": "/etc",
        "same-name": "/in/real",
        "climbs": "../..",
        "real/out": "../../../etc",
        "dangling": "nothing",
        "circle": "circle",
        "through-file": "real/file/../deep",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    return root


Check = Callable[[str | None], Verdict]


@pytest.fixture(scope="module", params=["ext3", "squashfs", "mounted"])
def check(
    request: pytest.FixtureRequest, tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> Check:
    if request.param == "mounted":
        return lambda source: check_mounted(str(tree), source)
    path = str(tmp_path_factory.mktemp("sif") / "a.sif")
    create_data(path, mount="/in", source=str(tree / "in"), fs=request.param)
    partition = identify(path).partition
    return lambda source: check_source(path, partition, source)


@pytest.mark.parametrize(("source", "kind"), CASES)
def test_it_goes_where_the_kernel_goes(check: Check, source: str | None, kind: str) -> None:
    found = check(source)
    assert found.kind == kind, found
    assert bool(found.reason) == (kind != GOOD)
    assert found.refused == (kind in (LINK, OUTSIDE))
    expected = {LINK: "image-src-link", OUTSIDE: "image-src-outside"}.get(kind)
    assert found.mark == expected


@pytest.mark.parametrize(("source", "kind"), CASES)
def test_the_kernel_agrees(tree: Path, source: str | None, kind: str) -> None:
    place = os.path.normpath(f"{tree}/{source or ''}")
    if kind == MISSING:
        assert not os.path.exists(place)
    else:
        assert (os.path.realpath(place) + "/").startswith(f"{tree}/") == (kind != OUTSIDE)
        assert (os.path.realpath(place) == place) == (kind == GOOD) or kind == OUTSIDE


def test_the_reason_names_the_link(check: Check) -> None:
    assert check("/in/near/out").reason == (
        "/in/real/out is a symbolic link to ../../../etc, out of the container"
    )
    assert "to /etc" in check("/in/absolute").reason


def test_names_that_are_no_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\x1b[31m")
    (tmp_path / name).mkdir()
    assert check_mounted(str(tmp_path), f"/{name}").kind == GOOD


def test_what_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    assert check_mounted(str(tmp_path / "none"), "/in").kind == UNKNOWN
    application = tmp_path / "app.sif"
    make_sif(application)
    assert check_source(str(application), None, "/in") == Verdict(UNKNOWN, "no data partition")


def test_a_partition_in_use_is_unknown_and_the_mount_tells(tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.sif"
    create_data(str(path), mount="/in", source=str(tree / "in"))
    partition = identify(str(path)).partition
    assert partition is not None
    assert check_source(str(path), partition, "/in/absolute").kind == OUTSIDE
    # What the kernel sets at a mount: the journal may hold what is not in its place yet.
    subprocess.run(
        [_debugfs(), "-w", "-R", "feature needs_recovery", f"{path}?offset={partition.offset}"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    found = check_source(str(path), partition, "/in/absolute")
    assert (found.kind, found.mark, found.refused) == (UNKNOWN, None, False)
    assert "in use" in found.reason


def _debugfs() -> str:
    found = shutil.which("debugfs", path="/usr/sbin:/sbin:/usr/bin:/bin")
    assert found
    return found
