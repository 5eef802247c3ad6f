"""Looking through folders for containers: what counts, in which order, and hostile trees."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from pathlib import Path
from uuid import UUID

import pytest
from tests.unit.sifs import APP, IN, OUT, make_sif

from sifprov.places import Place, Places


def looked(*folders: Path, deep: bool = True, limit: int = 1000) -> tuple[list[str], list[str]]:
    """The paths that are found, and the notes."""
    places = Places([Place(str(f), deep) for f in folders], limit=limit)
    return [sif.path for _, found in places for sif in found], places.notes


def sif(path: Path, uuid: UUID = OUT) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(make_sif(path, uuid=uuid))


def test_files_of_a_folder_come_before_what_is_below_it(tmp_path: Path) -> None:
    paths = [sif(tmp_path / name) for name in ("b.sif", "z", "a/c.sif", "a/b/.hidden", "c/x.sif")]
    wanted = [paths[0], paths[1], paths[2], paths[3], paths[4]]
    assert looked(tmp_path) == (wanted, [])
    assert looked(tmp_path, deep=False) == (wanted[:2], [])


def test_a_file_counts_where_it_comes_first(tmp_path: Path) -> None:
    first = sif(tmp_path / "1/a.sif")
    os.link(first, tmp_path / "1/b.sif")
    (tmp_path / "2").mkdir()
    os.link(first, tmp_path / "2/c.sif")
    (tmp_path / "2/d.sif").symlink_to("../1/a.sif")
    other = sif(tmp_path / "2/e.sif")
    assert looked(tmp_path / "1", tmp_path / "2", tmp_path)[0] == [first, other]
    # The folder itself first, and then again with what is below it.
    below = sif(tmp_path / "1/below/f.sif", IN)
    places = Places([Place(str(tmp_path / "1"), False), Place(str(tmp_path / "1"), True)])
    assert [[s.path for s in found] for _, found in places] == [[first], [below]]
    assert list(places.with_uuid(IN)) == [below]
    assert list(places.with_uuid(APP)) == []


def test_no_folder_is_walked_twice(tmp_path: Path) -> None:
    first = sif(tmp_path / "a/b/1.sif")
    folders = [tmp_path, tmp_path / "a", tmp_path / "a/b", tmp_path]
    assert looked(*folders, limit=3) == ([first], [])


def test_links_to_files_count_and_links_to_folders_do_not(tmp_path: Path) -> None:
    sif(tmp_path / "store/x")
    (tmp_path / "work/sub").mkdir(parents=True)
    (tmp_path / "work/data.sif").symlink_to("../store/x")
    (tmp_path / "work/sub/up").symlink_to("..")
    (tmp_path / "work/sub/store").symlink_to("../../store")
    (tmp_path / "work/self").symlink_to("self")
    (tmp_path / "work/gone").symlink_to("nowhere")
    assert looked(tmp_path / "work") == ([str(tmp_path / "work/data.sif")], [])
    # The folder that is named may be a link.
    (tmp_path / "named").symlink_to("store")
    assert looked(tmp_path / "named")[0] == [str(tmp_path / "named/x")]


def test_what_is_no_sif_is_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.sif")
    (tmp_path / "to-fifo.sif").symlink_to("fifo.sif")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.sif"))
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "tty").symlink_to("/dev/tty")
    (tmp_path / "empty.sif").write_bytes(b"")
    (tmp_path / "text.sif").write_text("no SIF at all\n" * 1000)
    (tmp_path / "cut.sif").write_bytes(Path(sif(tmp_path / "good.sif")).read_bytes()[:200])
    done: list[tuple[list[str], list[str]]] = []
    thread = threading.Thread(target=lambda: done.append(looked(tmp_path)), daemon=True)
    thread.start()
    thread.join(10)
    assert done == [([str(tmp_path / "good.sif")], [])]


def test_the_number_of_entries_has_a_limit_and_that_is_told(tmp_path: Path) -> None:
    for number in range(30):
        sif(tmp_path / f"{number % 3}/{number:02}.sif")
    found, notes = looked(tmp_path, limit=20)
    assert len(found) == 17  # three of the entries are folders
    assert len(notes) == 1
    assert "more than 20 files and folders" in notes[0] and str(tmp_path / "1") in notes[0]
    assert looked(tmp_path, limit=33) == (looked(tmp_path)[0], [])
    # The limit is one for all places together.
    assert len(looked(tmp_path / "0", tmp_path / "1", tmp_path / "2", limit=10)[1]) == 1


def test_a_very_deep_tree(tmp_path: Path) -> None:
    """Deeper than a path may be long; nothing recurses."""
    at = os.open(tmp_path, os.O_RDONLY)
    name = "f" * 200
    for _ in range(30):
        os.mkdir(name, dir_fd=at)
        below = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    top = sif(tmp_path / "z.sif")
    found, notes = looked(tmp_path, limit=10_000)
    assert found == [top]
    assert len(notes) == 1 and "File name too long" in notes[0]
    shutil.rmtree(tmp_path / name)


def test_folders_that_cannot_be_looked_through_are_told_by_name_and_then_counted(
    tmp_path: Path,
) -> None:
    good = sif(tmp_path / "good.sif")
    missing = [tmp_path / f"missing-{n}" for n in range(5)]
    found, notes = looked(*missing, tmp_path)
    assert found == [good]
    assert len(notes) == 4 and "missing-2" in notes[2] and "more folders" in notes[3]


def test_what_vanishes_meanwhile_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [sif(tmp_path / f"{n}.sif") for n in (1, 3)]
    gone = Path(sif(tmp_path / "2.sif"))
    (tmp_path / "sub").mkdir()
    real = os.stat

    def stat(path: str | int, *args: object, **named: object) -> os.stat_result:
        if path == "2.sif" and gone.exists():
            gone.unlink()
            (tmp_path / "sub").rmdir()
        return real(path, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", stat)
    found, notes = looked(tmp_path)
    assert found == kept
    assert len(notes) == 1 and "No such file" in notes[0]


def test_what_becomes_something_else_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is a FIFO when it is opened, and a folder that is a link by then."""
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    sif(tmp_path / "elsewhere/secret.sif")
    first, second = sif(tree / "1.sif"), Path(sif(tree / "2.sif"))
    real = os.stat

    def stat(path: str | int, *args: object, **named: object) -> os.stat_result:
        status = real(path, *args, **named)  # type: ignore[arg-type]
        if path == "2.sif":
            second.unlink()
            os.mkfifo(second)
            (tree / "sub").rmdir()
            (tree / "sub").symlink_to(tmp_path / "elsewhere")
        return status

    monkeypatch.setattr(os, "stat", stat)
    done: list[tuple[list[str], list[str]]] = []
    thread = threading.Thread(target=lambda: done.append(looked(tree)), daemon=True)
    thread.start()
    thread.join(10)
    assert done and done[0][0] == [first]
    assert len(done[0][1]) == 1 and "/sub: cannot be looked through" in done[0][1][0]


def test_nothing_is_walked_before_it_is_asked_for(tmp_path: Path) -> None:
    first, second = sif(tmp_path / "1/a.sif"), tmp_path / "2"
    places = Places([Place(str(tmp_path / "1"), True), Place(str(second), True)])
    assert next(places.with_uuid(OUT)) == first
    assert places.notes == []  # the second is not there
    assert list(places.with_uuid(OUT)) == [first]
    assert len(places.notes) == 1
    assert list(places.with_uuid(OUT)) == [first]
    assert len(places.notes) == 1


def test_progress_is_told(tmp_path: Path) -> None:
    for number in range(2100):
        (tmp_path / str(number)).touch()
    said: list[str] = []
    assert [list(found) for _, found in Places([Place(str(tmp_path), True)], said.append)] == [[]]
    assert len(said) == 2 and "2048 files" in said[1]
