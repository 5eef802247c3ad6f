"""docs/queries.md: its commands work and print what is shown, its tables are complete."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.brain import Brain
from tests.unit.brainfiles import write

from sifprov.catalog.questions import QUESTIONS
from sifprov.commands.query import command as query

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "queries.md").read_text(encoding="utf-8")
EXITS = re.compile(r"\s+# exits with (\d+)$")


def blocks(kind: str) -> list[str]:
    found = re.findall(rf"^```{kind}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert found
    return found


def commands() -> list[tuple[str, int, list[str]]]:
    """The commands, each with its exit code and the lines that it is shown to print."""
    found: list[tuple[str, int, list[str]]] = []
    for block in blocks("console"):
        for line in block.splitlines():
            if line.startswith("$ "):
                code = EXITS.search(line)
                typed = EXITS.sub("", line[2:])
                found.append((typed, int(code[1]) if code else 0, []))
            else:
                found[-1][2].append(line)
    return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    write(Brain(), folder)
    return folder


def run(project: Path, argv: list[str]) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        argv, cwd=project, capture_output=True, text=True, timeout=120, check=False,
        env={"PATH": path, "HOME": str(project / "home"), "TZ": "UTC", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip


def test_the_commands_and_the_python_work(project: Path) -> None:
    for typed, code, shown in commands():
        # xargs has a code of its own for a command that ends with one.
        codes = {code, 123} if code and "xargs" in typed else {code}
        done = run(project, ["bash", "-c", f"set -o pipefail; {typed}"])
        assert done.returncode in codes, f"{typed}\n{done.stdout}{done.stderr}"
        printed = done.stdout.splitlines()
        assert printed or "exit!=0" in typed or "--quiet" in typed, typed
        for line in shown:
            words = line.split()
            assert any(words == p.split()[: len(words)] for p in printed), f"{typed}\n{done.stdout}"
    for block in blocks("python"):
        done = run(project, [sys.executable, "-c", block])
        assert (done.returncode, done.stderr) == (0, "")
        assert "atlas.sif" in done.stdout


def test_the_table_has_every_question_with_every_option() -> None:
    table = TEXT.partition("## The eight questions")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(q\d)` \| .*? \| (.*) \|$", table, re.MULTILINE))
    assert list(rows) == list(QUESTIONS)
    every = {"--workflow", "--execution", "--job", "--since", "--until"}
    for name, row in rows.items():
        said = set(re.findall(r"`(--[\w-]+)`", row))
        if "those of q1" in row or row == "the same":
            said |= every
        options = {o for p in query.commands[name].params for o in p.opts if o.startswith("--")}
        own = options - {"--json", "--csv", "--limit", "--catalog"}
        assert said == (own - {"--since", "--until"} if name in ("q3", "q4") else own), name


def test_the_challenge_has_nine_queries_and_the_profile_eleven_questions() -> None:
    challenge = TEXT.partition("## The First Provenance Challenge")[2].partition("\n## ")[0]
    assert re.findall(r"^\| (\d) \|", challenge, re.MULTILINE) == list("123456789")
    assert re.findall(r"^\| CQ(\d+) \|", TEXT, re.MULTILINE) == [str(n) for n in range(1, 12)]
