"""A way of two runs: it travels with its last container, says which run made which file, and its
script does it all again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.real.harness import SYSTEM_PATH
from tests.real.job import Job

FIRST = "sed s/o/0/ /Inputs/data.txt > /Outputs/half.txt"
SECOND = "sort -r /Inputs/half.txt > '/Results/it is.txt'; cp /Inputs/half.txt /Results"
# Quotes, a dollar and a newline come through all of it.
THIRD = "printf '%s' \"it's $0\n\" > /Results/third.txt; exit 5"


@pytest.fixture
def way(either: Job) -> Job:
    """input.sif → output.sif → result.sif, which two runs wrote, the second with exit code 5."""
    either.shell(FIRST).expect()
    either.cli("data", "create", "result.sif", "--free", "4M", "--mount", "/Results").expect()
    binds = ("output.sif:/Inputs:image-src=/Outputs,ro", "result.sif:/Results:image-src=/Results")
    either.exec("sh", "-c", SECOND, binds=binds).expect()
    either.exec("sh", "-c", THIRD, "a$b 'c'", binds=binds).expect(5)
    return either


def source(job: Job, name: str) -> str:
    """The folder that a container was made from."""
    return str(job.records(name)[0]["origin"]["source"])


def trail(job: Job, *arguments: str, cwd: Path | None = None) -> dict[str, Any]:
    done = job.cli("trail", "--json", *arguments, cwd=cwd).expect()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_way_travels_with_the_last_container(way: Job) -> None:
    alone = way.path("elsewhere")
    way.run(["mkdir", alone]).expect()
    way.run(["mv", "result.sif", alone]).expect()
    way.run(["mkdir", "away"]).expect()
    way.run(["mv", "input.sif", "output.sif", "away"]).expect()
    found = trail(way, "result.sif", cwd=alone)
    graph = found["graph"]
    assert [a["kind"] for a in graph["activities"]] == ["origin", "run", "run", "run"]
    standing = {e["container"]["name"]: e["standing"] for e in graph["entities"]}
    assert (standing["input.sif"], standing["output.sif"]) == ("embedded", "embedded")
    assert (standing["result.sif"], found["missing"]) == ("found", [])
    picture = way.cli("trail", "result.sif", cwd=alone).expect().stdout
    assert f"from {source(way, 'away/input.sif')}" in picture
    assert picture.count("not found here") == 3
    # Somebody's other containers of these names and places are no ancestors.
    way.run(["mkdir", "other"]).expect()
    replace(way, run=replace(way.run, folder=way.path("other"))).make("4M")
    again = trail(way, "result.sif", "--search", str(way.path("other")), cwd=alone)["graph"]
    assert [e["standing"] for e in again["entities"]] == [e["standing"] for e in graph["entities"]]
    # They are looked for below a folder, too.
    there = trail(way, "result.sif", "--search", str(way.path(".")), cwd=alone)["graph"]
    assert {e["standing"] for e in there["entities"] if e["kind"] == "data"} == {"found"}


def test_which_run_made_a_file(way: Job) -> None:
    def made(path: str) -> dict[str, Any]:
        done = way.cli("trail", "result.sif", "--json", "--file", path).expect()
        found: dict[str, Any] = json.loads(done.stdout)
        assert found["now"] == "as-listed"
        return found

    second, third = (r["id"] for r in way.records("result.sif"))
    for path in ("/Results/half.txt", "/Results/it is.txt"):
        assert [a["key"] for a in made(path)["made_by"]] == [second]
        assert made(path)["through"] == [third]
    found = made("/Results/third.txt")
    assert [a["key"] for a in found["made_by"]] == [third]
    names = [Path(u["name"]).name for u in found["made_by"][0]["used"]]
    assert names[1] == "output.sif"
    said = way.cli("trail", "result.sif", "--file", "/Results/half.txt").expect().stdout
    assert "made by run" in said
    assert "input output.sif at /Inputs" in said


def test_the_script_does_it_all_again(way: Job) -> None:
    folder = way.path("again")
    way.run(["mkdir", folder]).expect()
    way.cli("trail", "result.sif", "--script", "-o", "again.sh").expect()
    path = f"{Path(way.sifprov).parent}:{SYSTEM_PATH}"
    env = {"PATH": path, "HOME": str(way.path("."))}
    done = way.run(["sh", way.path("again.sh")], cwd=folder, env=env, timeout=240)
    done.expect()

    def digests(where: Path) -> list[str]:
        graph = trail(way, "result.sif", cwd=where)["graph"]
        runs = [a["record"] for a in graph["activities"] if a["kind"] == "run"]
        return [r["containers"][-1]["digest"] for r in runs]

    assert len(digests(folder)) == 3
    assert digests(folder) == digests(way.path("."))
    assert digests(folder)[-1] in done.stdout
    for name in ("output.sif", "result.sif"):
        way.cli("compare", name, folder / name).expect()
    # It does not write into what is there.
    again = way.run(["sh", way.path("again.sh")], cwd=folder, env=env, timeout=60)
    assert again.code == 1
    assert "is here already" in again.stderr


def test_the_script_says_what_is_missing(way: Job) -> None:
    made_from = source(way, "input.sif")
    way.run(["rm", "input.sif"]).expect()
    folder = way.path("again")
    way.run(["mkdir", folder]).expect()
    text = way.cli("trail", "result.sif", "--script").expect().stdout
    way.path("again.sh").write_text(text)
    env = {"PATH": f"{Path(way.sifprov).parent}:{SYSTEM_PATH}", "HOME": str(way.path("."))}
    done = way.run(["sh", way.path("again.sh")], cwd=folder, env=env, timeout=60)
    assert done.code == 3
    assert "missing: input.sif" in done.stderr
    assert f"sifprov data create input.sif --from {made_from} --mount /Inputs" in text
    # As it says: made again from the folder, it goes on.
    way.cli("data", "create", str(folder / "input.sif"), "--from", "data", "--mount", "/Inputs")
    way.run(["sh", way.path("again.sh")], cwd=folder, env=env, timeout=240).expect()
