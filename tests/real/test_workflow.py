"""Workflows on real containers: by Snakemake here, and by its Slurm plugin on a real Slurm of one
node. What tests/unit/test_workflow_run.py tries on a stand-in is not tried again."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sifprov.carrier import read_carrier
from tests.real.harness import ROOT, SYSTEM_PATH, Finished, Runner
from tests.real.pages import lasting, not_printed
from tests.real.test_docs import commands
from tests.real.test_slurm import node
from tests.unit.crates import issues, of_type, read, shelf, strictest

COUNT = "cat /Inputs/data.txt | wc -l > /Count/n; echo counted"
SORT = "sort -r /Inputs/data.txt > /Sort/s; test ! -e /tmp/{mark}"
BOTH = "cat /Count/n /Sort/s > /Outputs/both; {more}"


@dataclass
class Site:
    """A folder with `input.sif`, two application containers and `w.json`."""

    run: Runner
    sifprov: str
    runtime: str
    flags: list[str]
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        bins = f"{Path(self.sifprov).parent}:{Path(self.runtime).parent}"
        self.env |= {
            "HOME": str(self.run.folder), "SIFPROV_RUNTIME": self.runtime,
            "PATH": f"{bins}:{SYSTEM_PATH}",
        }  # fmt: skip

    def __call__(self, *words: str, code: int = 0) -> Finished:
        return self.run([self.sifprov, *words], env=self.env).expect(code)

    def workflow(self, *words: str, code: int = 0) -> Finished:
        options = [f"--runtime-option={flag}" for flag in self.flags]
        return self("workflow", "run", *options, "w.json", *words, code=code)

    def lay_out(self, app: str) -> None:
        for name in ("one.sif", "two.sif"):
            self.run(["cp", app, name]).expect()
        self.fill("three\none\ntwo\n")

    def fill(self, text: str) -> None:
        self.run(["mkdir", "-p", "data"]).expect()
        self.run(["sh", "-c", "cat > data/data.txt; rm -f input.sif"], stdin=text).expect()
        self("data", "create", "-q", "input.sif", "--from", "data", "--mount", "/Inputs")

    def write(self, more: str = "true", mark: str = "none", **fields: Any) -> None:
        texts = {"count": COUNT, "sort": SORT.replace("{mark}", mark)}
        steps: list[dict[str, Any]] = [
            {
                "activity": name,
                "application": "one.sif",
                "inputs": [{"file": "input.sif"}],
                "outputs": [{"name": name, "mount": f"/{name.capitalize()}", "free": "4M"}],
                "command": ["sh", "-c", text],
                "minutes": 2,
            }
            for name, text in texts.items()
        ]
        steps.append({
            "activity": "both",
            "application": "two.sif",
            "inputs": [{"output": "count"}, {"output": "sort"}],
            "outputs": [{"name": "both", "free": "4M"}],
            "command": ["sh", "-c", BOTH.replace("{more}", more)],
            "minutes": 2,
        })  # fmt: skip
        what = {"schema": "sifprov.workflow/1", "name": "w", "steps": steps, **fields}
        self.run(["sh", "-c", "cat > w.json"], stdin=json.dumps(what)).expect()

    def shown(self, code: int = 0) -> dict[str, Any]:
        """The last execution."""
        found: dict[str, Any] = json.loads(
            self("workflow", "show", "w.json", "--json", code=code).stdout
        )["executions"][-1]
        return found

    def fact(self, name: str, fact: str) -> dict[str, Any]:
        """A fact of the newest run in a container."""
        carrier = read_carrier(str(self.run.folder / name), embedded=False)
        *_, run = (r.run for _, r in carrier.good if r.run)
        value: Any = next(f.value for f in run.facts if f.name == fact)
        return dict(value)

    def cat(self) -> str:
        return self("data", "cat", "both.sif", "/Outputs/both").stdout


@pytest.fixture
def site(
    run_as: Runner, singularity: str, sifprov: str, busybox_sif: str, exec_flags: list[str]
) -> Site:
    here = Path(sifprov).parent
    if not (here / "snakemake").exists():
        pytest.skip(f"the user cannot read {ROOT}, and so not the Snakemake there")
    made = Site(run_as, sifprov, singularity, exec_flags)
    made.lay_out(busybox_sif)
    return made


def told_as_a_crate(site: Site, tmp_path: Path) -> None:
    """The last execution of the workflow, as the standards' own programs see it."""
    site("export", "both.sif", "--format", "ro-crate", "-o", "crate")
    crate = site.run.folder / "crate"
    metadata = json.loads((crate / "ro-crate-metadata.json").read_bytes())
    assert strictest(metadata) == "provenance-run-crate-0.5"
    assert issues(crate, strictest(metadata), shelf(tmp_path)) == []
    found = read(crate)
    assert found.mainEntity["name"] == "w"
    assert {step["name"] for step in found.mainEntity["step"]} == {"count", "sort", "both"}
    whole = [a for a in of_type(found, "CreateAction") if a["instrument"] == found.mainEntity]
    assert site.shown()["id"] in {a["sifprov:workflow_id"] for a in whole}


