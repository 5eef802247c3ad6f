"""The fuzzer's seeds and the inputs that once broke something, as plain tests. No fuzzer needed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from tests.fuzz import text_targets
from tests.fuzz.campaign import Result, read_log, row
from tests.fuzz.target import CRASHES, HERE, SEEDS, Target
from tests.fuzz.targets import TARGETS

from sifprov.model.redact import redact

NAMES = sorted(TARGETS)
# These start a program of e2fsprogs.
NEEDS = {"ext3-debugfs": "debugfs"}


def inputs(kind: str) -> list[tuple[str, str]]:
    """Every committed input as (target, file name)."""
    found = [
        (t.name, p.name)
        for t in TARGETS.values()
        for p in (t.seeds if kind == "seed" else t.crashes)
    ]
    assert found
    return found


def replay(target: Target, path: Path) -> None:
    """Raises what the target finds wrong."""
    if (tool := NEEDS.get(target.name)) and not shutil.which(tool, path="/usr/sbin:/sbin:/usr/bin"):
        pytest.skip(f"{tool} is not installed")
    target.run(path.read_bytes())


@pytest.mark.parametrize("name", NAMES)
def test_there_are_seeds(name: str) -> None:
    seeds = TARGETS[name].seeds
    assert seeds
    assert all(seed.stat().st_size for seed in seeds)


def test_no_seed_and_no_crash_without_a_target() -> None:
    folders = {p.name for root in (SEEDS, CRASHES) for p in root.iterdir()}
    assert folders == set(TARGETS)


@pytest.mark.parametrize(("name", "file"), inputs("seed"))
def test_seed(name: str, file: str) -> None:
    replay(TARGETS[name], SEEDS / name / file)


@pytest.mark.parametrize(("name", "file"), inputs("crash"))
def test_what_once_broke_something(name: str, file: str) -> None:
    replay(TARGETS[name], CRASHES / name / file)


def test_targets_are_documented() -> None:
    text = (HERE.parent.parent / "docs" / "fuzzing.md").read_text()
    rows = set(re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE))
    assert rows == set(TARGETS)


@pytest.mark.parametrize("broken", ["sif-load", "sif-records", "squashfs"])
def test_a_target_lets_through_what_is_no_error_of_ours(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fuzzer that swallows everything would find nothing."""
    module = {
        "sif-load": "sif_targets.load",
        "sif-records": "sif_targets.read_records",
        "squashfs": "filesystem_targets.Squashfs",
    }[broken]

    def fail(*_: object) -> None:
        raise IndexError("a bug")

    monkeypatch.setattr(f"tests.fuzz.{module}", fail)
    with pytest.raises(IndexError):
        TARGETS[broken].run(TARGETS[broken].seeds[0].read_bytes())


def test_a_terminal_target_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_targets, "printable", lambda text: text)
    with pytest.raises(AssertionError):
        TARGETS["terminal"].run(b"\x1b[2J")


def test_a_slow_redaction_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_targets, "LINEAR_SECONDS", 0.0)
    with pytest.raises(AssertionError, match="characters"):
        TARGETS["redact-time"].run(b"\1\1xab")


@pytest.mark.parametrize("text", ["a.-", ",", "PRIVATE KEY", '"\\', "eyJ", "-sk", "a=b "])
def test_redaction_of_a_long_argument_ends_soon(text: str) -> None:
    """128 KiB, the most that Linux passes on in one argument; once this took minutes."""
    for head in ("--token=", "x ", "-----BEGIN "):
        argument = (head + text * 131_072)[:131_072]
        assert len(redact([argument])[0]) == 1


def test_the_log_of_a_run_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("#9\tDONE   cov: 7 ft: 8 corp: 2/3b\nstat::number_of_executed_units: 1200\n")
    assert read_log("x", log, 2.0, 0) == Result("x", 1200, 2.0, 7, 0)
    assert row(read_log("x", log, 2.0, 0)) == "| x | 1,200 | 2 s | 600/s | ok |"
    log.write_text("Traceback\n")
    assert read_log("x", log, 2.0, 77).executions is None
    assert "BROKEN" in row(read_log("x", log, 2.0, 77))
