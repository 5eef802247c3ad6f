"""The lists of files that records name: every maker of records writes them, read_manifest() reads
them."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from sifprov import capture, placement
from sifprov.annotate import annotate
from sifprov.carrier import Carrier, elsewhere, read_carrier
from sifprov.content import Deadline, Tree, scan_folder
from sifprov.create import SQUASHFS, create_data
from sifprov.errors import FileError
from sifprov.filestore import new_documents
from sifprov.flush import flush
from sifprov.frozen import replace
from sifprov.manifests import Listed, read_manifest
from sifprov.model.annotation import make as make_annotation
from sifprov.model.files import Document, Files, describe
from sifprov.model.record import INPUT, OUTPUT, WRAPPER, Record
from sifprov.model.request import Bind, BoundImage, CaptureEnd, CaptureRequest, Folder
from sifprov.model.timestamp import from_ns
from sifprov.partition import scan_partition
from sifprov.placement import CONTAINER, Place
from sifprov.seal import seal


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("SIFPROV_METADATA", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


def folder_of(path: Path, count: int) -> Path:
    path.mkdir()
    for number in range(count):
        (path / f"{number:04}").write_text(str(number))
    os.chmod(path / "0000", 0o600)
    return path


def now() -> str:
    return from_ns(time.time_ns())


def request_of(
    cwd: Path,
    *,
    inputs: tuple[Path, ...] = (),
    outputs: tuple[Path, ...] = (),
    folders: tuple[Path, ...] = (),
    metadata: str = "",
) -> CaptureRequest:
    binds = tuple(Bind(str(p), "/Inputs", "/Inputs", None, True, False) for p in inputs)
    binds += tuple(Bind(str(p), "/Outputs", "/Outputs", None, False, False) for p in outputs)
    return CaptureRequest(
        captured_by=WRAPPER, version="0", runtime_name="apptainer", runtime_version="1",
        argv=("apptainer", "exec", "app.sif", "true"), command=("true",), cwd=str(cwd),
        started=now(), environment=(), image="app.sif", binds=binds,
        images=tuple(BoundImage(b.source, not b.read_only) for b in binds), timeout=0,
        folders=tuple(Folder(str(p), "/Outputs") for p in folders), metadata=metadata,
    )  # fmt: skip


def run(request: CaptureRequest) -> list[Record]:
    """Records a run that is over."""
    started = capture.begin(replace(request, started=now()), Deadline())
    finished = capture.finish(started, CaptureEnd(now(), "exited", 0, None), Deadline())
    return [w.record for w in finished.written]


def debugfs(path: Path, *commands: str) -> None:
    """Changes the files of a container as a run would."""
    partition = read_carrier(str(path)).identity.partition
    program = shutil.which("debugfs", path="/usr/sbin:/sbin:/usr/bin:/bin")
    assert program and partition
    where = f"{path}?offset={partition.offset}"
    for command in commands:
        subprocess.run([program, "-w", "-R", command, where], check=True, capture_output=True)


def content(path: Path) -> Tree:
    made = read_carrier(str(path)).identity.partition
    assert made
    return scan_partition(str(path), made, Deadline())


def listed(carrier: Carrier, record: Record, role: str = OUTPUT) -> Listed:
    about = record.origin if role == OUTPUT and record.origin else record.with_role(role)[0]
    return read_manifest(carrier, about)


def same(found: Listed, tree: Tree) -> bool:
    """Whether a list is that of a tree, permission bits included."""
    assert found.reason is None
    return found.manifest is not None and found.manifest.entries == tree.entries


def documents(path: Path) -> list[Document]:
    """The lists of files that stand beside records, the oldest first."""
    found = read_carrier(str(path)).embedded.values()
    return [Document.from_bytes(d) for d in found if b"sifprov.files/1" in d]


@pytest.mark.parametrize("count", [0, 5, 40])
@pytest.mark.parametrize("fs", ["ext3", SQUASHFS])
def test_a_new_container_lists_its_files(tmp_path: Path, count: int, fs: str) -> None:
    source = folder_of(tmp_path / "d", max(count, 1))
    if not count:
        (source / "0000").unlink()
    path = tmp_path / "in.sif"
    made = create_data(str(path), mount="/Inputs", source=str(source), fs=fs)
    carrier = read_carrier(str(path))
    ((_, record),) = carrier.good
    assert same(listed(carrier, record), made.tree)
    assert len(documents(path)) == (count == 40)


def test_a_reproducible_container_is_the_same_every_time(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "d", 40)
    for name in ("1.sif", "2.sif"):
        create_data(str(tmp_path / name), mount="/Inputs", source=str(source), reproducible=True)
    assert (tmp_path / "1.sif").read_bytes() == (tmp_path / "2.sif").read_bytes()


def test_a_sealed_container_lists_its_files_and_carries_the_lists(tmp_path: Path) -> None:
    path, target = tmp_path / "out.sif", tmp_path / "sealed.sif"
    source = str(folder_of(tmp_path / "d", 40))
    create_data(str(path), mount="/Outputs", source=source, role=OUTPUT)
    run(request_of(tmp_path, outputs=(path,)))
    debugfs(path, "mkdir Outputs/more")
    run(request_of(tmp_path, outputs=(path,)))
    tree = content(path)
    seal(str(path), str(target))
    carrier = read_carrier(str(target))
    first, second, third, origin = (r for _, r in carrier.good)
    assert origin.origin and third.itself() and same(listed(carrier, origin), tree)
    assert same(listed(carrier, third), tree)
    before = listed(carrier, first).manifest
    assert before and len(before.entries) == len(tree.entries) - 1
    assert same(listed(carrier, second), before.tree)
    # Each list is there once.
    assert len(documents(target)) == 2


@pytest.mark.parametrize("count", [5, 40])
def test_a_runs_output_lists_its_files(tmp_path: Path, count: int) -> None:
    path = tmp_path / "out.sif"
    source = str(folder_of(tmp_path / "d", count))
    create_data(str(path), mount="/Outputs", source=source, role=OUTPUT, free=10**6)
    trees, sizes = [content(path)], []
    for command in ("mkdir Outputs/new", "rm Outputs/0001", "sif Outputs/0002 mode 0100750", ""):
        if command:
            debugfs(path, command)
        trees.append(content(path))
        run(request_of(tmp_path, outputs=(path,)))
        sizes.append(path.stat().st_size)
    carrier = read_carrier(str(path))
    records = [r for _, r in carrier.good]
    assert len(records) == 5
    for record, tree in zip(records, trees, strict=True):
        assert same(listed(carrier, record), tree)
    stored = documents(path)
    assert len(stored) == (4 if count == 40 else 0)  # the last run changed nothing
    if stored:
        assert sorted(len(d.lines) + len(d.removed) for d in stored) == [1, 2, 3, 41]


def test_an_input_is_listed_by_its_own_record_or_by_the_run(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "d", 40)
    told, untold, out = (tmp_path / name for name in ("told.sif", "untold.sif", "out.sif"))
    create_data(str(told), mount="/Inputs", source=str(source))
    # What another program made carries no record.
    create_data(str(untold), mount="/Inputs", free=10**6, role=INPUT)
    debugfs(untold, *(f"mkdir Inputs/{n}" for n in range(20)))
    create_data(str(out), mount="/Outputs")
    (record,) = run(request_of(tmp_path, inputs=(told, untold), outputs=(out,)))
    first, second = record.with_role(INPUT)
    assert (first.files, first.record is not None) == (None, True)
    assert second.files and second.files.count == 21 and second.record is None
    assert same(read_manifest(read_carrier(str(out)), second), content(untold))
    assert same(read_manifest(read_carrier(str(out)), first), content(told))
    # Once for all runs.
    size = len(documents(out))
    run(request_of(tmp_path, inputs=(told, untold), outputs=(out,)))
    assert len(documents(out)) == size


def test_an_input_that_was_changed_outside_is_listed_by_the_run(tmp_path: Path) -> None:
    path, out = tmp_path / "in.sif", tmp_path / "out.sif"
    create_data(str(path), mount="/Inputs", source=str(folder_of(tmp_path / "d", 3)))
    create_data(str(out), mount="/Outputs")
    debugfs(path, "mkdir Inputs/more")
    (record,) = run(request_of(tmp_path, inputs=(path,), outputs=(out,)))
    assert record.with_role(INPUT)[0].marks == ("changed-outside",)
    assert same(listed(read_carrier(str(out)), record, INPUT), content(path))


def test_an_output_lists_no_other_ones_files(tmp_path: Path) -> None:
    paths = (tmp_path / "1.sif", tmp_path / "2.sif")
    for path in paths:
        source = str(folder_of(tmp_path / f"{path.name}.d", 20))
        create_data(str(path), mount="/Outputs", source=source, role=OUTPUT, free=10**6)
        debugfs(path, "mkdir Outputs/new")
    records = run(request_of(tmp_path, outputs=paths))
    assert len(records) == 2
    for path, record in zip(paths, records, strict=True):
        its, others = [c for c in record.with_role(OUTPUT) if c.files], record.with_role(OUTPUT)
        assert len(others) == 2 and its == [record.itself()]
        assert same(read_manifest(read_carrier(str(path)), its[0]), content(path))
        assert len(documents(path)) == 2


@pytest.mark.parametrize("where", ["beside", "records.jsonl", "records.sif"])
def test_a_plain_folder_is_listed_where_its_records_go(tmp_path: Path, where: str) -> None:
    folder = folder_of(tmp_path / "results", 40)
    metadata = "" if where == "beside" else str(tmp_path / where)
    request = request_of(tmp_path, folders=(folder,), metadata=metadata)
    trees = []
    for number in range(3):
        (folder / f"new{number}").write_text("x")
        trees.append(scan_folder(str(folder), Deadline()))
        run(request)
    carrier = read_carrier(metadata or str(folder), None if metadata else elsewhere(""))
    assert [same(listed(carrier, r), t) for (_, r), t in zip(carrier.good, trees, strict=True)]
    place = Path(metadata) if metadata else Path(f"{folder}.sifprov.jsonl")
    assert sorted(len(d.lines) for d in documents(place)) == [1, 2, 41]


def test_a_record_that_waits_keeps_its_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.sif"
    source = str(folder_of(tmp_path / "d", 40))
    create_data(str(path), mount="/Outputs", source=source, role=OUTPUT, free=10**6)
    debugfs(path, "mkdir Outputs/new")

    def no(*_: object, **__: object) -> None:
        raise FileError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(placement, "append_to", no)
        run(request_of(tmp_path, outputs=(path,)))
    tree = content(path)
    # What happens to the container meanwhile changes nothing.
    debugfs(path, "mkdir Outputs/later")
    assert [d.error for d in flush()] == [None]
    carrier = read_carrier(str(path))
    assert same(listed(carrier, carrier.good[-1][1]), tree)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "out.sif"
    create_data(str(path), mount="/Outputs", source=str(folder_of(tmp_path / "d", 40)), role=OUTPUT)
    carrier = read_carrier(str(path))
    ((_, record),) = carrier.good
    about = record.origin
    assert about and about.files and about.files.digest
    none = replace(carrier, embedded={})
    assert f"{about.files.digest} is missing" in (read_manifest(none, about).reason or "")
    for files, reason in (
        (None, "its record lists no files"),
        (Files(reason="too many"), "too many"),
        (replace(about.files, count=3), "files.count: is not 41"),
        (Files(lines=()), "the list of files is not that of the recorded content"),
        (Files(lines=(b"x",)), "lines[0]: no line of a manifest"),
    ):
        found = read_manifest(carrier, replace(about, files=files))
        assert found == Listed(None, reason)


def test_a_place_that_cannot_be_read_gets_the_list_whole(tmp_path: Path) -> None:
    path, broken = tmp_path / "out.sif", tmp_path / "broken.sif"
    create_data(str(path), mount="/Outputs", source=str(folder_of(tmp_path / "d", 40)), role=OUTPUT)
    broken.write_bytes(b"SIF_MAGIC")
    (record,) = run(request_of(tmp_path, outputs=(path,)))
    tree = content(path)
    files, manifest = describe(tree)
    assert manifest and files.digest
    lists = {files.digest: manifest}
    assert new_documents(Place(CONTAINER, str(path)), record, lists) == ()
    for name in (str(broken), str(tmp_path / "missing.sif")):
        (data,) = new_documents(Place(CONTAINER, name), record, lists)
        assert Document.from_bytes(data).manifest().entries == tree.entries


def test_an_input_is_listed_by_the_newest_record_that_tells_its_content(tmp_path: Path) -> None:
    path, out = tmp_path / "in.sif", tmp_path / "out.sif"
    create_data(str(path), mount="/Inputs", source=str(folder_of(tmp_path / "d", 3)))
    annotate(str(path), make_annotation(["a note"], [], []))
    create_data(str(out), mount="/Outputs")
    (record,) = run(request_of(tmp_path, inputs=(path,), outputs=(out,)))
    about = record.with_role(INPUT)[0]
    assert about.record == read_carrier(str(path)).good[-1][0].digest
    carrier = read_carrier(str(out))
    assert same(read_manifest(carrier, about), content(path))
    # Nothing is known of a content that no record tells, nor where an ancestor is missing or not
    # what it was.
    other = replace(about, digest="tree-v1:" + "0" * 64)
    assert read_manifest(carrier, other) == Listed(None, "its record lists no files")
    other = replace(about, record="sha256:" + "0" * 64)
    missing = "the record sha256:{} is missing, which may list them"
    assert read_manifest(carrier, other) == Listed(None, missing.format("0" * 64))
    broken = {
        digest: data.replace(b"Inputs/", b"Unputs/") for digest, data in carrier.embedded.items()
    }
    found = read_manifest(replace(carrier, embedded=broken), about)
    assert found == Listed(None, missing.format(read_carrier(str(path)).good[0][0].digest[7:]))


@pytest.mark.parametrize("metadata", ["records.sif", "records.jsonl"])
def test_each_list_is_told_against_its_own_containers(tmp_path: Path, metadata: str) -> None:
    """In a place that holds the records of many, which come in turn; and whole again when all that
    was told against one list together would be longer."""
    folders = [folder_of(tmp_path / name, 40) for name in ("one", "two")]
    for path in folders[1].iterdir():
        path.write_text(f"other {path.name}")
    place = tmp_path / metadata
    for number in range(11):
        for folder in folders:
            (folder / f"new{number}").write_text("x")
            run(request_of(tmp_path, folders=(folder,), metadata=str(place)))
    stored = documents(place)
    assert sorted(len(d.lines) for d in stored if d.base) == sorted([*range(1, 10)] * 2)
    assert sorted(len(d.lines) for d in stored if not d.base) == [41, 41, 51, 51]
    carrier = read_carrier(str(place))
    for _, record in (carrier.good[-1], carrier.good[-2], carrier.good[0], carrier.good[7]):
        assert listed(carrier, record).manifest
