"""The verdict of a replay of real work: a picture with a date in it, a table that jitters, a file
that differs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.real.job import Job
from tests.unit.schemas import problems

# gnuplot's picture with the time of its making, as many programs put it there, and a table whose
# last digits are never the same.
PLOT = r"""
gnuplot -e 'set terminal png size 300,200; set output "/Outputs/plain.png"; plot sin(x)'
perl -e '
    sub crc { my $c = 0xffffffff; for my $b (unpack "C*", shift) { $c ^= $b;
        $c = $c & 1 ? ($c >> 1) ^ 0xedb88320 : $c >> 1 for 1..8 } return $c ^ 0xffffffff }
    local $/; open my $in, "<:raw", "/Outputs/plain.png"; my $png = <$in>;
    my $text = "tEXtCreation Time\0" . $ARGV[0];
    my $chunk = pack("N", length($text) - 4) . $text . pack("N", crc($text));
    substr($png, 33, 0) = $chunk;
    open my $out, ">:raw", "/Outputs/sine.png"; print $out $png;
' "$(date +%s.%N)"
printf 'x,y\n1,0.50000%s\n2,1.0\n' "$(date +%N)" > /Outputs/fit.csv
"""


@pytest.fixture
def plot(job: Job, gnuplot_sif: str) -> Job:
    made = replace(job, app=gnuplot_sif)
    made.shell(PLOT).expect(0)
    return made


def verdict_of(job: Job, name: str) -> dict[str, Any]:
    last = job.records(name)[-1]
    assert last["captured_by"]["kind"] == "rerun"
    verdict: dict[str, Any] = last["verdict"]
    return verdict


def test_a_picture_of_another_day_and_a_table_within_the_tolerance_are_alike(plot: Job) -> None:
    original = plot.path("output.sif").read_bytes()
    strict = plot.cli("rerun", "output.sif").expect(1)
    assert strict.stdout.splitlines()[-1] == "differs"
    assert "1 of 4 numbers differ, by at most" in strict.stdout
    assert (
        "alike                 Outputs/sine.png   all 60,000 pixels are the same" in strict.stdout
    )
    verdict = verdict_of(plot, "output.rerun-1.sif")
    assert (verdict["result"], verdict["counts"]["alike"]) == ("differs", 1)

    argv = ("rerun", "output.sif", "--tolerance", "1e-3", "--json", "--into", "close.sif")
    document = json.loads(plot.cli(*argv).expect(0).stdout)
    assert problems("sifprov.rerun/1", document) == []
    assert document["verdict"] == "alike"
    assert {f["path"].removeprefix("Outputs/"): f["verdict"] for f in document["files"]} == {
        "Outputs": "same", "fit.csv": "alike", "plain.png": "same", "sine.png": "alike",
    }  # fmt: skip
    verdict = verdict_of(plot, "close.sif")
    run, before = plot.records("close.sif")[-2], plot.records()[-1]
    assert verdict["run"]["id"] == run["id"] == document["replay"]["record"]
    assert verdict["original"] == before["containers"][-1]["digest"]
    assert verdict["content"] == run["containers"][-1]["digest"] == document["content"]
    assert verdict["tolerance"] == "0.001"

    trail = plot.cli("trail", "close.sif").expect(0).stdout
    assert f"replay of record {before['id']}: alike: 2 of 4 entries with other bytes" in trail
    checks = json.loads(plot.cli("verify", "--json", "close.sif").expect(0).stdout)["checks"]
    assert [c["verdict"] for c in checks if c["name"] == "verdict"] == ["good"]
    assert plot.path("output.sif").read_bytes() == original
    plot.check_file_system("close.sif")


def test_what_was_asked_to_be_otherwise_stands_in_the_verdict(job: Job) -> None:
    job.exec("sh", "-c", 'echo "$1" > /Outputs/n', "-", "10").expect(0)
    quiet = job.cli("rerun", "output.sif", "--set-arg", "10=20", "-q").expect(1)
    assert (quiet.stdout, quiet.stderr) == ("differs\n", "")
    verdict = verdict_of(job, "output.rerun-1.sif")
    assert verdict["changes"] == [{"what": "argument 5", "before": "10", "after": "20"}]
    assert verdict["files"][0]["what"] == "1 of 1 numbers differ, by at most 10 (50.0 %)"
    # It goes on as any container: a note about the replay's run, and a replay of the replay.
    job.cli("annotate", "output.rerun-1.sif", "--note", "on purpose").expect(0)
    assert job.cli("rerun", "output.rerun-1.sif").expect(0).stdout.endswith("\nsame\n")
