"""What `make bench-thesis` computes from times and sizes, and what it says of them."""

from __future__ import annotations

import json
import mmap
from functools import partial
from pathlib import Path

import pytest
from tests.bench import (
    bench_thesis,
    memory,
    thesis,
    thesis_copy,
    thesis_replay,
    thesis_space,
    thesis_time,
)
from tests.bench.stats import paired_difference, ratio_of_medians

KIB = 1024


def test_intervals_come_from_whole_rounds() -> None:
    # The machine became slower, for both alike: no round shows any difference.
    base = [1.0, 1.1, 1.2, 2.0, 3.0, 4.0, 4.1]
    more = [v + 0.1 for v in base]
    assert paired_difference(more, base) == pytest.approx((0.1, 0.1, 0.1))
    ratio = ratio_of_medians(more, base)
    assert ratio.value == pytest.approx(2.1 / 2.0)
    assert 1.0 < ratio.low <= ratio.value <= ratio.high < 1.11
    noise = paired_difference([1.0, 2.0] * 15, [2.0, 1.0] * 15)
    assert noise.low == -1 and noise.high == 1
    with pytest.raises(ValueError, match="every round"):
        paired_difference([1.0], [])


def test_every_task_runs_once_a_round_in_an_order_that_the_seed_decides() -> None:
    def order(seed: int) -> list[str]:
        seen: list[str] = []

        def run(name: str) -> float:
            seen.append(name)
            return len(seen)

        tasks = {name: partial(run, name) for name in "abcd"}
        times = thesis.shuffled(tasks, 5, seed, "test")
        assert {name: len(values) for name, values in times.items()} == dict.fromkeys("abcd", 5)
        # The first round does not count.
        assert min(min(values) for values in times.values()) == 5
        assert all(sorted(seen[i : i + 4]) == list("abcd") for i in range(0, 24, 4))
        return seen

    assert order(1) == order(1) != order(2)


def times_of(kknn: float, forest: float) -> thesis.Raw:
    ways = {thesis_time.NATIVE: 1.0, thesis_time.BARE: 1.1, thesis_time.WRAPPER: 1.1}
    times = {
        f"{m}: {w}": [v, v + 0.01, v + 0.02] for m in ("kknn", "forest") for w, v in ways.items()
    }
    for model, value in (("kknn", kknn), ("forest", forest)):
        times[f"{model}: {thesis_time.PLUGIN}"] = [value, value + 0.01, value + 0.02]
    return {"times": times, "versions": {"kknn": "R 4", "forest": "R 4"}}


def test_time_is_told_beside_the_thesis() -> None:
    said = thesis_time.report(times_of(1.12, 1.1))
    assert [good for _, good in said.bars] == [True] * 4
    table = "\n".join(said.lines)
    assert "thesis: 26%" in table and "thesis: 0.7%" in table
    # 1.11 over 1.01, and 1.13 over 1.11.
    assert "+9.9%" in table and "+1.8%" in table
    widths = {line.count("|") for line in said.lines if line.startswith("|")}
    assert widths == {7}


@pytest.mark.parametrize(
    ("kknn", "forest", "missed"), [(1.15, 1.1, "neighbours"), (1.1, 1.13, "forest")]
)
def test_a_run_that_takes_longer_misses_its_bound(kknn: float, forest: float, missed: str) -> None:
    bars = thesis_time.report(times_of(kknn, forest)).bars
    assert [missed in text for text, good in bars if not good] == [True]


def test_the_packages_are_those_of_the_definition() -> None:
    assert "r-cran-fnn" in thesis_time.packages("kknn")
    assert "r-cran-randomforest" in thesis_time.packages("forest")


def test_space_is_told_beside_the_thesis() -> None:
    assert thesis_space.allowed(2264 * KIB) == (4132 - 2264) * KIB // 2
    assert thesis_space.allowed(12_000 * KIB) == (14_368 - 12_071) * KIB // 2
    row = {"payload": 100 * KIB, "size": 6000 * KIB, "room": 4000 * KIB, "files": 3}
    rows = [
        {**row, "scenario": "s", "name": n, "disk": d * KIB} for n, d in (("a", 1034), ("b", 1035))
    ]
    made = {
        "thesis": 4132,
        "fs": "ext3",
        "payload": 2264 * KIB,
        "size": 3198 * KIB,
        "disk": 2264 * KIB,
    }
    said = thesis_space.report({"containers": rows, "payloads": [made]})
    assert [good for _, good in said.bars] == [True, False]
    table = "\n".join(said.lines)
    assert "| 4,132 KiB | 1,868 KiB |" in table and "934 KiB, 50% of the thesis's" in table
    assert "1,900 KiB" in table