def test_a_workflow_runs_goes_on_and_is_replayed(site: Site, tmp_path: Path) -> None:
    mark = f"sifprov-{os.getpid()}"
    site.write(mark=mark)
    done = site.workflow("--jobs", "2")
    assert "w: 3 steps run; execution" in done.stdout
    assert site.cat() == "3\ntwo\nthree\none\n"
    parts = {name: site.fact(f"{name}.sif", "workflow") for name in ("count", "sort", "both")}
    assert {p["composition"] for p in parts.values()} == {"hybrid"}
    assert {p["id"] for p in parts.values()} == {site.shown()["id"]}
    assert site("verify", "both.sif").stdout.endswith("both.sif: good\n")
    assert "activity sort" in site("trail", "both.sif").stdout
    # Nothing to do; then one input is another one, and one step fails.
    assert "all 3 steps are up to date" in site.workflow().stdout
    site.fill("four\none\ntwo\n")
    before = site.fact("sort.sif", "workflow")
    (Path("/tmp") / mark).touch()
    try:
        ended = site.workflow("--jobs", "1", code=4)
    finally:
        (Path("/tmp") / mark).unlink()
    assert "step 'sort': ended with 1" in ended.stderr
    assert site.fact("sort.sif", "workflow") == before
    assert site.fact("sort.failed.sif", "workflow")["activity"] == "sort"
    assert site.shown(code=1)["state"] == "failed"
    site.workflow()
    assert site.cat() == "3\ntwo\none\nfour\n"
    assert site.shown()["state"] == "complete"
    replay = ["rerun", "both.sif", "--from-origin", "--engine", "snakemake", "--json"]
    found = json.loads(site(*replay).stdout)
    assert (found["verdict"], len(found["steps"])) == ("same", 3)
    told_as_a_crate(site, tmp_path)
    # For those who want only the workflow.
    site("export", "both.sif", "--format", "snakemake", "-o", "again/")
    plain = ["sh", "-c", "cd again && snakemake --cores 2"]
    site.run(plain, env=site.env).expect()
    assert site("compare", "both.sif", "again/both.sif").stdout.endswith("same\n")


