"""sifprov index: what is new or has changed is read, and what has become of the rest is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import BinaryIO

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text
from tests.bench.catalog_make import Trails, sif, write
from tests.catalogs import Opened
from tests.property.test_catalog_graph import _of_catalog
from tests.unit import chains
from tests.unit.histories import History
from tests.unit.sifs import add, add_object, make_sif, run_record

from sifprov.catalog import read, readers
from sifprov.catalog.index import Summary, index
from sifprov.catalog.ingest import Ingest
from sifprov.catalog.read import File, Reader, Seen
from sifprov.catalog.told import of_bytes
from sifprov.cli import main
from sifprov.embedded import pack_lineage
from sifprov.groups import LINEAGE_NAME
from sifprov.model.record import Record
from sifprov.sif import DataType, Image
from sifprov.sif.image import load as load_image


@pytest.fixture(autouse=True)
def _not_racy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of this moment count as settled; one test says otherwise."""
    monkeypatch.setattr(read, "RACY_NS", 0)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An input, what was made from it, and what was made from that, in two folders."""
    folder = tmp_path / "tree"
    (folder / "deep").mkdir(parents=True)
    first = chains.data(folder / "in.sif", chains.INPUT)
    middle, end = chains.data(folder / "middle.sif"), chains.data(folder / "deep" / "end.sif")
    chains.run(first, to=middle)
    chains.run(middle, to=end)
    (folder / "notes.txt").write_text("x" * 500)
    return folder


def counts(summary: Summary) -> dict[str, int]:
    """What is not zero."""
    names = (
        "new", "changed", "unchanged", "moved", "copied", "vanished", "forgotten", "unreadable",
        "foreign", "records",
    )  # fmt: skip
    return {n: v for n in names if (v := getattr(summary, n))}


def rows(opened: Opened, statement: str) -> list[tuple[object, ...]]:
    with opened.catalog.reading() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def places(opened: Opened) -> dict[str, str]:
    """The status of each file by its name."""
    return dict(rows(opened, "SELECT name, status FROM location"))  # type: ignore[arg-type]


def test_what_is_new_is_read_and_what_is_unchanged_is_not(opened: Opened, tree: Path) -> None:
    found = index(opened.catalog, [str(tree)])
    assert counts(found) == {"new": 3, "foreign": 1, "records": 2}
    assert counts(index(opened.catalog, [str(tree)])) == {"unchanged": 3, "foreign": 1}
    assert places(opened) == {"in.sif": "foreign", "middle.sif": "good", "end.sif": "good"}
    assert rows(opened, "SELECT count(*) FROM record WHERE is_inside AND location_id > 0") == [(2,)]
    states = rows(
        opened,
        "SELECT l.name, e.kind FROM location l JOIN state s ON s.id = l.state_id"
        " JOIN execution e ON e.id = s.generated_by ORDER BY l.name",
    )
    assert states == [("end.sif", "run"), ("middle.sif", "run")]


def test_what_has_changed_is_read_again(opened: Opened, tree: Path) -> None:
    index(opened.catalog, [str(tree)])
    chains.run(tree / "in.sif", to=tree / "middle.sif")
    found = index(opened.catalog, [str(tree)])
    assert counts(found) == {"changed": 1, "unchanged": 2, "foreign": 1, "records": 1}


def test_what_was_changed_a_moment_ago_is_read_once_more(
    opened: Opened, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "RACY_NS", 60_000_000_000)
    index(opened.catalog, [str(tree)])
    assert index(opened.catalog, [str(tree)]).changed == 3


@pytest.mark.parametrize("renamed", ["tree", "deep", "middle.sif"])
def test_what_has_moved_is_known_again(opened: Opened, tree: Path, renamed: str) -> None:
    index(opened.catalog, [str(tree.parent)])
    old = tree if renamed == "tree" else tree / renamed
    os.rename(old, old.with_name("elsewhere"))
    found = index(opened.catalog, [str(tree.parent)])
    moved = {"tree": 3, "deep": 1, "middle.sif": 1}[renamed]
    assert (found.moved, found.new, found.vanished, found.copied) == (moved, 0, 0, 0)
    assert rows(opened, "SELECT count(*) FROM location") == [(3,)]
    opened.check_references()
    left = rows(opened, "SELECT count(*) FROM record r JOIN location l ON l.id = r.location_id")
    assert left == [(2,)]


def test_what_has_moved_out_of_the_tree_is_known_where_it_went(
    opened: Opened, tree: Path, tmp_path: Path
) -> None:
    index(opened.catalog, [str(tree)])
    os.rename(tree / "middle.sif", tmp_path / "far.sif")
    found = index(opened.catalog, [str(tmp_path / "far.sif")])
    assert counts(found) == {"moved": 1}
    assert set(places(opened)) == {"in.sif", "end.sif", "far.sif"}


def test_a_copy_is_told_and_both_stay(opened: Opened, tree: Path) -> None:
    index(opened.catalog, [str(tree)])
    (tree / "copy.sif").write_bytes((tree / "middle.sif").read_bytes())
    found = index(opened.catalog, [str(tree)])
    assert (found.copied, found.new, found.moved, found.unchanged) == (1, 0, 0, 3)
    assert places(opened)["middle.sif"] == places(opened)["copy.sif"] == "good"
    # Another name of the same file is no copy of it.
    os.link(tree / "middle.sif", tree / "linked.sif")
    found = index(opened.catalog, [str(tree)])
    assert (found.copied, found.moved) == (0, 0)


def test_a_copy_that_stands_in_a_place_for_the_first_is_moved(opened: Opened, tree: Path) -> None:
    """As when somebody copies it and removes the first: another inode, the same state."""
    index(opened.catalog, [str(tree)])
    (tree / "copy.sif").write_bytes((tree / "middle.sif").read_bytes())
    (tree / "middle.sif").unlink()
    found = index(opened.catalog, [str(tree)])
    assert (found.moved, found.copied, found.vanished) == (1, 0, 0)


def test_what_has_vanished_is_told_only_below_what_was_walked(opened: Opened, tree: Path) -> None:
    index(opened.catalog, [str(tree)])
    (tree / "deep" / "end.sif").unlink()
    (tree / "middle.sif").unlink()
    found = index(opened.catalog, [str(tree / "deep")])
    assert found.vanished == 1
    assert places(opened) == {"in.sif": "foreign", "middle.sif": "good", "end.sif": "vanished"}
    # Told once.
    assert index(opened.catalog, [str(tree)]).vanished == 1
    assert index(opened.catalog, [str(tree)]).vanished == 0
    assert rows(opened, "SELECT count(*) FROM record") == [(2,)]


def test_a_folder_that_is_gone_takes_what_was_in_it(opened: Opened, tree: Path) -> None:
    index(opened.catalog, [str(tree)])
    (tree / "deep" / "end.sif").unlink()
    (tree / "deep").rmdir()
    assert index(opened.catalog, [str(tree)]).vanished == 1
    # A path that is not there any more is told, and what was below it has vanished.
    for path in tree.iterdir():
        path.unlink()
    tree.rmdir()
    found = index(opened.catalog, [str(tree)])
    assert (found.vanished, found.failed) == (2, (str(tree),))


def test_what_cannot_be_listed_has_not_vanished(
    opened: Opened, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(opened.catalog, [str(tree)])
    real = os.open

    def refuse(path: object, *rest: object, **more: object) -> int:
        if path == str(tree / "deep"):
            raise PermissionError(13, "Permission denied")
        return real(path, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    found = index(opened.catalog, [str(tree)])
    assert (found.vanished, found.unchanged) == (0, 2)
    assert found.reasons == ((str(tree / "deep"), "cannot be looked through: Permission denied"),)


def test_pruning_forgets_what_has_vanished(opened: Opened, tree: Path) -> None:
    index(opened.catalog, [str(tree)])
    (tree / "deep" / "end.sif").unlink()
    index(opened.catalog, [str(tree)])
    found = index(opened.catalog, [str(tree)], prune=True)
    assert counts(found) == {"unchanged": 2, "foreign": 1, "forgotten": 1}
    assert set(places(opened)) == {"in.sif", "middle.sif"}
    opened.check_references()
    # What its record told stays: others may be made from it.
    assert rows(opened, "SELECT count(*) FROM record") == [(2,)]


def test_what_vanished_and_is_there_again_is_new(opened: Opened, tree: Path) -> None:
    index(opened.catalog, [str(tree)])
    os.rename(tree / "middle.sif", tree.parent / "aside.sif")
    index(opened.catalog, [str(tree)])
    os.rename(tree.parent / "aside.sif", tree / "middle.sif")
    assert counts(index(opened.catalog, [str(tree)])) == {"new": 1, "unchanged": 2, "foreign": 1}
    assert places(opened)["middle.sif"] == "good"


def test_ancestors_that_are_lost_are_known_by_what_is_embedded(opened: Opened, tree: Path) -> None:
    found = index(opened.catalog, [str(tree / "deep" / "end.sif")])
    assert counts(found) == {"new": 1, "records": 2}
    told = rows(opened, "SELECT is_inside, location_id IS NULL FROM record ORDER BY recorded_us")
    assert [tuple(map(bool, row)) for row in told] == [(False, True), (True, False)]
    # Its own container is found later.
    index(opened.catalog, [str(tree)])
    told = rows(opened, "SELECT is_inside, location_id IS NULL FROM record ORDER BY recorded_us")
    assert [tuple(map(bool, row)) for row in told] == [(True, False), (True, False)]


def test_what_is_known_is_not_parsed_again(
    opened: Opened, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(opened.catalog, [str(tree / "deep" / "end.sif")])
    parsed = []
    monkeypatch.setattr(read, "of_bytes", lambda data: parsed.append(data))
    index(opened.catalog, [str(tree)], jobs=1)
    assert parsed == []


def test_a_sidecar_and_a_metadata_container_are_read(opened: Opened, tmp_path: Path) -> None:
    folder = tmp_path / "places"
    (folder / "results").mkdir(parents=True)
    first = chains.data(folder / "in.sif", chains.INPUT)
    out = chains.data(folder / "out.sif")
    (folder / "results" / "x.txt").write_text("x")
    chains.run(first, to=out, metadata=folder / "records.sif")
    chains.run(first, folders=(folder / "results",))
    chains.run(first, to=out, metadata=folder / "many.jsonl")
    (folder / "other.jsonl").write_text(json.dumps({"a": "b" * 200}) + "\n")
    found = index(opened.catalog, [str(folder)])
    assert counts(found) == {"new": 5, "foreign": 2, "records": 3}
    assert "other.jsonl" not in places(opened)
    assert rows(opened, "SELECT count(*) FROM record WHERE is_inside") == [(0,)]
    assert counts(index(opened.catalog, [str(folder)])) == {"unchanged": 5, "foreign": 2}
    linked = rows(
        opened,
        "SELECT l.name FROM location l JOIN data_container d ON d.id = l.data_container_id"
        " ORDER BY l.name",
    )
    # What holds the records of others is none itself.
    assert linked == [("in.sif",), ("out.sif",), ("results.sifprov.jsonl",)]
    os.rename(folder / "records.sif", folder / "moved.sif")
    assert counts(index(opened.catalog, [str(folder)]))["moved"] == 1


def test_an_application_is_known_by_its_uuid(opened: Opened, tmp_path: Path) -> None:
    from sifprov.sif import FsType, PartType, add_partition, pack_partition

    path = make_sif(tmp_path / "app.sif", partition=None)
    extra = pack_partition(FsType.SQUASHFS, PartType.PRIMARY_SYSTEM, b"00\0")
    add_partition(str(path), name=b"squashfs", size=4096, extra=extra, now=1)
    with path.open("ab") as file:
        file.write(b"\0" * 8192)
    index(opened.catalog, [str(path)])
    found = rows(
        opened,
        "SELECT i.name, l.status FROM location l JOIN container_image i"
        " ON i.id = l.container_image_id WHERE l.data_container_id IS NULL",
    )
    assert found == [("app.sif", "foreign")]


def test_nothing_but_regular_files_is_opened_and_no_link_is_followed(
    opened: Opened, tree: Path, tmp_path: Path
) -> None:
    os.mkfifo(tree / "fifo.sif")
    (tree / "loop").symlink_to(tree)
    (tree / "link.sif").symlink_to(tree / "middle.sif")
    (tree / "broken.sif").symlink_to("/nowhere")
    (tmp_path / "door").symlink_to(tree)
    found = index(opened.catalog, [str(tmp_path / "door")])
    assert (found.new, found.unreadable) == (3, 0)
    # The place of a file is the true one, whatever it was named by.
    assert counts(index(opened.catalog, [str(tree)])) == {"unchanged": 3, "foreign": 1}


def test_odd_names_are_kept_apart_and_known_again(opened: Opened, tmp_path: Path) -> None:
    names = [b"a\xff.sif", b"a\\xff.sif", b"a'; DROP TABLE record; --.sif", b"\xc3\xa9.sif",
             b"new\nline.sif", b"%_.sif"]  # fmt: skip
    folder = os.fsencode(tmp_path / "odd\udcff")
    os.mkdir(folder)
    pattern = make_sif(tmp_path / "pattern.sif")
    for name in names:
        with open(os.path.join(folder, name), "wb") as file:
            file.write(pattern.read_bytes())
    found = index(opened.catalog, [os.fsdecode(folder)])
    assert (found.new + found.copied, found.unreadable) == (6, 0)
    assert opened.count("location") == 6
    assert index(opened.catalog, [os.fsdecode(folder)]).unchanged == 6
    assert "record" in opened.tables()


def test_a_file_that_changes_while_it_is_read_is_read_again(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tree / "middle.sif"
    real = load_image
    seen = []

    def load(file: BinaryIO) -> Image:
        seen.append(path.stat().st_size)
        image = real(file)
        if len(seen) == 1:
            chains.run(tree / "in.sif", to=path)
        return image

    monkeypatch.setattr(read, "load", load)
    (found,), told = Reader(lambda asked: ()).read([File(str(tree), "middle.sif", "middle.sif")])
    assert len(seen) == 2
    assert len(found.own) == 2
    assert found.state.size == path.stat().st_size
    assert {t.digest for t in told} >= set(found.own)


@pytest.mark.parametrize("jobs", [1, 3])
def test_many_are_read_by_several_processes(opened: Opened, tmp_path: Path, jobs: int) -> None:
    write(str(tmp_path), Trails(3).make(700))
    found = index(opened.catalog, [str(tmp_path)], jobs=jobs)
    assert (found.new, found.unreadable, opened.count("location")) == (700, 0, 700)
    assert opened.count("record") == found.records == 700
    assert index(opened.catalog, [str(tmp_path)], jobs=jobs).unchanged == 700


def test_what_is_read_from_files_is_what_the_records_tell(opened: Opened, tmp_path: Path) -> None:
    """Through containers, or straight: the same graph."""
    made = list(Trails(5).make(300))
    write(str(tmp_path), iter(made))
    index(opened.catalog, [str(tmp_path)])
    with opened.catalog.reading() as connection:
        through = _of_catalog(connection)
    opened.clear()
    told = [of_bytes(data) for m in made for _, data in m.records]
    Ingest(opened.catalog).put(told, {t.digest for t in told})
    with opened.catalog.reading() as connection:
        assert _of_catalog(connection) == through


def test_a_process_that_a_file_kills_costs_that_file_alone(tree: Path) -> None:
    class Fragile(Reader):
        def read(self, files: object) -> object:  # type: ignore[override]
            if any(f.name == "middle.sif" for f in files):  # type: ignore[attr-defined]
                os.kill(os.getpid(), signal.SIGKILL)
            return super().read(files)  # type: ignore[arg-type]

    from contextlib import contextmanager

    @contextmanager
    def start() -> Iterator[Reader]:
        yield Fragile(lambda asked: ())

    for number in range(300):
        make_sif(tree / f"{number}.sif")
    names = sorted(p.name for p in tree.iterdir() if p.suffix == ".sif")
    files = [File(str(tree), name, name) for name in names]
    chunks = [files[at : at + 20] for at in range(0, len(files), 20)]
    found: list[Seen] = [s for seen, _ in readers.read_all(chunks, start, 2) for s in seen]
    bad = [s for s in found if s.status == "unreadable"]
    assert [(s.file.name, s.reason) for s in bad] == [
        ("middle.sif", "the process that read it was killed")
    ]
    assert sorted(s.file.name for s in found) == names


_INDEX = (
    "import sys; from sifprov.catalog import index as it, read\n"
    "from sifprov.catalog.store import open_catalog\n"
    "read.RACY_NS = 0\n"
    "it._FILES = 32\n"
    "with open_catalog(sys.argv[1], create=True) as catalog:\n"
    "    found = it.index(catalog, [sys.argv[2]], jobs=2)\n"
    "print(found.new, found.unchanged, found.records)\n"
)


def start_index(opened: Opened, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _INDEX, opened.where, str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def test_a_killed_index_goes_on_where_it_was(opened: Opened, tmp_path: Path) -> None:
    write(str(tmp_path), Trails(4).make(1500))
    process = start_index(opened, tmp_path)
    while opened.count("location") < 100:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    there = opened.count("location")
    assert 100 <= there < 1500
    found = index(opened.catalog, [str(tmp_path)])
    assert (found.unchanged, found.new) == (there, 1500 - there)
    assert (opened.count("location"), opened.count("record")) == (1500, 1500)


def test_two_indexes_at_once_share_the_work(opened: Opened, tmp_path: Path) -> None:
    write(str(tmp_path), Trails(6).make(1500))
    both = [start_index(opened, tmp_path) for _ in range(2)]
    ended = [each.communicate(timeout=120) for each in both]
    assert [error for _, error in ended] == ["", ""]
    assert (opened.count("location"), opened.count("record")) == (1500, 1500)
    read_by = [int(out.split()[0]) for out, _ in ended]
    # Where they meet, some are read by both.
    assert sum(read_by) < 1500 * 1.5, read_by
    assert sum(int(out.split()[2]) for out, _ in ended) == 1500
    opened.check_references()
    with opened.catalog.reading() as connection:
        together = _of_catalog(connection)
    opened.clear()
    index(opened.catalog, [str(tmp_path)])
    with opened.catalog.reading() as connection:
        assert _of_catalog(connection) == together


def test_histories_through_many_writers_at_once_are_the_same(opened: Opened) -> None:
    """Each puts in half of the records in its own order."""
    history = History(Random(11))  # noqa: S311
    history.grow(60)
    program = (
        "import sys, pickle; from sifprov.catalog.ingest import Ingest\n"
        "from sifprov.catalog.store import open_catalog\n"
        "told, inside = pickle.load(sys.stdin.buffer)\n"
        "with open_catalog(sys.argv[1]) as catalog:\n"
        "    ingest = Ingest(catalog)\n"
        "    for each in told: ingest.put([each], inside & {each.digest})\n"
    )
    import pickle

    told = [of_bytes(r.to_bytes()) for r in history.records.values()]
    started = []
    for seed in range(3):
        # Every record is put in by two of the three.
        part = [t for n, t in enumerate(told) if n % 3 != seed]
        Random(seed).shuffle(part)  # noqa: S311
        process = subprocess.Popen(
            [sys.executable, "-c", program, opened.where],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        started.append((process, pickle.dumps((part, history.inside))))
    for process, data in started:
        assert process.stdin
        process.stdin.write(data)
        process.stdin.close()
        process.stdin = None
    for process, _ in started:
        assert process.communicate(timeout=120)[1] == b""
    with opened.catalog.reading() as connection:
        together = _of_catalog(connection)
    opened.clear()
    Ingest(opened.catalog).put(told, history.inside)
    with opened.catalog.reading() as connection:
        assert _of_catalog(connection) == together


def test_what_is_told_later_of_an_image_is_filled_in(opened: Opened) -> None:
    from sifprov.frozen import replace
    from sifprov.model.fact import Fact

    bare = run_record()
    assert bare.run
    ingest = Ingest(opened.catalog)
    ingest.put([of_bytes(bare.to_bytes())])
    labels = {"org.opencontainers.image.authors": "ada"}
    fact = Fact("application", {"labels": labels, "bases": [{"from": "debian:12"}]}, "x")
    run = replace(bare.run, facts=(fact,), cwd="/other")
    ingest.put([of_bytes(replace(bare, id=bare.container, run=run).to_bytes())])
    told = "SELECT creator, base_image, uuid IS NOT NULL FROM container_image"
    assert [(a, b, bool(c)) for a, b, c in rows(opened, told)] == [("ada", "debian:12", True)]


class TestVerb:
    """The command line."""

    @staticmethod
    def run(*words: str) -> Result:
        return CliRunner().invoke(main, ["index", *words], standalone_mode=False)

    def test_it_says_what_it_found(self, tree: Path, tmp_path: Path) -> None:
        place = str(tmp_path / "catalog.db")
        done = self.run(str(tree), "--catalog", place)
        assert done.return_value == 0
        assert done.stdout == (
            "3 containers and sidecars: 3 new, 0 changed, 0 unchanged, 1 foreign\n"
            f"2 new records in {place}\n"
        )
        done = self.run(str(tree), "--catalog", place, "--json")
        told = json.loads(done.stdout)
        assert (told["schema"], told["unchanged"], told["catalog"]) == (
            "sifprov.index/1", 3, place
        )  # fmt: skip
        assert self.run(str(tree), "--catalog", place, "-q").stdout == ""

    def test_what_cannot_be_read_is_told_and_costs_nothing_else(
        self, tree: Path, tmp_path: Path
    ) -> None:
        (tree / "cut.sif").write_bytes((tree / "in.sif").read_bytes()[:300])
        place = str(tmp_path / "catalog.db")
        done = self.run(str(tree), "--catalog", place)
        assert done.return_value == 0
        assert "1 unreadable" in done.stdout
        assert f"sifprov: not read: {tree}/cut.sif: descroff" in done.stderr

    def test_a_path_that_is_not_there_is_an_error(self, tree: Path, tmp_path: Path) -> None:
        done = self.run(str(tree), "/nowhere/at/all", "--catalog", str(tmp_path / "c.db"))
        assert done.return_value == 2
        assert "not read: /nowhere/at/all: No such file or directory" in done.stderr
        assert "3 new" in done.stdout


def test_the_lineage_of_many_is_unpacked_once(tmp_path: Path) -> None:
    record = run_record()
    documents = [record.to_bytes()]
    (data,) = pack_lineage(documents)
    for number in range(3):
        path = make_sif(tmp_path / f"{number}.sif")
        add_object(path, data, name=LINEAGE_NAME.encode(), group=2)
        add(path, Record.from_bytes(documents[0]))
    reader = Reader(lambda asked: ())
    files = [File(str(tmp_path), f"{n}.sif", f"{n}.sif") for n in range(3)]
    seen, told = reader.read(files)
    assert len(seen) == 3
    assert len(told) == 1
    assert sif(record.container, [(b"x", DataType.JSON, b"{}", 1)])[32:41] == b"SIF_MAGIC"
