"""`sifprov data info`, `ls`, `cat` and `seal`: what they print, and what a sealed container is."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.unit.ext2trees import odd_tree
from tests.unit.schemas import problems
from tests.unit.sifs import add, make_sif, run_record

from sifprov.cli import main
from sifprov.content import Deadline, scan_folder
from sifprov.create import create_data
from sifprov.errors import FileError
from sifprov.filesystem.opening import open_filesystem
from sifprov.groups import by_offset, signed_groups
from sifprov.partition import scan_partition
from sifprov.records import read_records
from sifprov.seal import seal
from sifprov.sif import FsType, Partition, open_image, read_object
from sifprov.trail import read_trail


def cli(*argv: str | Path) -> Result:
    return CliRunner().invoke(main, ["data", *map(str, argv)])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    odd_tree(folder)
    (folder / "socket").unlink()
    (folder / "bytes").write_bytes(bytes(range(256)) * 20)
    (folder / "\x1b[31mred").write_bytes(b"red")
    return folder


@pytest.fixture(params=["ext3", "squashfs"])
def container(request: pytest.FixtureRequest, source: Path, tmp_path: Path) -> Path:
    create_data(str(tmp_path / "a.sif"), mount="/Inputs", source=str(source))
    if request.param == "ext3":
        return tmp_path / "a.sif"
    seal(str(tmp_path / "a.sif"), str(tmp_path / "b.sif"))
    return tmp_path / "b.sif"


def test_ls_shows_every_name_and_none_acts_on_the_terminal(container: Path, source: Path) -> None:
    shown = cli("ls", container, "/Inputs")
    assert shown.exit_code == 0, shown.output
    assert "\x1b" not in shown.output
    assert "\\x1b[31mred" in shown.output
    assert len(shown.output.splitlines()) == len(list(source.iterdir()))
    long = cli("ls", "-l", container, "/Inputs").output
    assert "drwxr-s--x" in long
    assert "link59 -> " + "t" * 59 in long


def test_ls_as_json_tells_all(container: Path, source: Path) -> None:
    document = json.loads(cli("ls", "-R", "--json", container).output)
    assert not problems("sifprov.data-ls/1", document)
    entries = {e["path"]: e for e in document["entries"] if isinstance(e["path"], str)}
    everything = scan_folder(str(source), Deadline()).entries
    assert len(document["entries"]) == len(everything) + 1
    found = entries["/Inputs/bytes"]
    assert (found["type"], found["size"], found["mode"]) == ("file", 5120, "0644")
    assert entries["/Inputs/sub/hard"]["inode"] == entries["/Inputs/-dash"]["inode"]
    assert entries["/Inputs/link1"]["target"] == "t"
    odd = [e["path"]["base64"] for e in document["entries"] if not isinstance(e["path"], str)]
    assert base64.b64encode(b"/Inputs/\xff\xfe").decode() in odd


def test_cat_gives_the_bytes(container: Path, source: Path) -> None:
    shown = cli("cat", container, "/Inputs/bytes")
    assert shown.stdout_bytes == (source / "bytes").read_bytes()
    assert cli("cat", container, "Inputs/sparse").stdout_bytes == (source / "sparse").read_bytes()
    odd = os.fsdecode(b"/Inputs/\xff\xfe")
    assert cli("cat", container, odd).stdout_bytes == b"content of \xff\xfe"


@pytest.mark.parametrize("path", ["/Inputs", "/Inputs/fifo", "/Inputs/none", "/Inputs/bytes/x"])
def test_cat_refuses_what_is_no_file(container: Path, path: str) -> None:
    shown = cli("cat", container, path)
    assert isinstance(shown.exception, FileError)
    assert shown.stdout == ""


def test_info_shows_the_bind_and_the_room(container: Path) -> None:
    shown = cli("info", container).output
    assert f"-B {container}:/Inputs:image-src=/Inputs" in shown
    document = json.loads(cli("info", "--json", container).output)
    assert not problems("sifprov.data-info/1", document)
    assert (document["kind"], document["role"], document["mount"]) == ("data", "input", "/Inputs")
    part = document["partition"]
    if part["fs"] == "ext3":
        assert 0 < part["free_bytes"] < part["bytes"]
        assert part["inodes_free"] < part["inodes"]
    else:
        assert (part["fs"], part["compressor"]) == ("squashfs", "gzip")
        assert "sealed" in shown


def test_info_of_a_container_in_use(container: Path) -> None:
    document = json.loads(cli("info", "--json", container).output)
    if document["partition"]["fs"] != "ext3":
        return
    data = bytearray(container.read_bytes())
    at = data.index(b"\x53\xef", 32768) - 56
    data[at + 96] |= 4  # needs recovery
    container.write_bytes(data)
    assert json.loads(cli("info", "--json", container).output)["partition"]["in_use"]
    refused = cli("ls", container)
    assert isinstance(refused.exception, FileError)
    assert "in use" in str(refused.exception)


def stored(path: Path) -> list[bytes]:
    with open_image(str(path)) as (file, image):
        return [read_object(file, item) for item in by_offset(image)]


def test_a_sealed_container_has_the_files_and_the_trail(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.sif"
    made = create_data(str(path), mount="/Outputs", source=str(source), role="output")
    for _ in range(3):
        add(path, run_record(made.uuid))
    before = path.read_bytes()
    sealed = seal(str(path))
    new = tmp_path / "a.sealed.sif"
    assert path.read_bytes() == before
    assert sealed.tree.digest == made.tree.digest
    assert new.stat().st_size < path.stat().st_size
    assert stored(new)[:-1] == stored(path)

    with open_image(str(new)) as (file, image):
        records = read_records(file, image)
        assert image.header.uuid == sealed.uuid != made.uuid
        assert len({d.group for d in by_offset(image)}) == 1
        assert not signed_groups(image)
    origin = records[-1].record
    assert origin
    assert origin.container == sealed.uuid
    assert origin.previous == records[-2].digest
    (entry,) = origin.containers
    assert (entry.uuid, entry.role, entry.record) == (made.uuid, "input", origin.previous)
    assert entry.digest == made.tree.digest
    path.rename(tmp_path / "elsewhere")
    trail = read_trail(str(new))
    assert trail.start.good
    assert len(trail.start.records) == 5
    assert trail.start.identity.declaration == made.declaration


def test_the_same_files_are_sealed_to_the_same_bytes(source: Path, tmp_path: Path) -> None:
    create_data(str(tmp_path / "a.sif"), mount="/in", source=str(source))
    first = seal(str(tmp_path / "a.sif"), str(tmp_path / "1.sif"))
    second = seal(str(tmp_path / "a.sif"), str(tmp_path / "2.sif"))

    def partition(path: str, part: Partition) -> bytes:
        return Path(path).read_bytes()[part.offset : part.offset + part.size]

    assert partition(first.path, first.partition) == partition(second.path, second.partition)
    assert first.uuid != second.uuid


def test_a_sealed_container_costs_little(source: Path, tmp_path: Path) -> None:
    (source / "big").write_bytes(os.urandom(3_000_000))
    create_data(str(tmp_path / "a.sif"), mount="/in", source=str(source))
    sealed = seal(str(tmp_path / "a.sif"))
    plain = tmp_path / "plain"
    (tmp_path / "top").mkdir()
    source.rename(tmp_path / "top" / "in")
    argv = ["mksquashfs", str(tmp_path / "top"), str(plain), "-no-progress", "-quiet"]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, timeout=60)
    assert sealed.size - plain.stat().st_size <= 64 * 1024


def test_what_cannot_be_sealed_leaves_nothing(source: Path, tmp_path: Path) -> None:
    folder = os.open(source, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"/proc/self/fd/{folder}/socket")
    os.close(folder)
    create_data(str(tmp_path / "a.sif"), mount="/in", source=str(source))
    make_sif(tmp_path / "broken.sif")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(FileError, match="socket"):
        seal(str(tmp_path / "a.sif"))
    with pytest.raises(FileError):
        seal(str(tmp_path / "broken.sif"))
    with pytest.raises(FileError, match="exists already"):
        seal(str(tmp_path / "a.sif"), str(tmp_path / "broken.sif"))
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("compressor", ["gzip", "lzma", "lzo", "xz", "lz4", "zstd"])
@pytest.mark.parametrize("options", [[], ["-no-fragments"], ["-always-use-fragments", "-b", "4K"]])
def test_every_compressor_is_read(
    source: Path, tmp_path: Path, compressor: str, options: list[str]
) -> None:
    path = tmp_path / "image"
    (source / "text").write_bytes(b"some text that compresses " * 50_000)
    argv = [
        "mksquashfs",
        str(source),
        str(path),
        "-comp",
        compressor,
        "-no-progress",
        "-quiet",
        *options,
    ]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, timeout=60)
    partition = Partition(1, 0, path.stat().st_size, FsType.SQUASHFS)
    want = scan_folder(str(source), Deadline())
    assert scan_partition(str(path), partition, Deadline()).entries == want.entries
    with open_filesystem(str(path), partition) as fs:
        nodes = {n.path: n for n in fs.walk()}
    assert nodes[b"sub/hard"].ino == nodes[b"-dash"].ino
    assert nodes[b"sub/deep"].mtime_ns == 10**18
