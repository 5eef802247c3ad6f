"""The benchmark gives every program the same command line, and the numbers mean what they say."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from tests.bench import ways
from tests.bench.jobs import JOBS, Job, Site
from tests.bench.timing import in_turn, machine, quartiles
from tests.bench.ways import Cwltool, Datalad, NotRunError, Way, run, stored_in
from tests.real.harness import plugin_state


def words_of(way: Way, job: Job, folder: Path) -> list[str]:
    """The runtime's command line as a way passes it on."""
    argv = [str(word) for word in way.argv(job)]
    if isinstance(way, Cwltool):
        arguments = json.loads((folder / "tool.cwl").read_text())["arguments"]
        return [word.replace("\\$(", "$(") for word in arguments]
    return shlex.split(argv[-1]) if isinstance(way, Datalad) else argv


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
@pytest.mark.parametrize("kind", ways.WAYS, ids=lambda kind: kind.name)
def test_every_way_gets_the_same_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Way], job: Job
) -> None:
    site = Site("/opt/bin/singularity", ("--no-privs",), "/apps/app.sif", tmp_path)
    for name in ("input.sif", "output.sif"):
        (tmp_path / name).touch()
    monkeypatch.setattr(ways, "run", lambda *argv: (0.0, ""))
    monkeypatch.setattr(ways, "peer", lambda name: Path("/peers"))
    way = kind(site)
    way.prepare(job)
    wanted = site.argv(job.script)[2:]
    assert words_of(way, job, way.folder)[-len(wanted) :] == wanted
    assert way.records


def test_each_round_has_another_order() -> None:
    seen: list[str] = []

    def task(name: str) -> float:
        seen.append(name)
        return len(seen)

    times = in_turn({n: lambda n=n: task(n) for n in "abc"}, 3)  # type: ignore[misc]
    assert {n: len(t) for n, t in times.items()} == {"a": 3, "b": 3, "c": 3}
    assert [seen[i] for i in (3, 6, 9)] == ["a", "b", "c"]
    # The first round warms up, and does not count.
    assert min(min(t) for t in times.values()) == 4
    assert quartiles([4, 1, 3, 2, 5]) == (2, 3, 4)
    assert "processors" in machine()


def test_a_way_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(NotRunError, match="exit code 3: no such thing"):
        run(["sh", "-c", "echo no such thing >&2; exit 3"], tmp_path, {"PATH": "/usr/bin:/bin"})
    with pytest.raises(NotRunError, match="No such file"):
        run([tmp_path / "none"], tmp_path, {})
    assert stored_in(tmp_path / "none") == 0
    (tmp_path / "x").write_bytes(b"x" * 5000)
    assert stored_in(tmp_path) >= 5000


def test_the_plugin_is_hidden_for_a_moment(tmp_path: Path) -> None:
    folder = tmp_path / "libexec" / "singularity" / "plugin"
    folder.mkdir(parents=True)
    (folder / "abc.meta").write_text("x")
    with plugin_state(str(tmp_path / "bin" / "singularity"), present=False):
        assert not list(folder.glob("*.meta"))
    assert (folder / "abc.meta").read_text() == "x"
