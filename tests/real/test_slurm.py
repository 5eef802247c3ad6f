"""Job arrays on a real Slurm of one node, with the scripts of docs/slurm.md."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sifprov.records import read_records
from sifprov.sif import open_image
from tests.real.harness import ROOT, SYSTEM_PATH, Runner

pytestmark = pytest.mark.not_for(user="root")

RATES = ("0.30", "0.36", "0.42", "0.48", "0.54", "0.60")
# It does not heed the SIGTERM that comes first.
STUBBORN = 'trap "" TERM; echo half > /Outputs/fit.txt; while :; do sleep 0.2; done'
RUN = "exec sifprov exec --in input.sif --out $SLURM_JOB_NAME.sif app.sif sh -c"
# Slurm kills what is left after KillWait (5 s there), and looks for time limits every 30 s.
_PATIENCE = 100.0


def scripts() -> list[str]:
    """The shell scripts of the page: the array, the gathering, the epilog."""
    page = (ROOT / "docs" / "slurm.md").read_text(encoding="utf-8")
    return re.findall(r"(?ms)^```bash\n(#!.*?)^```", page)


class Cluster:
    """One user's view of the node."""

    def __init__(self, run: Runner, conf: Path, sifprov: str, runtime: str) -> None:
        self.run = run
        bins = f"{Path(sifprov).parent}:{Path(runtime).parent}"
        self.env = {
            "SLURM_CONF": str(conf), "HOME": str(run.folder), "SIFPROV_RUNTIME": runtime,
            "PATH": f"{bins}:{SYSTEM_PATH}",
        }  # fmt: skip

    def __call__(self, *argv: str) -> str:
        return self.run(argv, env=self.env).expect().stdout.strip()

    def submit(self, *argv: str) -> str:
        """Returns the job's id."""
        return self("sbatch", "--parsable", *argv)

    def jobs(self, *options: str) -> str:
        return self("squeue", "-h", *options)

    def wait(self, *jobs: str) -> None:
        """Waits for the end of jobs."""
        end = time.monotonic() + _PATIENCE
        while left := self.jobs("-j", ",".join(jobs)):
            assert time.monotonic() < end, left
            time.sleep(0.3)

    def state(self, job: str) -> str:
        """What became of a job that ended."""
        return str(re.findall(r"JobState=(\w+)", self("scontrol", "show", "job", job))[0])

    def listed(self, verb: str) -> list[dict[str, Any]]:
        """The rows of `ps` or `log`."""
        rows: list[dict[str, Any]] = json.loads(self("sifprov", verb, "--json"))["rows"]
        return rows

    def record(self, name: str) -> dict[str, Any] | None:
        """The record of the only run that filled a container, if it is there."""
        with open_image(str(self.run.folder / name)) as (file, image):
            stored = [row.record for row in read_records(file, image)]
        runs = [json.loads(record.to_bytes()) for record in stored if record and record.run]
        assert len(runs) < 2
        return runs[0] if runs else None

    def batch(self, name: str) -> dict[str, str]:
        """What the record says of the job."""
        record = self.record(name)
        assert record, f"{name}: no record"
        fact = record["run"]["facts"]["batch"]
        assert fact["source"] == "environment"
        value: dict[str, str] = fact["value"]
        return value


