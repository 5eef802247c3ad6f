"""The competency questions of Workflow Run RO-Crate, asked of a catalog; docs/queries.md has the
table."""

from __future__ import annotations

import pytest
from tests.catalogs import Opened
from tests.unit.asking import Asking
from tests.unit.brain import FIRST, Brain

from sifprov.catalog.sql import ask_sql

BRAIN = Brain()


@pytest.fixture
def brain(opened: Opened) -> Asking:
    return Asking(opened, BRAIN.records())


def test_1_images_of_an_execution(brain: Asking) -> None:
    rows = brain.query("q2", execution=str(FIRST)).only(("image", "digest")).rows
    assert set(rows) == {
        ("air.sif", BRAIN.air.digest), ("fsl.sif", BRAIN.fsl.digest),
        ("magick.sif", BRAIN.magick.digest),
    }  # fmt: skip


def test_2_memory_and_processor(brain: Asking) -> None:
    (row,) = brain.find("activity=softmean", "queue=gpu").dicts()
    assert (row["memory"], row["cpu_s"]) == (2**20, 2.0)


def test_4_container_of_a_step(brain: Asking) -> None:
    assert set(brain.find("activity=slicer").column("app_digest")) == {BRAIN.fsl.digest}


def test_5_and_6_times_of_steps_and_of_the_whole(brain: Asking) -> None:
    (slicer,) = brain.query("q4", image="fsl.sif").dicts()
    assert (slicer["activity"], slicer["elapsed_s"]) == ("slicer", 29.25)
    rows = brain.query("q7", workflow="brain", everything=True).dicts()
    # Each run begins a minute after the one before.
    assert [(r["env_name"], r["elapsed_s"]) for r in rows] == [
        ("cpu, singularity-ce 4.3.3", 17 * 60 + 29.25),
        ("gpu, singularity-ce 4.3.3", 14 * 60 + 29.25),
    ]


def test_7_success(brain: Asking) -> None:
    assert brain.ids(f"execution={FIRST}", "exit!=0") == []
    assert len(brain.ids(f"execution={FIRST}", "exit=0")) == 15


def test_8_inputs_and_outputs_of_the_whole(brain: Asking) -> None:
    runs = (
        "(SELECT e.id FROM execution e JOIN workflow_execution w"  # noqa: S608
        f" ON w.id = e.workflow_execution_id WHERE w.uuid = '{FIRST}')"
    )
    read = (
        f"SELECT DISTINCT s.name FROM state s JOIN used u ON u.state_id = s.id WHERE"  # noqa: S608
        f" u.execution_id IN {runs} AND (s.generated_by IS NULL OR s.generated_by NOT IN {runs})"
        " ORDER BY 1"
    )
    inputs = ask_sql(brain.catalog, read)
    assert inputs.column("name") == [*(f"anatomy{n}.sif" for n in (1, 2, 3, 4)), "reference.sif"]
    left = (
        f"SELECT s.name FROM state s WHERE s.generated_by IN {runs}"  # noqa: S608
        " AND s.id NOT IN (SELECT state_id FROM used) ORDER BY 1"
    )
    outputs = ask_sql(brain.catalog, left)
    assert outputs.column("name") == [f"atlas-{axis}.gif.sif" for axis in "xyz"]


def test_9_and_10_what_the_image_says_of_itself(brain: Asking) -> None:
    (row,) = ask_sql(
        brain.catalog,
        "SELECT c.labels FROM container_image i JOIN configuration c ON c.id = i.configuration_id"
        " WHERE i.name = 'air.sif'",
    ).rows
    assert '"org.opencontainers.image.authors":"Ada <ada@lab>"' in str(row[0])


def test_11_parameters_of_runs(brain: Asking) -> None:
    found = brain.find(f"execution={FIRST}", "arg.m=12").column("command")
    assert found == [("align_warp", "anatomy.img", "reference.img", "-m", "12", "-q")] * 4