def test_an_interrupted_workflow_goes_on_in_a_fine_composition(site: Site) -> None:
    waits = "i=0; while [ -e /tmp/{mark} ] && [ $i -lt 300 ]; do sleep 0.1; i=$((i+1)); done"
    mark = Path(f"/tmp/sifprov-hold-{os.getpid()}")
    site.write(more=waits.replace("{mark}", mark.name), composition="fine")
    mark.touch()
    argv = [site.sifprov, "workflow", "run", "w.json"]
    argv[3:3] = [f"--runtime-option={flag}" for flag in site.flags]
    words = [f"{name}={value}" for name, value in site.env.items()]
    as_them = [] if site.run.is_root else ["setpriv", "--reuid", site.run.user, "--clear-groups"]
    process = subprocess.Popen(
        [*as_them, "env", *words, *argv], cwd=site.run.folder, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        part = site.run.folder / ".both.sif.part"
        end = time.monotonic() + 60
        while not part.exists():
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        mark.unlink(missing_ok=True)
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == 130, err
    assert "interrupted" in err
    assert not (site.run.folder / "both.sif").exists()
    assert site.shown(code=1)["state"] == "interrupted"
    first = site.shown(code=1)["id"]
    site.workflow()
    assert site.shown()["id"] == first == site.fact("count.sif", "workflow")["id"]
    assert site.shown()["state"] == "complete"
    assert site.fact("both.sif", "workflow")["composition"] == "fine"


def test_the_page_can_be_typed(
    run_as: Runner, singularity: str, sifprov: str, busybox_sif: str
) -> None:
    if not (Path(sifprov).parent / "snakemake").exists():
        pytest.skip(f"the user cannot read {ROOT}, and so not the Snakemake there")
    page = (ROOT / "docs" / "workflows.md").read_text(encoding="utf-8")
    files = re.findall(r"(?s)`(\w+\.json)`[^\n]*:\n\n```json\n(.*?)```", page)
    assert [name for name, _ in files] == ["wf.json", "knn.json", "example.json"]
    for name, text in files:
        run_as(["sh", "-c", f"cat > {name}"], stdin=text).expect()
    (run_as.folder / "app.sif").symlink_to(busybox_sif)
    path = f"{Path(sifprov).parent}:{Path(singularity).parent}:{SYSTEM_PATH}"
    env = {"PATH": path, "HOME": str(run_as.folder), "SIFPROV_RUNTIME": singularity}
    for command, codes, shown in commands("docs/workflows.md"):
        done = run_as(["bash", "-c", command], env=env)
        assert done.code in codes, f"{command}\n{done.stdout}{done.stderr}"
        printed = done.stderr + done.stdout
        assert not_printed(lasting("\n".join(shown)), printed) == [], f"{command}\n{printed}"


PROFILE = """executor: slurm
jobs: 4
slurm-no-account: true
# There is no accounting here: the controller itself is asked.
slurm-status-command: squeue
slurm-init-seconds-before-status-checks: 1
seconds-between-status-checks: 1
latency-wait: 5
"""


@pytest.mark.timeout(500)
def test_a_workflow_on_slurm(site: Site, shared_folder: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("a Slurm of our own wants root")
    folder = site.run.folder
    site.write(composition="coarse")
    site.run(["mkdir", "mysite", "bin"]).expect()
    site.run(["sh", "-c", "cat > mysite/config.yaml"], stdin=PROFILE).expect()
    with node(shared_folder / "slurm-workflow", "") as conf:
        # Snakemake takes all SLURM_… away from the srun in its jobs, which then looks in /etc.
        srun = f'#!/bin/sh\nSLURM_CONF={conf} exec {shutil.which("srun")} "$@"\n'
        site.run(["sh", "-c", "cat > bin/srun; chmod +x bin/srun"], stdin=srun).expect()
        site.env |= {"SLURM_CONF": str(conf), "PATH": f"{folder}/bin:{site.env['PATH']}"}
        done = site.workflow("--profile", f"{folder}/mysite")
        assert "w: 3 steps run" in done.stdout
        assert site.cat() == "3\ntwo\nthree\none\n"
        batch = {name: site.fact(f"{name}.sif", "batch") for name in ("count", "sort", "both")}
        assert {b["system"] for b in batch.values()} == {"slurm"}
        assert {b["cluster"] for b in batch.values()} == {"sifprov"}
        shown = site.shown()
        assert (shown["state"], shown["engine"]["executor"]) == ("complete", "profile")
        assert shown["id"] == site.fact("both.sif", "workflow")["id"]
        assert "all 3 steps are up to date" in site.workflow("--executor", "slurm").stdout
        replay = site(
            "rerun", "count.sif", "--engine", "snakemake", "--profile", f"{folder}/mysite", "--json"
        )
        assert json.loads(replay.stdout)["verdict"] == "same"
        assert site.fact("count.rerun-1.sif", "batch")["system"] == "slurm"
        # The whole trail: what was between is gone.
        for name in ("count.sif", "sort.sif", "count.rerun-1.sif"):
            (folder / name).unlink()
        replay = site(
            "rerun", "both.sif", "--from-origin", "--engine", "snakemake",
            "--profile", f"{folder}/mysite", "--keep", "--json",
        )  # fmt: skip
        whole = json.loads(replay.stdout)
        assert (whole["verdict"], len(whole["steps"])) == ("same", 3)
        made = [*folder.glob("both.rerun-*.sif"), *folder.glob("both.rerun-*.parts/*.sif")]
        jobs = {site.fact(str(path.relative_to(folder)), "batch")["job"] for path in made}
        assert (len(made), len(jobs)) == (3, 3)