@contextmanager
def node(folder: Path, more: str) -> Iterator[Path]:
    """A Slurm of one node. Yields its slurm.conf."""
    tool = ROOT / "tools" / "slurm-node"
    done = subprocess.run(
        [tool, "start", folder],
        input=more,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    daemons = {p.name: int(p.read_text()) for p in folder.glob("*.pid")}
    assert set(daemons) == {"slurmctld.pid", "slurmd.pid", "munged.pid"}
    try:
        yield folder / "slurm.conf"
    finally:
        done = subprocess.run(
            [tool, "stop", folder], capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 0, done.stderr
    left = [name for name, pid in daemons.items() if _lives(pid)]
    assert not left, left


def _lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.timeout(600)
def test_a_job_array(
    run_as: Runner, plugin: str, sifprov: str, busybox_sif: str, shared_folder: Path
) -> None:
    if os.getuid() != 0:
        pytest.skip("a Slurm of our own wants root")
    sweep, gather, epilog = scripts()
    folder = run_as.folder
    # The epilog gives a killed run its record; the user's home is that of the test here.
    login = 'runuser -l "$SLURM_JOB_USER" -c'
    assert login in epilog
    home = f"env HOME={folder} PATH={Path(sifprov).parent}:{SYSTEM_PATH} sh -c"
    hook = folder / "epilog"
    hook.write_text(epilog.replace(login, f'runuser -u "$SLURM_JOB_USER" -- {home}'))
    hook.chmod(0o755)
    _prepare(run_as, sifprov, busybox_sif, sweep, gather)
    with node(shared_folder / "slurm", f"Epilog={hook}\n") as conf:
        slurm = Cluster(run_as, conf, sifprov, plugin)
        _killed_jobs(slurm, _arrays(slurm, plugin, sweep))


def _prepare(run: Runner, sifprov: str, app: str, sweep: str, gather: str) -> None:
    """The files of the page."""
    assert "--array=1-200%32" in sweep
    texts = {
        "sweep.sh": sweep.replace("1-200%32", f"1-{len(RATES)}%4"), "gather.sh": gather,
        "rates.txt": "\n".join(RATES) + "\n",
        ".config/sifprov/config.ini": "[capture]\nhost = yes\nlive = yes\n",
        # Short: few steps.
        "data/model.awk": (ROOT / "scenarios/sweep/model.awk").read_text().replace("= 500", "= 20"),
    }  # fmt: skip
    run(["mkdir", "-p", "data", "logs", "fits", ".config/sifprov"]).expect()
    for name, text in texts.items():
        run(["sh", "-c", f"cat > {name}"], stdin=text).expect()
    run(["cp", app, "app.sif"]).expect()
    run([ROOT / "scenarios/sweep/make_data.py", "data"]).expect()
    run([sifprov, "data", "create", "input.sif", "--from", "data", "--mount", "/Inputs"]).expect()


def _arrays(slurm: Cluster, runtime: str, sweep: str) -> list[str]:
    """An array by the wrapper, while two stubborn jobs run, and one by the plugin."""
    folder = slurm.run.folder
    # These two run all the while: what waits for them in the spool is left alone.
    stubborn = f"{RUN} '{STUBBORN}'"
    late = slurm.submit("-J", "late", "-o", "logs/late", "--wrap", stubborn)
    stopped = slurm.submit("-J", "stopped", "--array=3", "-o", "logs/stopped", "--wrap", stubborn)
    array = slurm.submit("sweep.sh")
    gathered = slurm.submit(f"--dependency=afterok:{array}", "gather.sh")
    # The same by the plugin alone.
    for rate in RATES[:2]:
        slurm("sifprov", "data", "create", "-q", f"plain-{rate}.sif", "--free", "64K",
              "--mount", "/Outputs")  # fmt: skip
    plain = re.sub(
        r"(?s)exec sifprov exec.*?app\.sif",
        f"exec {runtime} exec -B input.sif:/Inputs:image-src=/Inputs "
        '-B "plain-$rate.sif:/Outputs:image-src=/Outputs" app.sif',
        sweep.replace("1-200%32", "1-2"),
    )
    slurm.run(["sh", "-c", "cat > plain.sh"], stdin=plain).expect()
    by_plugin = slurm.submit("plain.sh")
    slurm.wait(array, gathered, by_plugin)
    logs = {p.name: p.read_text() for p in (folder / "logs").iterdir() if p.stat().st_size}
    assert not logs, logs
    node = slurm.jobs("-j", late, "-o", "%N").split()[0]
    digests = set()
    for number, rate in enumerate(RATES, 1):
        for kind, job, name in (("wrapper", array, f"fits/{rate}.sif"),
                                ("plugin", by_plugin, f"plain-{rate}.sif")):  # fmt: skip
            if kind == "plugin" and number > 2:
                continue
            record = slurm.record(name)
            assert record
            assert record["captured_by"]["kind"] == kind
            assert f"rate={rate}" in record["run"]["command"]
            (source,) = (c for c in record["containers"] if c["role"] == "input")
            digests.add(source["digest"])
            batch = slurm.batch(name)
            assert batch.pop("job").isdigit()
            # The plugin's helper takes the settings of the home in the password database.
            assert batch.pop("node", None) == (node if kind == "wrapper" else None)
            batch.pop("process", None)
            assert batch == {
                "system": "slurm", "cluster": "sifprov", "name": "sweep", "partition": "short",
                "array_job": job, "task": str(number),
            }  # fmt: skip
    assert len(digests) == 1
    trail = slurm("sifprov", "trail", "--collapse", "result.sif")
    assert f"batch job {gathered}, name gather, partition short, node {node}" in trail
    assert f"batch job {array}_1, name sweep" in trail
    table = slurm("sifprov", "data", "cat", "result.sif", "/Outputs/table.txt")
    assert len(table.splitlines()) == len(RATES)
    # Six epilogs and more have called `flush` meanwhile.
    assert slurm.record("late.sif") is None
    assert slurm.record("stopped.sif") is None
    going = slurm.listed("ps")
    assert {row["job"] for row in going} == {f"{stopped}_3", late}
    assert {row["host"] for row in going} == {node}
    known = {row["job"]: row for row in slurm.listed("log") if row["outcome"] == "good"}
    tasks = {f"{array}_{number}" for number in range(1, len(RATES) + 1)}
    assert tasks | {gathered, f"{by_plugin}_1", f"{by_plugin}_2"} <= known.keys()
    assert known[f"{array}_2"]["outputs"] == [f"{RATES[1]}.sif"]
    return [late, stopped]


def _killed_jobs(slurm: Cluster, jobs: list[str]) -> None:
    """scancel and the time limit kill all of a job's processes; the epilog's `flush` finds what
    they left. A command that ends by SIGTERM is recorded at once."""
    late, stopped = jobs
    polite = slurm.submit(
        "-J", "polite", "--array=1", "-o", "logs/polite", "--wrap",
        f"{RUN} 'echo half > /Outputs/fit.txt; echo begun >&2; sleep 100'",
    )  # fmt: skip
    begun = slurm.run.folder / "logs" / "polite"
    end = time.monotonic() + _PATIENCE
    while not (begun.exists() and "begun" in begun.read_text()):
        assert time.monotonic() < end
        time.sleep(0.1)
    slurm("scancel", f"{stopped}_3", f"{polite}_1")
    # Its time is over now: no limit is shorter than a minute.
    slurm("scontrol", "update", f"JobId={late}", "EndTime=now")
    slurm.wait(*jobs, polite)
    assert slurm.state(late) == "TIMEOUT"
    assert slurm.state(stopped) == slurm.state(polite) == "CANCELLED"
    record = slurm.record("polite.sif")
    assert record
    assert (record["run"]["outcome"], record["run"]["signal"]) == ("signaled", 15)
    for name, fields in {
        "late": {"job": late}, "stopped": {"array_job": stopped, "task": "3"},
    }.items():  # fmt: skip
        # An epilog may go on when the job is over for squeue.
        while (record := slurm.record(f"{name}.sif")) is None:
            assert time.monotonic() < end, slurm("sifprov", "flush", "--list")
            time.sleep(0.3)
        assert (record["run"]["outcome"], record["run"]["exit_code"]) == ("unknown", None)
        assert fields.items() <= slurm.batch(f"{name}.sif").items()
    assert json.loads(slurm("sifprov", "flush", "--list", "--json")) == _nothing(slurm)
    assert slurm.listed("ps") == []
    known = {row["job"]: row["outcome"] for row in slurm.listed("log")}
    assert (known[late], known[f"{stopped}_3"], known[f"{polite}_1"]) == (
        "unknown", "unknown", "signal 15",
    )  # fmt: skip


def _nothing(slurm: Cluster) -> object:
    """What `flush --list --json` says where nothing ever waited."""
    empty = {**slurm.env, "XDG_STATE_HOME": str(slurm.run.folder / "none")}
    done = slurm.run(["sifprov", "flush", "--list", "--json"], env=empty).expect()
    return json.loads(done.stdout)
