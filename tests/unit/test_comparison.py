"""`sifprov compare`: the files of containers and folders."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.unit.schemas import problems

from sifprov.carrier import read_carrier
from sifprov.cli import main
from sifprov.comparison import Side, below_base
from sifprov.content import make_tree, plain_entry
from sifprov.create import create_data
from sifprov.seal import seal


def cli(*argv: str | Path) -> Result:
    return CliRunner().invoke(main, ["compare", *map(str, argv)], standalone_mode=False)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    a, b = tmp_path / "a", tmp_path / "b"
    for folder, r2, words in ((a, "0.93", "world"), (b, "0.9300001", "\x1b[31mWorld")):
        (folder / "sub").mkdir(parents=True)
        (folder / "fit.csv").write_text(f"x,r2\n1,{r2}\n")
        (folder / "sub" / "log").write_text(f"hello\n{words}\n")
        (folder / "same").write_text("same\n")
        (folder / "bytes").write_bytes(bytes([0, 1, 2, ord(r2[-1])]))
    (a / "old name").write_text("moved\n")
    (b / "new\nname").write_text("moved\n")
    (a / "only").symlink_to("x")
    (a / "kind").mkdir()
    (b / "kind").write_text("")
    return a, b


def container(folder: Path, mount: str) -> Path:
    path = folder.parent / f"{folder.name}.sif"
    create_data(str(path), mount=mount, source=str(folder))
    return path


def rows(done: Result) -> dict[str, Any]:
    document = json.loads(done.stdout)
    assert not problems("sifprov.compare/1", document)
    return {row["path"]: row for row in document["files"]}


def test_each_file_gets_its_verdict_and_what_differs(folders: tuple[Path, Path]) -> None:
    done = cli(*folders, "--json")
    assert done.return_value == 1
    found = rows(done)
    assert {path: row["verdict"] for path, row in found.items()} == {
        "bytes": "differs",
        "fit.csv": "differs",
        "kind": "differs",
        "new\nname": "new",
        "old name": "missing",
        "only": "missing",
        "same": "same",
        "sub": "same",
        "sub/log": "differs",
    }
    assert found["fit.csv"]["difference"]["numbers"]["worst"]["column"] == "r2"
    assert found["bytes"]["difference"]["bytes"] == {"count": 1, "first": 3}
    assert found["sub/log"]["difference"]["text"]["line"] == 2
    assert found["kind"]["difference"] is None
    assert found["old name"]["moved"] == "new\nname"
    assert found["only"]["moved"] is None


def test_what_is_printed_is_for_people_and_harmless(folders: tuple[Path, Path]) -> None:
    shown = cli(*folders).stdout
    assert "\x1b" not in shown and "new\\x0aname" in shown
    assert "most at line 2, column r2: 0.93 → 0.9300001" in shown
    assert "+\\x1b[31mWorld" in shown
    assert "the second has the same content as new" in shown
    assert "folder → file" in shown
    assert "2 of 9 entries are the same" in shown
    assert shown.endswith("\ndiffers\n")
    assert cli(*folders, "-q").stdout == "differs\n"
    assert "  same                sub  folder" in cli(*folders, "-a").stdout


def test_a_tolerance_makes_close_files_the_same(tmp_path: Path) -> None:
    for name, value in (("a", "1.0 2"), ("b", "1.0000001 2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "t").write_text(value)
    a, b = tmp_path / "a", tmp_path / "b"
    assert cli(a, b).return_value == 1
    done = cli(a, b, "--tolerance", "1e-6", "--json")
    assert done.return_value == 0 and rows(done)["t"]["verdict"] == "alike"
    assert cli(a, b, "--tolerance", "1e-9").return_value == 1
    # An executable file is another one, whatever its numbers.
    (b / "t").chmod(0o755)
    assert cli(a, b, "--tolerance", "1e-6").return_value == 1


def test_permissions_are_told_apart_from_contents(tmp_path: Path) -> None:
    for name, mode in (("a", 0o640), ("b", 0o644)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "t").write_text("t")
        (tmp_path / name / "t").chmod(mode)
    done = cli(tmp_path / "a", tmp_path / "b")
    assert done.return_value == 0
    assert "      mode 0640 → 0644\n" in done.stdout


@pytest.mark.parametrize("bad", ["x", "-1", "nan", "inf", ""])
def test_a_senseless_tolerance_is_told(bad: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["compare", str(tmp_path), str(tmp_path), f"--tolerance={bad}"])
    assert done.exit_code != 0
    assert "not a number from 0 on" in str(done.exception)


def test_containers_and_folders_mix(folders: tuple[Path, Path]) -> None:
    a, b = folders
    first, second = container(a, "/Inputs"), container(b, "/Outputs")
    sealed = str(first).replace("a.sif", "sealed.sif")
    seal(str(first), sealed)
    expected = {path: row["verdict"] for path, row in rows(cli(a, b, "--json")).items()}
    for one, other in ((first, second), (first, b), (a, second), (sealed, second)):
        found = rows(cli(one, other, "--json"))
        assert {path: row["verdict"] for path, row in found.items()} == expected
        assert found["fit.csv"]["difference"]["numbers"]["different"] == 1
    for same in ((first, a), (first, sealed), (first, first)):
        assert cli(*same).return_value == 0


def test_files_beside_the_mount_point_are_not_lost() -> None:
    def side(*paths: bytes) -> Side:
        tree = make_tree((plain_entry(path, stat.S_IFDIR) for path in paths), 0)
        return Side("x.sif", tree.digest, tree, lambda name: [], b"a/b/")

    inside = below_base(side(b"a", b"a/b", b"a/b/c", b"a/b/c/d"))
    assert [e.path for e in inside.tree.entries] == [b"c", b"c/d"]
    for beside in (b"x", b"a/x", b"a/bb"):
        whole = side(b"a", b"a/b", b"a/b/c", beside)
        assert below_base(whole) is whole


def test_a_record_stands_for_a_content_that_is_gone(folders: tuple[Path, Path]) -> None:
    a, b = folders
    first = container(a, "/Inputs")
    ident = read_carrier(str(first)).good[0][1].id
    then = f"{first}@{str(ident)[:6].upper()}"
    assert cli(then, first).return_value == 0
    found = rows(cli(then, b, "--json"))
    assert found == {
        path: {**row, "difference": None} for path, row in rows(cli(a, b, "--json")).items()
    }
    assert "no record" in str(cli(f"{first}@ffffff", b).exception)


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "no.sif").write_bytes(b"no SIF")
    done = CliRunner().invoke(main, ["compare", str(tmp_path), str(tmp_path / "no.sif")])
    assert done.exit_code != 0 and "no.sif" in str(done.exception)
