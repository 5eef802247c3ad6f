"""The verbs that ask the catalog, as they are typed, and ids in place of containers."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.unit.brain import FIRST, SECOND, Brain
from tests.unit.brainfiles import write
from tests.unit.schemas import problems

import sifprov
from sifprov.catalog.index import index
from sifprov.catalog.store import open_catalog
from sifprov.cli import main
from sifprov.commands.answers import SCHEMA
from sifprov.errors import MissingError, SifprovError

BRAIN = Brain()
ATLAS = BRAIN.of[FIRST, "atlas.sif"]
RUN = str(ATLAS.generated_by)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("brain")
    write(BRAIN, folder)
    with open_catalog(str(folder / "catalog.db"), create=True) as catalog:
        index(catalog, [str(folder)], jobs=1)
    return folder


@pytest.fixture
def brain(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIFPROV_CATALOG", str(made / "catalog.db"))
    monkeypatch.chdir(made)
    return made


def run(*argv: str, input: str | None = None) -> Result:  # noqa: A002
    done = CliRunner().invoke(main, argv, input=input)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.mark.parametrize(
    "argv",
    [
        ("find", "workflow=brain"),
        ("impact", "anatomy1.sif"),
        ("query", "q1", "--job", "701"),
        ("query", "q7", "--metric", "overlap"),
        ("sql", "SELECT * FROM execution"),
    ],
)
def test_every_verb_prints_a_table_json_and_csv(brain: Path, argv: tuple[str, ...]) -> None:
    document = json.loads(run(*argv, "--json").stdout)
    assert problems(SCHEMA, document) == []
    rows = list(csv.DictReader(io.StringIO(run(*argv, "--csv").stdout)))
    assert len(rows) == len(document["rows"]) > 1
    assert list(rows[0]) and set(rows[0]) == set(document["rows"][0])
    assert len(run(*argv).stdout.splitlines()) == len(rows) + 1
    few = run(*argv, "--limit", "1")
    assert len(few.stdout.splitlines()) == 2
    assert "these are 1, and there are more" in few.stderr
    assert json.loads(run(*argv, "--limit", "1", "--json").stdout)["more"] is True


def test_an_empty_answer_says_what_was_looked_for(brain: Path) -> None:
    for argv, said in (
        (("find", "app=none.sif", "exit!=0"), "nothing found: runs with app=none.sif exit!=0"),
        (("find", "-q", "app=none.sif"), "nothing found: runs with app=none.sif"),
        (("query", "q3", "--image", "x.sif"), "nothing found: workflows with --image x.sif"),
        (("impact", "atlas-x.gif.sif"), "nothing found: what was derived from atlas-x.gif.sif"),
    ):
        done = run(*argv)
        assert (done.exit_code, done.stdout) == (0, "")
        assert said in done.stderr


def test_ids_and_paths_are_lines(brain: Path) -> None:
    assert run("find", "-q", "activity=softmean", "queue=gpu").stdout == f"{RUN}\n"
    found = run("find", "--containers", "activity=softmean").stdout.splitlines()
    assert found == [str(brain / "monday" / "atlas.sif"), str(brain / "tuesday" / "atlas.sif")]
    below = run("impact", str(brain / "monday" / "atlas.sif"), "--files").stdout.splitlines()
    assert len(below) == 6 and all(Path(path).exists() for path in below)
    runs = run("impact", "monday/atlas.sif", "--ids").stdout.split()
    assert len(runs) == 6 and RUN not in runs


@pytest.mark.parametrize(
    "text", [RUN, f"id:{RUN}", RUN.upper(), str(ATLAS.uuid), str(ATLAS.record)]
)
def test_an_id_stands_for_a_container(brain: Path, text: str) -> None:
    done = run("trail", text, "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["container"]["path"] == str(brain / "monday" / "atlas.sif")
    assert run("data", "info", text).exit_code == 0


def test_a_run_is_meant_where_one_is_asked_for(brain: Path) -> None:
    other = str(BRAIN.of[SECOND, "atlas.sif"].generated_by)
    done = run("diff", RUN, other, "--json")
    document = json.loads(done.stdout)
    assert (document["first"]["record"], document["second"]["record"]) == (RUN, other)
    said = run("annotate", RUN, "--tag", "seen=yes")
    assert f"noted about the run {RUN}" in said.stdout
    # The words are the newest record now, and the id still means the run.
    assert run("trail", RUN).exit_code == 0


def test_a_file_of_that_name_counts_first(brain: Path) -> None:
    shutil.copy("monday/atlas.sif", RUN)
    try:
        document = json.loads(run("trail", RUN, "--json").stdout)
        assert document["container"]["path"].endswith(RUN)
    finally:
        Path(RUN).unlink()


def test_what_is_not_there_any_more_is_told(brain: Path) -> None:
    away = BRAIN.of[SECOND, "atlas-x.sif"]
    Path("tuesday/atlas-x.sif").rename("tuesday/away.sif")
    try:
        for text in (str(away.uuid), str(away.generated_by)):
            with pytest.raises(MissingError, match=r"no longer at .*tuesday/atlas-x\.sif"):
                run("trail", text)
        for text in ("tree-v1:" + "f" * 64, "id:ffffffff", "11111111-1111-4111-8111-1111111111ff"):
            with pytest.raises(MissingError, match=r"no file of this name; .* nor known"):
                run("verify", text)
    finally:
        Path("tuesday/away.sif").rename("tuesday/atlas-x.sif")
    with pytest.raises(SifprovError, match=r"id:0000: \d+ ids begin so"):
        run("trail", "id:0000")


def test_without_a_catalog_a_missing_file_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIFPROV_CATALOG", str(tmp_path / "none.db"))
    with pytest.raises(MissingError, match=r"no file of this name; .* there is no catalog yet"):
        run("trail", RUN)
    for argv in (("find", "app=x"), ("impact", "x"), ("query", "q1"), ("sql", "SELECT 1")):
        with pytest.raises(MissingError, match="there is no catalog yet"):
            run(*argv)
    assert not (tmp_path / "none.db").exists()


def test_forms_do_not_go_together(brain: Path) -> None:
    for argv in (
        ("find", "--json", "--csv"), ("find", "-q", "--json"), ("find", "-q", "--containers"),
        ("impact", "x", "--files", "--csv"), ("sql", "SELECT 1", "--json", "--csv"),
    ):  # fmt: skip
        assert run(*argv).exit_code == 2


def test_the_words_and_the_questions_are_listed(brain: Path) -> None:
    words = run("find", "--words").stdout
    assert "metric.NAME" in words and words.splitlines() == sorted(words.splitlines())
    listed = run("query", "--list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == [f"q{n}" for n in range(1, 9)]


def test_impact_means_the_file_here_and_knows_it_after_a_move(
    brain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(brain / "monday")
    both = run("impact", "nowhere/../atlas.sif", "--no-copies", "-q").stdout.split()
    assert len(run("impact", "atlas.sif", "-q").stdout.split()) == 6 == len(both)
    monkeypatch.chdir(brain)
    # Not here, so both of this name.
    assert len(run("impact", "atlas.sif", "-q").stdout.split()) == 15
    Path("monday/atlas.sif").rename("moved.sif")
    try:
        assert run("impact", "moved.sif", "-q").stdout.split() == both
    finally:
        Path("moved.sif").rename("monday/atlas.sif")
    Path("no.sif").write_text("no SIF")
    with pytest.raises(MissingError, match="nothing in the catalog"):
        run("impact", "no.sif")
    Path("no.sif").unlink()


def test_sql_comes_from_standard_input_too(brain: Path) -> None:
    assert run("sql", input="SELECT count(*) AS n\nFROM person;").stdout == "n\n1\n"
    assert "CREATE TABLE execution" in run("sql", "--schema").stdout
    with pytest.raises(SifprovError, match="no SQL"):
        run("sql", input="")


def test_on_a_terminal_statements_are_answered_one_after_the_other(brain: Path) -> None:
    ours, its = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "sifprov", "sql"], stdin=its, stdout=its, stderr=its, cwd=brain,
    ) as process:  # fmt: skip
        os.close(its)
        lines = [b"SELECT 40 + 2\n", b"  AS answer;\n", b"SELEC 1;\n", b"DELETE FROM note;\n",
                 b"\x04"]  # fmt: skip
        printed = b""
        with suppress(OSError):  # the end of a terminal
            while data := os.read(ours, 4096):
                printed += data
                # A line that comes before the prompt would be lost when that changes the terminal.
                if lines and printed.endswith((b"sql> ", b"...> ")):
                    os.write(ours, lines.pop(0))
        assert process.wait(30) == 0
    os.close(ours)
    text = printed.decode().replace("\r", "")
    assert "answer\n    42\n" in text
    assert 'error: sql: near "SELEC"' in text
    assert "error: sql: not authorized" in text
    assert "Traceback" not in text


def test_the_first_two_queries_of_the_challenge(brain: Path) -> None:
    whole = run("trail", "monday/atlas-x.gif.sif", "--search", ".").stdout
    assert "anatomy1.sif" in whole and "warp4.sif" in whole and "reference.sif" in whole
    near = run("trail", "monday/atlas-x.gif.sif", "--search", ".", "--depth", "3").stdout
    assert "atlas.sif" in near and "resliced1.sif" in near
    assert "anatomy1.sif" not in near and "warp1.sif" not in near


def test_the_catalog_from_python(brain: Path) -> None:
    catalog = sifprov.Catalog(str(brain / "catalog.db"))
    assert [r["id"] for r in catalog.find("activity=softmean", "queue=gpu").dicts()] == [RUN]
    assert len(catalog.impact(Path("monday/atlas.sif"), where=["activity=slicer"]).rows) == 3
    assert catalog.query("q6", where="overlap>0.9").column("job_id") == ["701"]
    assert catalog.sql("SELECT 1 AS one").dicts() == [{"one": 1}]
    assert repr(sifprov.Catalog()) == "sifprov.Catalog()"


def test_no_database_is_imported_where_none_is_asked() -> None:
    code = (
        "import sys\nfrom sifprov.cli import main\n"
        "from sifprov.commands import find, impact, query, sql, trail\n"
        "assert not [m for m in sys.modules if m.startswith(('sqlalchemy', 'psycopg'))]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
