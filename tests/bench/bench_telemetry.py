"""What telemetry costs beside a run, at the default interval: `make bench-telemetry`.

A container with 1, 50 and 500 processes, of which one in twenty starts another each second, is
recorded by `sifprov exec` with `--telemetry` and without, in turn. What counts is the processor
time of the recorder, in which the sampler is a thread: by the kernel's own count in nanoseconds,
from one second after the start to half a second before the end, as a share of a core. The exit
code is 1 when telemetry takes more than a hundredth of one, or measures less often than it should.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sifprov.create import create_data
from sifprov.records import read_records
from sifprov.sif import open_image
from sifprov.sizes import parse_size
from tests.bench.jobs import runtime_flags, tool
from tests.bench.stats import paired_difference
from tests.bench.timing import in_turn, machine, quartiles

MOST = 0.01
PROCESSES = (1, 50, 500)
_FROM, _BEFORE_END = 1.0, 0.5
# A second's wait of the shell would be a process more.
_LOOP = "while :; do sleep 1; done &"


@dataclass(frozen=True)
class Site:
    """What is run: `folder` has `output.sif`."""

    runtime: str
    app: str
    flags: tuple[str, ...]
    folder: Path
    seconds: int

    def once(self, processes: int, telemetry: bool) -> float:
        """Records one run; returns which share of a core the recorder took."""
        output = self.folder / "output.sif"
        output.unlink(missing_ok=True)
        create_data(str(output), mount="/Outputs", free=parse_size("1M"))
        # The shell, those that sleep, and shells that start one after the other.
        loops = processes // 20
        sleeps = processes - 2 - 2 * loops
        script = (
            f"echo > /Outputs/x; for n in $(seq {loops}); do {_LOOP} done; "
            f"for n in $(seq {sleeps}); do sleep {self.seconds} & done; sleep {self.seconds};"
            " kill $(jobs -p) 2>/dev/null; wait"
        )
        command = ["sh", "-c", script] if processes > 1 else ["sleep", str(self.seconds)]
        sifprov = str(Path(sys.executable).with_name("sifprov"))
        argv = [sifprov, "exec", "--runtime", self.runtime, *["--telemetry"] * telemetry]
        argv += [*self.flags, "-B", "output.sif:/Outputs:image-src=/Outputs", self.app, *command]
        env = {"HOME": str(self.folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        wrapper = subprocess.Popen(
            argv, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            time.sleep(_FROM)
            recorder = recorder_of(wrapper.pid)
            began, before = time.monotonic(), run_time(recorder)
            time.sleep(self.seconds - _FROM - _BEFORE_END)
            took = (run_time(recorder) - before) / 1e9 / (time.monotonic() - began)
        finally:
            _, errors = wrapper.communicate(timeout=60)
        if wrapper.returncode not in (0, 143):
            raise SystemExit(f"the run failed: {errors.decode(errors='replace').strip()}")
        return took

    def fact(self) -> dict[str, Any]:
        """What the last run's record says of its telemetry; empty where nothing was recorded."""
        with open_image(str(self.folder / "output.sif")) as (file, image):
            records = [s.record for s in read_records(file, image) if s.record and s.record.run]
        for record in records:
            for fact in record.run.facts if record.run else ():
                if fact.name == "telemetry":
                    return dict(json.loads(json.dumps(fact.value)))
        return {}


def recorder_of(wrapper: int) -> int:
    """The recorder of a run: the child of the wrapper that has a session of its own."""
    children = Path(f"/proc/{wrapper}/task/{wrapper}/children").read_text().split()
    found = [int(pid) for pid in children if os.getsid(int(pid)) == int(pid)]
    if len(found) != 1:
        raise SystemExit(f"{len(found)} recorders: is the machine too slow?")
    return found[0]


def run_time(pid: int) -> int:
    """Nanoseconds that all threads of a process have run (proc(5), schedstat)."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            total += int((thread / "schedstat").read_text().split()[0])
    return total


def measure(site: Site, processes: int, rounds: int) -> bool:
    """Measures with so many processes, prints a row, and returns whether it is good."""
    facts: list[dict[str, Any]] = []

    def with_telemetry() -> float:
        took = site.once(processes, True)
        facts.append(site.fact())
        return took

    tasks: dict[str, Callable[[], float]] = {
        "without": partial(site.once, processes, False),
        "with": with_telemetry,
    }
    times = in_turn(tasks, rounds, warm_up=0)
    more = paired_difference(times["with"], times["without"])
    without, (low, middle, high) = quartiles(times["without"])[1], quartiles(times["with"])
    samples = [fact.get("samples", 0) for fact in facts]
    most = max((fact.get("peak_processes", processes) for fact in facts), default=0)
    print(
        f"| {most} | {without:.3%} | {middle:.3%} | {low:.3%} - {high:.3%} | "
        f"**{more.value:.2%}** ({more.low:.2%} - {more.high:.2%}) | {min(samples)} - {max(samples)}"
        f" | {max(f.get('cost_us', 0) for f in facts) / 1000:.0f} ms |",
        flush=True,
    )
    # A second apart, or as far as the cost asks for; and at most twice that.
    return more.value <= MOST and min(samples) >= site.seconds // 2


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--processes", type=int, nargs="*", default=PROCESSES)
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("two rounds at least")
    runtime, app = tool("find-runtime"), tool("build-app", "tests/real/busybox.def")
    print(machine())
    print(
        "\n| processes | without | with | quartiles | telemetry alone (95 %) | samples |"
        " all of a run |\n|---|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory(prefix="sifprov-bench-") as name:
        site = Site(runtime, app, runtime_flags(runtime, app), Path(name), options.seconds)
        good = [measure(site, count, options.rounds) for count in options.processes]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
