"""Runs that report when they start and when they end, on real runtimes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.real.job import COPY
from tests.real.wrapjob import WrapJob
from tests.unit.schemas import problems

LIVE = {"SIFPROV_LIVE": "1"}


def reports(home: Path) -> list[dict[str, Any]]:
    """What waits in the queue of a home."""
    paths = sorted(home.glob(".local/state/sifprov/reports/*.json"))
    found = [json.loads(path.read_bytes()) for path in paths]
    assert [problems("sifprov.report/1", document) for document in found] == [[]] * len(found)
    return found


def test_the_wrapper_reports_what_it_records(wrap_job: WrapJob) -> None:
    job, home = wrap_job, wrap_job.path(".")
    job.exec("sh", "-c", f"{COPY}; exit 7").expect(7)
    assert reports(home) == []
    job.exec("sh", "-c", f"{COPY}; exit 7", env=LIVE).expect(7)
    (end,) = reports(home)
    records = [r for r in job.records() if r["run"]]
    assert [r["id"] for r in records if r["id"] == end["id"]] == [records[-1]["id"]]
    assert (end["event"], end["became"], end["run"]["exit_code"]) == ("end", "recorded", 7)
    assert end["run"]["command"] == records[-1]["run"]["command"]
    # A run that records nothing is seen all the same.
    job.exec("sh", "-c", "exit 8", binds=(), env=LIVE).expect(8)
    (other,) = [r for r in reports(home) if r["id"] != end["id"]]
    assert (other["became"], other["run"]["exit_code"], other["records"]) == ("unchanged", 8, [])
