#!/usr/bin/env python3
"""Checks the trail of a gathered sweep: check_sweep.py TRAIL.json RATES.txt

Each rate must have exactly one run, whose command names it, which read the one input container with
the content that this was made with, and wrote the container of the rate's name; the gathering run
must have read what each of these runs left. The trail is read from the last container's own
records. Prints each difference and exits with 1 when there is any.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Record = dict[str, Any]


def by_role(record: Record, role: str) -> list[dict[str, Any]]:
    """The containers of a run that had this role."""
    return [c for c in record["containers"] if c["role"] == role]


def differences(trail: dict[str, Any], rates: list[str]) -> Iterator[str]:
    """Yields one line for each thing that is not as it should be."""
    if trail["missing"]:
        yield f"missing: {trail['missing']}"
    records: list[Record] = [a["record"] for a in trail["graph"]["activities"]]
    origins = [r["origin"]["digest"] for r in records if r["run"] is None and r["origin"]]
    # Each container of the sweep was made empty, and input.sif with its files.
    runs = {r["container"]: r for r in records if r["run"]}
    gathering = runs.pop(trail["graph"]["targets"][0].partition("#")[0])
    (data,) = (c for c in by_role(gathering, "input") if c["mount"] == "/Inputs")
    if data["digest"] not in origins:
        yield f"input.sif: {data['digest']} is not what it was made with"
    left: dict[str, Record] = {}
    for record in runs.values():
        (output,) = by_role(record, "output")
        (source,) = by_role(record, "input")
        rate = output["name"].removesuffix(".sif")
        if rate in left:
            yield f"{rate}: two runs"
        left[rate] = output
        if f"rate={rate}" not in record["run"]["command"]:
            yield f"{rate}: another run's command: {record['run']['command']}"
        if (source["uuid"], source["digest"]) != (data["uuid"], data["digest"]):
            yield f"{rate}: read {source['name']} with {source['digest']}"
        if record["run"]["exit_code"] != 0 or not record["run"]["argv"]:
            yield f"{rate}: exit code {record['run']['exit_code']}"
    if sorted(left) != sorted(rates):
        yield f"runs of {len(left)} rates, not of {len(rates)}"
    gathered = {c["mount"]: c for c in by_role(gathering, "input") if c is not data}
    for rate in rates:
        entry = gathered.pop(f"/Sweep/{rate}", None)
        if not entry or rate not in left:
            yield f"{rate}: not gathered"
        elif (entry["uuid"], entry["digest"]) != (left[rate]["uuid"], left[rate]["digest"]):
            yield f"{rate}: what was gathered is not what its run left"
    yield from (f"{mount}: gathered, and no rate" for mount in gathered)


def main() -> int:
    """Compares and reports."""
    trail = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    rates = Path(sys.argv[2]).read_text(encoding="ascii").split()
    found = list(differences(trail, rates))
    for line in found:
        print(line, file=sys.stderr)
    if not found:
        print(f"{len(rates)} runs, each with its own rate, on the same input")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
