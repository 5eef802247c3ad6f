"""A parameter sweep of short runs side by side, bare and recorded: `make bench-sweep`.

The runs are those of scenarios/sweep: one input that all share, an output each, started by
`xargs -P`. Bare, with the plugin and by `sifprov exec` in turn, in another order each round. When
the processors are full it is their time that counts, not how long one run waits: so the table has
both. The exit code is 1 when recording makes the sweep more than 1.3 times as long, or a run was
not recorded.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sifprov.create import create_data
from sifprov.records import read_records
from sifprov.sif import open_image
from sifprov.sizes import parse_size
from tests.bench.jobs import LACKS_CAPABILITY, copy, plugin_installed, tool
from tests.bench.peers import ROOT
from tests.bench.timing import machine, quartiles
from tests.bench.ways import BARE, PLUGIN, WRAPPER
from tests.real.harness import plugin_state

MOST = 1.3
# Loop devices that the runtimes use of a machine, and those that a run takes.
LOOPS, EACH = 256, 3


class Took(NamedTuple):
    """Seconds of one sweep: by the clock, and of processors in all its processes."""

    wall: float
    processor: float


@dataclass(frozen=True)
class Sweep:
    """What a sweep works on: `input.sif` and an empty `output.sif` in `folder`."""

    runtime: str
    app: str
    flags: tuple[str, ...]
    folder: Path
    runs: int
    jobs: int
    steps: int

    @property
    def rates(self) -> list[str]:
        return [f"{0.2 + 0.4 * n / self.runs:.4f}" for n in range(1, self.runs + 1)]

    def argv(self, way: str) -> list[str]:
        program = [self.runtime, "exec"]
        if way == WRAPPER:
            sifprov = str(Path(sys.executable).with_name("sifprov"))
            program = [sifprov, "exec", "--runtime", self.runtime]
        return [
            *("xargs", "-P", str(self.jobs), "-I", "{}", *program, *self.flags),
            *("-B", "input.sif:/Inputs:image-src=/Inputs,ro"),
            *("-B", "fits/{}.sif:/Outputs:image-src=/Outputs"),
            *(self.app, "awk", "-v", "rate={}", "-v", f"steps={self.steps}"),
            *("-f", "/Inputs/model.awk", "/Inputs/observed.txt"),
        ]

    def once(self, way: str) -> Took:
        """Runs all of it in one way, with fresh outputs. Raises SystemExit when a run failed, or
        was not recorded as it should be."""
        outputs = self.folder / "fits"
        shutil.rmtree(outputs, ignore_errors=True)
        outputs.mkdir()
        for rate in self.rates:
            copy(self.folder / "output.sif", outputs / f"{rate}.sif")
        env = {
            "HOME": str(self.folder / "home"), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"
        }  # fmt: skip
        with plugin_state(self.runtime, present=way == PLUGIN):
            before, began = _processor(), time.perf_counter()
            done = subprocess.run(
                self.argv(way), input="\n".join(self.rates), text=True, cwd=self.folder, env=env,
                capture_output=True, timeout=1800, check=False,
            )  # fmt: skip
            took = Took(time.perf_counter() - began, _processor() - before)
        if done.returncode or done.stderr:
            raise SystemExit(f"{way}: exit code {done.returncode}: {done.stderr[-2000:]}")
        recorded = sum(_recorded(outputs / f"{rate}.sif", rate) for rate in self.rates)
        if recorded != (0 if way == BARE else self.runs):
            raise SystemExit(f"{way}: {recorded} of {self.runs} runs are recorded")
        return took


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _recorded(path: Path, rate: str) -> bool:
    with open_image(str(path)) as (file, image):
        records = [row.record for row in read_records(file, image)]
    return any(r and r.run and f"rate={rate}" in r.run.command for r in records)


def make(folder: Path, runs: int, jobs: int, steps: int) -> Sweep:
    """Makes the containers."""
    runtime, app = tool("find-runtime"), tool("build-app", "tests/real/busybox.def")
    bare = subprocess.run(
        [runtime, "exec", app, "true"], capture_output=True, text=True, timeout=60
    )
    flags = ("--no-privs",) if LACKS_CAPABILITY in bare.stderr else ()
    scenario = ROOT / "scenarios" / "sweep"
    data = folder / "data"
    subprocess.run([sys.executable, scenario / "make_data.py", data], check=True)
    shutil.copy(scenario / "model.awk", data)
    create_data(str(folder / "input.sif"), mount="/Inputs", source=str(data))
    create_data(str(folder / "output.sif"), mount="/Outputs", free=parse_size("64K"))
    (folder / "home").mkdir()
    return Sweep(runtime, app, flags, folder, runs, jobs, steps)


def table(sweep: Sweep, rounds: int) -> bool:
    """Prints the table. Returns whether sifprov keeps its bound."""
    ways = (BARE, PLUGIN, WRAPPER)
    took: dict[str, list[Took]] = {way: [] for way in ways}
    for number in range(rounds):
        turn = number % len(ways)
        for way in ways[turn:] + ways[:turn]:
            took[way].append(sweep.once(way))
    what = f"{sweep.runs} runs of {sweep.steps} steps, {sweep.jobs} at once, {rounds} rounds"
    print(
        f"\n| {what} | the sweep | quartiles "
        "| times bare | in each round | processor time of a run |\n|---|---|---|---|---|---|"
    )
    good = True
    for way in ways:
        low, middle, high = quartiles([t.wall for t in took[way]])
        ratios = [t.wall / b.wall for t, b in zip(took[way], took[BARE], strict=True)]
        ratio = quartiles(ratios)[1]
        processor = quartiles([t.processor / sweep.runs for t in took[way]])[1]
        print(
            f"| {way} | {middle:.1f} s | {low:.1f} … {high:.1f} | {ratio:.2f} "
            f"| {min(ratios):.2f} … {max(ratios):.2f} | {processor * 1000:.0f} ms |"
        )
        if ratio > MOST:
            good = False
            print(f"{way}: {ratio:.2f} times bare, more than {MOST}", file=sys.stderr)
    return good


def main() -> int:
    """Prints the table. Returns 1 when a bound is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200, help="runs of a sweep")
    parser.add_argument("--rounds", type=int, default=5, help="sweeps in each way")
    parser.add_argument("--jobs", type=int, help="runs at once (default: two a processor)")
    parser.add_argument(
        "--steps", type=int, default=1000, help="of the model: a thousand take 0.2 s of a processor"
    )
    options = parser.parse_args()
    taken = len(list(Path("/sys/block").glob("loop*/loop")))
    room = (LOOPS - taken) // EACH
    jobs = min(options.jobs or 2 * (os.cpu_count() or 1), room)
    with tempfile.TemporaryDirectory(prefix="sifprov-bench-", dir="/var/tmp") as name:
        sweep = make(Path(name), options.runs, jobs, options.steps)
        with plugin_installed(sweep.runtime):
            print(f"{machine()}; as {'root' if os.geteuid() == 0 else 'an ordinary user'}")
            print(f"{LOOPS - taken} loop devices are free, {EACH} a run: room for {room} at once")
            return 0 if table(sweep, options.rounds) else 1


if __name__ == "__main__":
    sys.exit(main())
