"""The tree digest: from a folder, from a partition, and by the shell line of docs/formats.md."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyext2fs.debugfs import Debugfs
from sifprov import content
from sifprov.content import Deadline, TooLateError, file_kind, image_digest, scan_folder
from sifprov.create import create_data
from sifprov.errors import FileError
from sifprov.partition import scan_partition

ROOT = Path(__file__).parents[2]
ODD = [
    b"plain", b"with space", b" edge ", b"new\nline", b"quo'te\"s", b"back\\slash", b"-dash",
    b"--", b"\xff\xfe", "\u00e9\u202e".encode(), b"*?[a]", b"$HOME", b"`id`", b"#x", b"~", b"a\tb",
    b".hidden", b"%s%n", b"lost+found-not",
]  # fmt: skip


def shell_digest(tree: Path) -> str:
    """What the documented command prints for a folder."""
    text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"```bash\n(cd TREE .*?)```", text, re.DOTALL)
    script = line.replace("cd TREE", 'cd -- "$1"', 1)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script, "bash", str(tree)],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return "tree-v1:" + done.stdout.split()[0]


def scan(tree: Path) -> content.Tree:
    return scan_folder(str(tree), Deadline())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with everything that a tree can hold."""
    root = tmp_path / "tree"
    top = os.fsencode(root)
    for place in (top, top + b"/folder", top + b"/folder/deep\n\xff"):
        os.mkdir(place)
        for i, name in enumerate(ODD):
            path = place + b"/" + name
            with open(path, "wb") as file:
                file.write(name * i)
            os.chmod(path, (0o644, 0o755, 0o600, 0o655, 0o744)[i % 5])
    (root / "empty").mkdir()
    (root / "large").write_bytes(bytes(range(251)) * 13_000)
    (root / "hole").touch()
    os.truncate(root / "hole", 1_000_000)
    (root / "link").symlink_to("plain")
    (root / "dangling").symlink_to("/no/where \n")
    (root / "long-link").symlink_to("x" * 200)
    os.symlink(b"\xff'", top + b"/odd-link")
    (root / "to-folder").symlink_to("folder")
    os.link(root / "plain", root / "hard")
    os.mkfifo(root / "fifo")
    (root / "folder" / "lost+found").mkdir()
    (root / "folder" / "lost+found" / "kept").touch()
    return root


@pytest.fixture
def with_socket(tree: Path) -> Iterator[Path]:
    # Its address must be short, so it is bound from inside the folder.
    here = os.getcwd()
    with socket.socket(socket.AF_UNIX) as end:
        os.chdir(tree)
        try:
            end.bind("socket")
        finally:
            os.chdir(here)
        yield tree


def test_the_documented_command_agrees(with_socket: Path) -> None:
    found = scan(with_socket)
    assert found.digest == shell_digest(with_socket)
    kinds = {e.kind for e in found.entries}
    assert kinds == set("fxdlps")
    assert len(found.entries) == 3 * len(ODD) + 2 + 12 + 1
    assert [e.path for e in found.entries] == sorted(e.path for e in found.entries)


def test_a_partition_has_the_same_digest(tree: Path, tmp_path: Path) -> None:
    (tree / "fifo").unlink()
    made = create_data(str(tmp_path / "x.sif"), mount="/Inputs/here", source=str(tree))
    wrapped = tmp_path / "wrapped" / "Inputs"
    wrapped.mkdir(parents=True)
    tree.rename(wrapped / "here")
    assert made.tree.digest == scan(wrapped.parent).digest == shell_digest(wrapped.parent)


