"""The eight questions of ProvDeploy, on both databases."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import Connection, insert
from tests.catalogs import Opened
from tests.unit.asking import Asking
from tests.unit.brain import FIRST, SECOND, Brain, facts
from tests.unit.graphmaker import Sample

from sifprov.catalog.questions import QUESTIONS
from sifprov.catalog.questions.places import composed
from sifprov.catalog.tables import container_image, location
from sifprov.errors import SifprovError
from sifprov.model.annotation import Annotation
from sifprov.model.fact import Fact

BRAIN = Brain()
GPU, CPU = "gpu, singularity-ce 4.3.3", "cpu, singularity-ce 4.3.3"
STEPS = ("prepare", "train", "test")
# Table 3 of the paper: which image each step runs in.
COMPOSITIONS = {"coarse": "aaa", "hybrid": "aab", "fine": "abc"}


@pytest.fixture
def brain(opened: Opened) -> Asking:
    return Asking(opened, BRAIN.records())


class Surrogate(Sample):
    """A workflow of three steps under three compositions in two environments, with a metric."""

    def __init__(self) -> None:
        super().__init__()
        images = {letter: self.application(f"{letter}.sif") for letter in "abc"}
        self.number = 0
        for queue in ("gpu", "cpu"):
            for name, letters in COMPOSITIONS.items():
                self.execute(queue, [images[letter] for letter in letters], f"{queue}-{name}")

    def execute(self, queue: str, images: list, job: str, *, exit_code: int = 0) -> None:  # type: ignore[type-arg]
        self.number += 1
        which, last = UUID(int=self.number), self.made(f"data{self.number}.sif")
        # Each is quicker than the one before.
        self.at(f"2026-06-0{self.number}T10:00:00Z")
        score = Annotation(
            metrics=(("r2", f"0.{90 + self.number}"), ("rmse", f"{self.number % 2}")),
            tags=(("model", f"m{self.number % 2}"),),
        )
        for place, (step, image) in enumerate(zip(STEPS, images, strict=True)):
            (last,) = self.run(
                image, (last,), f"{step}{self.number}.sif",
                command=(step, "--lr", f"0.{self.number}"), exit_code=exit_code,
                annotation=score if step == "test" else None,
                facts=facts(which, step, image.name, queue, job, "surrogate"),
            )  # fmt: skip
            self._now += (10 - self.number) * 1_000_000_000 * (place + 1)


@pytest.fixture
def surrogate(opened: Opened) -> Asking:
    return Asking(opened, Surrogate().store.values())


def test_q1_job_containers_and_machines(brain: Asking) -> None:
    answer = brain.query("q1", workflow="brain")
    assert len(answer.rows) == 33
    assert set(brain.query("q1", execution=str(FIRST)).column("job_id")) == {"701"}
    row = brain.query("q1", job="702").dicts()[0]
    assert (row["workflow"], row["execution"], row["activity"], row["image"]) == (
        "brain", str(SECOND), "align_warp", "air.sif",
    )  # fmt: skip
    assert (row["host"], row["queue"], row["environment"], row["exit"]) == (
        "cpu-node", "cpu", CPU, 0,
    )  # fmt: skip
    # Without an option it is the newest execution, in the order of its runs.
    newest = brain.query("q1")
    assert set(newest.column("execution")) == {str(SECOND)}
    assert newest.column("started") == sorted(newest.column("started"))  # type: ignore[type-var]
    assert brain.query("q1", workflow="br*", limit=4).more
    assert brain.query("q1", until="2026-06-02T00:00:00Z", workflow="brain").rows[0][1] == str(
        FIRST
    )


def test_q1_counts_runs_of_no_workflow_by_their_job(opened: Opened) -> None:
    sample = Sample()
    job = Fact("batch", {"system": "slurm", "job": "77"}, "environment")
    sample.run(sample.application(), (), "a.sif", facts=(job,))
    sample.run(sample.application(), (), "b.sif", facts=(job,))
    sample.run(sample.application(), (), "c.sif")
    asking = Asking(opened, sample.store.values())
    assert len(asking.query("q1").rows) == 2
    assert len(asking.query("q1", job="77").rows) == 2
    (row,) = asking.query("q3", image="app.sif").dicts()
    assert (row["workflow"], row["jobs"], row["runs"]) == (None, 1, 3)


def test_q2_images_and_their_activities(brain: Asking) -> None:
    rows = brain.query("q2", job="701").dicts()
    assert [(r["image"], r["activity"], r["runs"]) for r in rows] == [
        ("air.sif", "align_warp", 4), ("air.sif", "reslice", 4), ("air.sif", "softmean", 1),
        ("fsl.sif", "slicer", 3), ("magick.sif", "convert", 3),
    ]  # fmt: skip
    assert rows[0]["digest"] == BRAIN.air.digest


@pytest.mark.parametrize("image", ["magick.sif", str(BRAIN.magick.uuid), BRAIN.magick.digest])
def test_q3_and_q4_workflows_and_activities_of_an_image(brain: Asking, image: str) -> None:
    (row,) = brain.query("q3", image=image).dicts()
    assert (row["workflow"], row["executions"], row["jobs"], row["runs"]) == ("brain", 2, 2, 9)
    found = brain.query("q4", image=image).dicts()
    assert {(r["activity"], r["runs"], r["good"]) for r in found} == {
        ("convert", 3, 3), ("pgmtoppm", 3, 3), ("pnmtojpeg", 3, 3),
    }  # fmt: skip
    assert brain.query("q3", image="none.sif").rows == ()


def test_an_image_is_known_by_each_name_that_a_file_of_it_has(brain: Asking) -> None:
    """An index has not read the content of a file: its row has the UUID alone."""

    def found(connection: Connection) -> None:
        row = {"fingerprint": f"uuid:{BRAIN.magick.uuid}", "uuid": str(BRAIN.magick.uuid)}
        connection.execute(insert(container_image).values(id=1_000_000, name="first.sif", **row))
        for number, name in enumerate(("first.sif", "copy.sif"), 1_000_000):
            place = {"host": "", "folder": "/images", "name": name, "status": "foreign"}
            there = insert(location).values(id=number, container_image_id=1_000_000, **place)
            connection.execute(there)

    brain.catalog.write(found)
    for name in ("magick.sif", "first.sif", "copy.sif"):
        assert brain.query("q3", image=name).dicts()[0]["runs"] == 9, name
    assert len(brain.find("app=copy.sif").rows) == 9
    assert brain.query("q3", image="other.sif").rows == ()


@pytest.mark.parametrize("user", ["Ada <ada@lab>", "Ada", "A?a*"])
def test_q5_images_of_a_user(brain: Asking, user: str) -> None:
    (row,) = brain.query("q5", user=user).dicts()
    del row["id"]
    assert row == {
        "author": "Ada <ada@lab>", "arch": "amd64", "vendor": "docker", "image_tags": "air.sif",
        "description": "image registration", "env_name": CPU, "image_type": "application",
        "base_image": "debian:12",
    }  # fmt: skip
    assert brain.query("q5", user="Ad").rows == ()


@pytest.mark.parametrize(
    ("where", "composition", "found"),
    [
        (("r2>0.92",), None, {3, 4, 5, 6}),
        (("r2>0.92",), "fine", {3, 6}),
        (("r2>0.92",), "coarse", {4}),
        (("metric.r2>=0.92", "rmse=0"), None, {2, 4, 6}),
        (("model=m1",), None, {1, 3, 5}),
        (("model!=m1", "r2<0.95"), None, {2, 4}),
        (("lr>0.4",), None, {5, 6}),
        (("lr=0.5",), None, {5}),
        (("lr=0.50",), "hybrid", {5}),
        (("queue=gpu", "r2>0"), None, {1, 2, 3}),
        (("r2>2",), None, set()),
    ],
)
def test_q6_a_condition_under_a_composition(
    surrogate: Asking, where: tuple[str, ...], composition: str | None, found: set[int]
) -> None:
    answer = surrogate.query("q6", where=where, composition=composition)
    assert {UUID(str(e)).int for e in answer.column("execution")} == found
    for row in answer.dicts():
        assert composition in (None, row["composition"])
        assert row["variables"]


def test_q6_tells_the_values(surrogate: Asking) -> None:
    answer = surrogate.query("q6", where=("r2>0.95", "lr<1", "model=m0"))
    (row,) = [r for r in answer.dicts() if r["activity"] == "test"]
    assert row["variables"] == ("r2=0.96", "lr=0.6", "model=m0")


def test_q7_the_quickest_composition_of_each_environment(surrogate: Asking) -> None:
    answer = surrogate.query("q7", workflow="surrogate", metric="r2")
    assert answer.names == ("job_id", "composition", "elapsed_s", "env_name", "metric.r2")
    rows = answer.only(("job_id", "composition", "env_name", "metric.r2")).rows
    assert rows == (("cpu-fine", "fine", CPU, 0.96), ("gpu-fine", "fine", GPU, 0.93))
    times = answer.column("elapsed_s")
    # The last step's pause is behind its end.
    assert times == [(60 * 2 + 29.25 + 4 * 3) * 1e6, (60 * 2 + 29.25 + 7 * 3) * 1e6]
    # Without a workflow it is the one that ran last.
    assert surrogate.query("q7").column("env_name") == [CPU, GPU]


def test_q7_all_compositions_in_all_environments(surrogate: Asking) -> None:
    answer = surrogate.query("q7", metric="rmse", best="min", everything=True)
    assert [(r["env_name"], r["composition"], r["executions"]) for r in answer.dicts()] == [
        (place, how, 1) for place in (CPU, GPU) for how in ("coarse", "fine", "hybrid")
    ]  # fmt: skip
    assert answer.column("metric.rmse") == [0, 0, 1, 1, 1, 0]


def test_q7_leaves_out_what_failed_unless_it_is_asked_for(opened: Opened) -> None:
    sample = Surrogate()
    sample.execute("gpu", [sample.application("a.sif")] * 3, "broken", exit_code=1)
    asking = Asking(opened, sample.store.values())
    assert "broken" not in asking.query("q7").column("job_id")
    assert "broken" in asking.query("q7", failed=True).column("job_id")
    assert asking.query("q8", metric="r2").column("job_id") == ["cpu-fine"]
    assert asking.query("q8", metric="r2", failed=True).column("job_id") == ["broken"]


def test_q8_the_best_result(surrogate: Asking) -> None:
    (row,) = surrogate.query("q8", workflow="surrogate", metric="r2").dicts()
    assert (row["execution"], row["composition"], row["environment"], row["metric.r2"]) == (
        str(UUID(int=6)), "fine", CPU, 0.96,
    )  # fmt: skip
    assert row["containers"] == ("a.sif", "b.sif", "c.sif")
    assert surrogate.query("q8", metric="r2", best="min").column("job_id") == ["gpu-coarse"]
    assert surrogate.query("q8", metric="r2", composition="coarse").column("job_id") == [
        "cpu-coarse"
    ]


def test_q8_between_equals_the_second_metric_counts(surrogate: Asking) -> None:
    answer = surrogate.query("q8", metric="rmse", best="min", then="r2", then_best="max", limit=3)
    assert answer.column("metric.rmse") == [0, 0, 0]
    assert answer.column("metric.r2") == [0.96, 0.94, 0.92]


@pytest.mark.parametrize(
    ("name", "asked", "said"),
    [
        ("q3", {}, "q3: image is missing"),
        ("q6", {}, "q6: where is missing"),
        ("q8", {}, "q8: metric is missing"),
        ("q1", {"metric": "r2"}, "q1: takes no metric"),
        ("q9", {}, "q9: no question"),
        ("q6", {"where": ("r2",)}, "no condition"),
        ("q6", {"where": ("r2>0",), "composition": "mixed"}, "composition 'mixed'"),
        ("q1", {"since": "soon"}, "'soon' is not"),
        ("q8", {"metric": "r2", "best": "most"}, "best 'most'"),
    ],
)
def test_what_cannot_be_asked_is_told(
    brain: Asking, name: str, asked: dict[str, object], said: str
) -> None:
    with pytest.raises(SifprovError, match=said):
        brain.query(name, **asked)


def test_an_empty_catalog_has_no_answers_and_no_errors(opened: Opened) -> None:
    asking = Asking(opened, ())
    needs: dict[str, dict[str, object]] = {
        "q3": {"image": "x"}, "q4": {"image": "x"}, "q5": {"user": "x"}, "q6": {"where": ("x=1",)},
        "q8": {"metric": "x"},
    }  # fmt: skip
    for name in QUESTIONS:
        assert asking.query(name, **needs.get(name, {})).rows == ()


def test_a_composition_is_as_declared_else_told_by_images() -> None:
    assert composed("hybrid", 1, 3, 3) == "hybrid"
    assert composed("nonsense", 1, 3, 3) == "coarse"
    assert composed(None, 1, 0, 0) == "coarse"
    assert composed(None, 3, 3, 3) == "fine"
    assert composed(None, 2, 3, 3) == "hybrid"
    assert composed(None, 2, 0, 0) is None
    assert composed(None, 0, 3, 0) is None
