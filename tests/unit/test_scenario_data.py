"""The synthetic data of the scenarios: size, shape, and the same at every call."""

from __future__ import annotations

import csv
import math
import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest

SCENARIOS = Path(__file__).parents[2] / "scenarios"
KM = 1 / 111.2  # degrees of latitude, as the tables are made

Row = Mapping[str, str]


def run(script: str, *words: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, SCENARIOS / script, *words]
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def soil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all tables of the soil scenarios."""
    folder = tmp_path_factory.mktemp("soil")
    assert run("soil/make_data.py", folder, "train", "eval", "truth").returncode == 0
    return folder


def rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def spacing(table: list[Row]) -> tuple[float, float]:
    """The least distance in km of two rows of the grid, and of two of its points in one row."""
    lines: dict[float, list[float]] = {}
    for row in table:
        lines.setdefault(float(row["lat"]), []).append(float(row["lon"]))
    lats = sorted(lines)
    north = min(b - a for a, b in pairwise(lats)) / KM
    east = min(
        (b - a) * math.cos(math.radians(lat)) / KM
        for lat, lons in lines.items()
        for a, b in pairwise(sorted(lons))
    )
    return north, east


def test_size_and_shape_are_those_of_the_thesis(soil: Path) -> None:
    train, grid = rows(soil / "train.csv"), rows(soil / "eval.csv")
    assert (len(train), len(grid)) == (47, 44_723)
    assert spacing(train) == pytest.approx((27, 27), abs=1e-6)
    assert spacing(grid) == pytest.approx((1, 1), abs=1e-6)
    features = list(grid[0])
    assert features[:2] == ["lat", "lon"]
    assert len(features) == 2 + 15
    assert list(train[0]) == [*features, "soil_moisture"]
    # The training points are of the same region.
    inside = {(row["lat"], row["lon"]) for row in grid}
    assert len(inside) == len(grid)
    assert {(row["lat"], row["lon"]) for row in train} <= inside
    assert 11_500_000 < (soil / "eval.csv").stat().st_size < 12_500_000


def test_no_number_is_missing_and_moisture_is_a_share(soil: Path) -> None:
    for name in ("train", "truth"):
        for row in rows(soil / f"{name}.csv"):
            assert 0.05 < float(row["soil_moisture"]) < 0.45
    for row in rows(soil / "eval.csv")[::97]:
        assert all(math.isfinite(float(value)) for value in row.values())


def test_the_tables_are_the_same_at_every_call(soil: Path, tmp_path: Path) -> None:
    assert run("soil/make_data.py", tmp_path, "train").returncode == 0
    assert (tmp_path / "train.csv").read_bytes() == (soil / "train.csv").read_bytes()


def test_a_score_tells_good_predictions_from_bad_ones(soil: Path) -> None:
    truth = (soil / "truth.csv").read_text()
    assert run("soil/score.py", soil / "truth.csv", stdin=truth).stdout == (
        "44723 points, R² 1.00, error 0.000 m³/m³\n"
    )
    values = [row["soil_moisture"] for row in rows(soil / "truth.csv")]
    head, *lines = truth.splitlines()
    places = [line.rsplit(",", 1)[0] for line in lines]
    moved = values[20_000:] + values[:20_000]
    mixed = "\n".join([head, *map(",".join, zip(places, moved, strict=True))])
    assert "R² -" in run("soil/score.py", soil / "truth.csv", stdin=mixed).stdout
    shorter = run("soil/score.py", soil / "truth.csv", stdin="\n".join([head, *lines[:-1]]))
    assert shorter.returncode == 1
    assert "not the same points" in shorter.stderr


def test_the_text_files_are_what_their_program_writes(tmp_path: Path) -> None:
    assert run("gnuplot-single/make_data.py", tmp_path).returncode == 0
    stored = SCENARIOS / "gnuplot-single/inputs"
    names = sorted(path.name for path in stored.iterdir())
    assert names == ["text1.txt", "text2.txt", "text3.txt"]
    for name in names:
        assert (tmp_path / name).read_text() == (stored / name).read_text()


TRAIL = '{"a": [{"name": "x.sif", "digest": "tree-v1:00ff"}], "more": 1}'


@pytest.mark.parametrize(
    ("expected", "complaint"),
    [
        ('{"a": [{"name": "x.sif", "digest": {"match": "tree-v1:[0-9a-f]+"}}]}', ""),
        ('{"a": [{"name": "y.sif"}]}', "trail.a[0].name: 'x.sif', not 'y.sif'"),
        ('{"a": [{"digest": {"match": "tree-v1:"}}]}', "does not match"),
        ('{"a": []}', "trail.a: not a list of 0"),
        ('{"b": 1}', "trail.b: missing"),
        ('{"a": {"name": 1}}', "is no object"),
    ],
)
def test_a_trail_that_is_not_as_expected_is_told(
    expected: str, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "expected.json").write_text(expected)
    done = run("check_trail.py", tmp_path / "expected.json", stdin=TRAIL)
    assert done.returncode == (1 if complaint else 0)
    assert complaint in done.stderr
    assert bool(done.stderr) == bool(complaint)