def copies(zero: float) -> thesis.Raw:
    times = {}
    for cache in (thesis_copy.COLD, thesis_copy.WARM):
        for fs in (thesis_copy.EXT3, thesis_copy.SQUASHFS):
            times[f"{thesis_copy.TWO}, {fs}, {cache}"] = [10.0, 10.0, 10.0]
            times[f"{thesis_copy.ZERO}, {fs}, {cache}"] = [zero, zero, zero]
        ways = (thesis_copy.NATIVE, thesis_copy.FROM, thesis_copy.INTO, thesis_copy.STAGED)
        for number, name in enumerate(ways):
            times[f"{name}, {cache}"] = [2.0 + number] * 3
    for flag, slower in (("buffered", 1.0), ("direct", 0.0)):
        times[f"{thesis_copy.READ}, {flag}, cold"] = [1.0 + slower, 1.0, 1.0 + slower]
        times[f"{thesis_copy.DD}, {flag}, cold"] = [2.0, 2.0, 2.0]
        times[f"{thesis_copy.READ}, {flag}, warm"] = [0.5 + slower, 0.5 + slower, 0.5]
        times[f"{thesis_copy.WRITE}, {flag}, warm"] = [3.0 + slower, 3.0 + slower, 3.0]
    return {
        "times": times,
        "files": 3,
        "megabytes": 2100,
        "container_bytes": 2_000_000,
        "cold": "x",
    }


def test_the_limit_is_one_read_and_one_write_by_the_faster_way() -> None:
    found = thesis_copy.limits(copies(4.0)["times"])
    assert found == {"cold": [4.0, 4.0, 4.0], "warm": [3.5, 3.5, 3.5]}


def test_copies_are_told_beside_the_thesis() -> None:
    said = thesis_copy.report(copies(4.3))
    assert [good for _, good in said.bars] == [True, True, False, False]
    table = "\n".join(said.lines)
    assert "60.94%" in table and "57.0%" in table and "1.07" in table
    assert "| zero-copy | 4.30 s (4.30 … 4.30) | 2.15 (2.15 … 2.15) |" in table
    assert f"| {thesis_copy.INTO} | 4.00 s (4.00 … 4.00) | 2.00 (2.00 … 2.00) |" in table
    assert "staging takes zero-copy saves 14.0% (14.0% … 14.0%) cold, 14.0%" in table


def test_the_files_are_the_same_at_every_call(tmp_path: Path) -> None:
    counts = [thesis_copy.make_files(tmp_path / name, 8_000_000) for name in "ab"]
    assert counts[0] == counts[1]
    trees = [
        {p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*.jpg")}
        for n in "ab"
    ]
    assert trees[0] == trees[1] and len(trees[0]) == counts[0]
    assert sum(map(len, trees[0].values())) == 8_000_000


def test_a_replay_may_cost_its_run_the_hashing_and_half_a_second() -> None:
    times = {}
    for number, job in enumerate(thesis_replay.JOBS):
        times[f"{job}: {thesis_replay.RUN}"] = [1.0, 1.0]
        times[f"{job}: {thesis_replay.HASHING}"] = [0.2, 0.2]
        times[f"{job}: {thesis_replay.RERUN}"] = [1.6 + number * 0.2] * 2
    said = thesis_replay.report({"times": times})
    assert [good for _, good in said.bars] == [True, False, False]
    assert "+400 ms" in "\n".join(said.lines)


def test_results_are_kept_part_by_part_and_shown_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new" / "results.json"
    assert bench_thesis.read_results(path) == {}
    result = {"raw": copies(4.3), "machine": "a machine", "seconds": 5.0}
    bench_thesis.keep(path, {"copy": result})
    assert json.loads(path.read_text())["copy"] == result
    page = tmp_path / "page.md"
    page.write_text(f"before\n{bench_thesis.BEGIN}\nstale\n{bench_thesis.END}\nafter\n")
    argv = ["bench_thesis", "--show", "--json", str(path), "--page", str(page)]
    monkeypatch.setattr("sys.argv", argv)
    assert bench_thesis.main() == 1
    shown = capsys.readouterr()
    assert "a machine" in shown.out and "2 of 4 bounds are kept" in shown.out
    assert "bound not kept: zero-copy from ext3, warm" in shown.err
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "stale" not in text
    assert "a machine" in text and "1.07" in text


def test_a_copied_folder_stays_without_its_bytes(tmp_path: Path) -> None:
    sif, kept = tmp_path / "x.sif", tmp_path / "kept"
    sif.write_bytes(bytes(1000))
    for number in range(2):
        copied = tmp_path / "made" / "copied"
        copied.mkdir(parents=True)
        (copied / "1.jpg").write_bytes(bytes(990))
        thesis_copy._clear(tmp_path / "made", kept, sif)
        assert [p.stat().st_size for p in kept.rglob("*.jpg")] == [0] * (number + 1)
        assert not (tmp_path / "made").exists()
    copied.mkdir(parents=True)
    (copied / "1.jpg").write_bytes(bytes(900))
    with pytest.raises(SystemExit, match="not all"):
        thesis_copy._clear(tmp_path / "made", kept, sif)


def test_memory_is_taken_only_where_it_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def mapping(_: int, size: int) -> mmap.mmap:
        taken.append(size)
        return mmap.mmap(-1, size)

    monkeypatch.setattr(memory, "_mapping", mapping)
    for free in (0, memory._SPARE, memory._SPARE + 8192, memory._SPARE + (1 << 30)):
        monkeypatch.setattr(memory, "_free", lambda free=free: free)
        memory.settle(1 << 20)
    assert taken == [8192, 1 << 20]
    monkeypatch.undo()
    assert memory._free() > 1 << 20