def test_an_empty_tree(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    digest = scan(tmp_path / "t").digest
    assert digest == shell_digest(tmp_path / "t")
    assert digest == "tree-v1:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_lost_found_at_the_root(tmp_path: Path, kind: str) -> None:
    """Only the folder is ext3's own; a file or a link of that name is content."""
    root = tmp_path / "t"
    root.mkdir()
    path = root / "lost+found"
    if kind == "folder":
        path.mkdir()
        (path / "#123").touch()
    elif kind == "file":
        path.touch()
    else:
        path.symlink_to("x")
    found = scan(root)
    assert len(found.entries) == (kind != "folder")
    assert found.digest == shell_digest(root)


def test_what_counts_and_what_does_not(tmp_path: Path) -> None:
    root = tmp_path / "t"
    root.mkdir()
    file = root / "a"
    file.write_bytes(b"x")
    file.chmod(0o644)
    first = scan(root).digest
    os.utime(file, (1, 1))
    file.chmod(0o477)
    assert scan(root).digest == first
    file.chmod(0o544)
    assert scan(root).digest != first
    file.chmod(0o644)
    file.write_bytes(b"y")
    assert scan(root).digest != first


def test_devices_in_a_partition(tmp_path: Path) -> None:
    """With numbers beyond a byte, which the kernel writes in another form."""
    made = create_data(str(tmp_path / "x.sif"), mount="/O", free=1 << 20)
    with Debugfs(made.path, made.partition.offset, writable=True) as fs:
        fs.run("mknod block b 8 300", "mknod char c 259 5", "mknod pipe p")
    found = {e.path: e for e in scan_partition(made.path, made.partition, Deadline()).entries}
    assert (found[b"block"].kind, found[b"block"].value) == ("b", "8:12c")
    assert (found[b"char"].kind, found[b"char"].value) == ("c", "103:5")
    assert found[b"pipe"].line() == b"p - - pipe\0"


@pytest.mark.skipif(os.getuid() != 0, reason="making a device needs root")
def test_devices_in_a_folder(tmp_path: Path) -> None:
    root = tmp_path / "t"
    root.mkdir()
    try:
        os.mknod(root / "b", 0o060600, os.makedev(8, 300))
        os.mknod(root / "c", 0o020600, os.makedev(259, 5))
    except PermissionError as error:
        pytest.skip(f"this root may not make devices: {error}")
    found = scan(root)
    assert [e.value for e in found.entries] == ["8:12c", "103:5"]
    assert found.digest == shell_digest(root)


def test_a_deep_tree_needs_no_recursion(tmp_path: Path) -> None:
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    try:
        assert len(scan(tmp_path).entries) == 1100
    finally:
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


def test_the_deadline(tree: Path) -> None:
    deadline = Deadline()
    deadline.check()
    deadline.start(60)
    scan_folder(str(tree), deadline)
    deadline.start(-1)
    with pytest.raises(TooLateError):
        scan_folder(str(tree), deadline)


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_no_folder(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "t"
    if kind == "file":
        path.touch()
    with pytest.raises(FileError, match=re.escape(str(path))):
        scan(path)


def test_what_cannot_be_read_is_named(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = os.open

    def refuse(path: object, *args: object, **more: object) -> int:
        if path == b"-dash":
            raise PermissionError(13, "Permission denied")
        return original(path, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(FileError) as error:
        scan(tree)
    assert str(error.value) == f"{tree}/-dash: Permission denied"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("becomes", ["link", "fifo", "folder"])
def test_what_is_swapped_meanwhile_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, becomes: str
) -> None:
    root, secret = tmp_path / "t", tmp_path / "secret"
    root.mkdir()
    secret.write_bytes(b"secret")
    (root / "a").write_bytes(b"x")
    original = content.file_kind

    def swap(mode: int) -> str:
        kind = original(mode)
        (root / "a").unlink()
        if becomes == "link":
            (root / "a").symlink_to(secret)
        elif becomes == "fifo":
            os.mkfifo(root / "a")
        else:
            (root / "a").mkdir()
        return kind

    monkeypatch.setattr(content, "file_kind", swap)
    if becomes == "fifo":
        assert scan(root).entries[0].size == 0
        return
    with pytest.raises(FileError, match="/t/a: "):
        scan(root)


def test_a_folder_that_is_swapped_for_a_link_is_not_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, other = tmp_path / "t", tmp_path / "other"
    (root / "a").mkdir(parents=True)
    other.mkdir()
    (other / "secret").touch()
    original = content._open_below

    def swap(top: int, path: bytes) -> int:
        if path == b"a":
            (root / "a").rmdir()
            (root / "a").symlink_to(other)
        return original(top, path)

    monkeypatch.setattr(content, "_open_below", swap)
    with pytest.raises(FileError, match="/t/a: "):
        scan(root)


def test_no_file_stays_open(tree: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    scan(tree)
    assert len(os.listdir("/proc/self/fd")) == before


def test_kinds() -> None:
    with pytest.raises(ValueError, match="no known type"):
        file_kind(0)


def test_the_image_digest(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        assert image_digest(file, [(7, 3), (0, 2)], Deadline()) == (
            "image-v1:" + hashlib.sha256(b"78901").hexdigest()
        )
        with pytest.raises(FileError, match="ends inside a partition"):
            image_digest(file, [(7, 4)], Deadline())
