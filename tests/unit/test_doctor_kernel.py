"""What doctor says of a kernel's settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from sifprov.doctor import Check, Level, kernel


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    write(tmp_path / "self/ns/user", "")
    write(tmp_path / "sys/user/max_user_namespaces", "96365\n")
    return tmp_path


def test_a_namespace_that_can_be_made_is_enough(proc: Path) -> None:
    write(proc / "sys/kernel/unprivileged_userns_clone", "0\n")
    assert kernel.user_namespaces(proc=proc, make=lambda: None).level is Level.OK


@pytest.mark.parametrize(
    ("file", "value", "level", "said"),
    [
        ("user/max_user_namespaces", "0", Level.BAD, "max_user_namespaces is 0"),
        ("kernel/unprivileged_userns_clone", "0", Level.BAD, "unprivileged_userns_clone is 0"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", Level.WARN, "AppArmor"),
        ("kernel/unrelated", "1", Level.BAD, "Operation not permitted"),
    ],
)
def test_what_forbids_them_is_named(
    proc: Path, file: str, value: str, level: Level, said: str
) -> None:
    write(proc / "sys" / file, value)
    check = kernel.user_namespaces(proc=proc, make=lambda: "Operation not permitted")
    assert check.level is level
    assert said in check.text
    assert check.hint


def test_a_kernel_without_them(tmp_path: Path) -> None:
    assert kernel.user_namespaces(proc=tmp_path, make=lambda: None).level is Level.BAD


def test_without_a_program_to_try_it_is_skipped_with_a_reason(proc: Path) -> None:
    check = kernel.user_namespaces(proc=proc, make=lambda: "not tried: no unshare")
    assert (check.level, check.text) == (Level.SKIP, "not tried: no unshare")


def test_fuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device, programs = tmp_path / "fuse", {"squashfuse": "/bin/a", "fuse2fs": "/bin/b"}
    assert kernel.fuse(None, {}, device=device).level is Level.SKIP
    gone = kernel.fuse("it mounts", programs, device=device)
    assert gone.level is Level.BAD and "modprobe" in (gone.hint or "")
    device.touch(0o600)
    assert kernel.fuse("it mounts", programs, device=device).level is Level.OK
    missing = kernel.fuse("it mounts", {**programs, "fuse2fs": None}, device=device)
    assert missing.level is Level.BAD and missing.text.startswith("fuse2fs not found")
    monkeypatch.setattr("os.access", lambda path, mode: False)
    closed = kernel.fuse("it mounts", programs, device=device)
    assert closed.level is Level.BAD and "mode 600" in closed.text


@pytest.mark.parametrize(
    ("used", "level", "runs"),
    [(0, Level.OK, 85), (225, Level.OK, 10), (230, Level.WARN, 8), (254, Level.BAD, 0),
     (300, Level.BAD, 0)],
)  # fmt: skip
def test_loop_devices(tmp_path: Path, used: int, level: Level, runs: int) -> None:
    write(tmp_path / "dev/loop-control", "")
    for number in range(used):
        write(tmp_path / f"block/loop{number}/loop/backing_file", "/x")
    (tmp_path / "block/loop999").mkdir(parents=True)  # one that is not in use
    check = kernel.loop_devices(
        256, conf="/etc/x.conf", block=tmp_path / "block", dev=tmp_path / "dev"
    )
    assert check.level is level
    assert f"{used} of 256 in use: room for {runs} runs" in check.text


def test_no_loop_devices_at_all(tmp_path: Path) -> None:
    check = kernel.loop_devices(256, conf="x", block=tmp_path, dev=tmp_path)
    assert check.level is Level.BAD and "modprobe loop" in (check.hint or "")


@pytest.mark.parametrize(
    ("have", "level"), [("000001ffffffffff", Level.OK), ("000001fffeffffff", Level.WARN)]
)
def test_capabilities(tmp_path: Path, have: str, level: Level) -> None:
    write(tmp_path / "sys/kernel/cap_last_cap", "40\n")
    write(tmp_path / "self/status", f"Name:\tx\nCapPrm:\t{have}\n")
    check = kernel.capabilities(proc=tmp_path)
    assert check.level is level
    if level is Level.WARN:
        assert "number 24," in check.text


def test_capabilities_that_cannot_be_read_are_skipped(tmp_path: Path) -> None:
    assert kernel.capabilities(proc=tmp_path).level is Level.SKIP


def test_subordinate_ids(tmp_path: Path) -> None:
    def look(found: bool = True) -> Check:
        return kernel.subordinate_ids("ada", lambda tool: tool if found else None, etc=tmp_path)

    assert "newuidmap and newgidmap not found" in look(False).text
    write(tmp_path / "subuid", "eve:1:65536\nada:100000:65536\n")
    assert str(tmp_path / "subgid") in look().text
    write(tmp_path / "subgid", "ada:100000:65536\n")
    assert look().level is Level.OK
