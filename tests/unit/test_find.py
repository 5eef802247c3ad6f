"""Runs are found by what they read, ran and left, on both databases."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import select
from tests.catalogs import Opened
from tests.unit.asking import Asking, texts
from tests.unit.brain import FIRST, SECOND, Brain, facts
from tests.unit.graphmaker import Sample
from tests.unit.livequeue import RUN, start
from tests.unit.sifs import IN as READ
from tests.unit.sifs import container

from sifprov.catalog.reported import put_reports
from sifprov.catalog.tables import container_image, execution
from sifprov.errors import SifprovError
from sifprov.frozen import replace
from sifprov.model.annotation import Annotation
from sifprov.model.container import INPUT
from sifprov.model.fact import Fact

BRAIN = Brain()
ALL = len(BRAIN.activities)
RUNS = ALL - 5
WARP = BRAIN.of[FIRST, "warp1.sif"]
IN = str(READ)
BEGIN = str(WARP.generated_by)[:35]


@pytest.fixture
def brain(opened: Opened) -> Asking:
    return Asking(opened, BRAIN.records())


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("kind=run", RUNS),
        ("kind!=run", 5),
        ("app=air.sif", 18),
        ("app=/home/ada/air.sif", 18),
        (f"app={BRAIN.air.uuid}", 18),
        (f"app={BRAIN.air.digest}", 18),
        (f"app={(BRAIN.air.digest or '')[:-20]}", RUNS),
        ("app~a?r*", 18),
        ("app~A?r*", 0),
        ("app!=air.sif", ALL - 18),
        ("input=reference.sif", 8),
        (f"input={WARP.uuid}", 1),
        (f"input={WARP.digest}", 1),
        ("input~atlas*", 15),
        ("output=warp1.sif", 2),
        (f"output={WARP.digest}", 1),
        ("output!=warp1.sif", ALL - 2),
        ("container=warp1.sif", 4),
        (f"digest={WARP.digest}", 2),
        (f"digest={BRAIN.air.digest}", 18),
        ("digest=tree-v1:0000000", ALL),
        ("name=atlas.sif", 8),
        ("base=debian:12", RUNS),
        ("activity=softmean", 2),
        ("activity!=softmean", ALL - 2),
        ("workflow=brain", RUNS),
        ("workflow!=brain", 5),
        ("workflow~br*", RUNS),
        (f"execution={FIRST}", 15),
        ("queue=gpu", 15),
        ("queue!=gpu", ALL - 15),
        ("host=cpu-node", 18),
        ("scheduler=slurm", RUNS),
        ("job=701", 15),
        ("job!=701", ALL - 15),
        ("runtime=singularity-ce", RUNS),
        ("architecture=x86_64", RUNS),
        ("cluster=x", 0),
        ("user=ada", RUNS),
        ("user=1000", RUNS),
        ("user!=ada", 5),
        ("user~a*", RUNS),
        ("exit=0", RUNS),
        ("exit!=0", 0),
        ("outcome=exited", RUNS),
        ("memory>=1M", RUNS),
        ("memory>1M", 0),
        ("elapsed<30s", RUNS),
        ("elapsed<29s", 0),
        ("signal=9", 0),
        ("since=2026-06-02T00:00:00Z", 18),
        ("until=2026-06-02T00:00:00Z", ALL - 18),
        ("source=/scans/1", 1),
        ("command=align_warp anatomy.img reference.img -m 12 -q", 4),
        ("command~* -m 12 *", 4),
        ("command!=softmean y null", ALL - 2),
        ("argument=-m 12", 4),
        ("argument='-m' 12 -q", 4),
        ("argument=m 12", 0),
        ("argument!=-m 12", ALL - 4),
        ("arg.m=12", 4),
        ("arg.m<10", 4),
        ("arg.m~*2", 4),
        ("arg.x=.5", 2),
        ("metric.overlap>0.9", 1),
        ("metric.overlap<=0.9", 1),
        ("metric.overlap!=0.91", 1),
        ("metric.none>0", 0),
        ("tag.center=UChicago", 2),
        ("tag.center!=UChicago", ALL - 2),
        ("tag.center~U*", 2),
        ("note=x", 0),
        ("weekday=monday", 15),
        ("weekday!=monday", ALL - 15),
        (f"id={WARP.generated_by}", 1),
        (f"id={BEGIN}", sum(key.startswith(BEGIN) for key in BRAIN.activities)),
        (f"id!={WARP.generated_by}", ALL - 1),
        ("id~00000000*", ALL),
        ("app=none.sif", 0),
    ],
)
def test_a_condition_finds_what_fulfils_it(brain: Asking, condition: str, count: int) -> None:
    assert len(brain.ids(condition)) == count


def test_conditions_are_all_to_be_fulfilled(brain: Asking) -> None:
    assert brain.left("app=air.sif", "input=warp1.sif", f"execution={SECOND}") == ["resliced1.sif"]
    assert len(brain.ids()) == ALL


def test_what_is_told_of_a_run(brain: Asking) -> None:
    (row,) = brain.find(f"execution={FIRST}", "activity=softmean").dicts()
    atlas = BRAIN.of[FIRST, "atlas.sif"]
    assert row == {
        "id": atlas.generated_by, "kind": "run", "started": "2026-06-01T09:08:29.750000Z",
        "elapsed_s": 29.25, "outcome": "exited", "exit": 0, "workflow": "brain",
        "execution": str(FIRST), "activity": "softmean", "app": "air.sif",
        "app_digest": BRAIN.air.digest, "user": "ada", "job": "701", "host": "gpu-node",
        "cpu_s": 2.0, "memory": 2**20, "command": ("softmean", "y", "null"),
        "inputs": tuple(f"resliced{n}.sif" for n in (1, 2, 3, 4)), "outputs": ("atlas.sif",),
        "tags": (), "metrics": ("overlap=0.91",), "notes": (),
    }  # fmt: skip


def test_the_newest_come_first_and_a_limit_says_that_there_are_more(brain: Asking) -> None:
    found = brain.find(limit=3)
    assert len(found.rows) == 3 and found.more
    started = [row["started"] for row in brain.find("kind=run").dicts()]
    assert started == sorted(started, key=str, reverse=True)
    assert not brain.find(limit=ALL).more


def test_a_run_that_was_ended_by_a_signal_did_not_exit_with_0(opened: Opened) -> None:
    sample = Sample()
    sample.run(sample.application(), (), "good.sif")
    sample.run(sample.application(), (), "bad.sif", exit_code=3)
    asking = Asking(opened, sample.store.values())
    assert asking.left("exit!=0") == ["bad.sif"]
    with opened.catalog.engine.connect() as connection, connection.begin():
        connection.exec_driver_sql(
            "UPDATE execution SET exit_code = NULL, signal = 9, outcome = 'signaled'"
            " WHERE exit_code = 0"
        )
    assert asking.left("exit!=0") == ["bad.sif", "good.sif"]
    assert asking.left("exit=137") == ["good.sif"]
    assert asking.left("signal=9") == ["good.sif"]


def test_a_run_that_goes_on_is_found_and_one_that_is_only_named_is_not(opened: Opened) -> None:
    sample = Sample()
    for name in ("on.sif", "named.sif", "done.sif"):
        sample.run(sample.application(f"app-{name}"), (), name)
    asking = Asking(opened, sample.store.values())
    with opened.catalog.engine.connect() as connection, connection.begin():
        for app, outcome in (("app-on.sif", "running"), ("app-named.sif", None)):
            image = select(container_image.c.id).where(container_image.c.name == app)
            change = execution.update().where(execution.c.container_image_id.in_(image))
            connection.execute(change.values(kind=None, exit_code=None, outcome=outcome))
    assert asking.left("outcome=running") == ["on.sif"]
    assert asking.left() == ["done.sif", "on.sif"]
    assert asking.left("exit!=0") == []
    assert asking.query("q1").column("image") == ["app-done.sif"]
    assert len(asking.query("q3", image="app-on.sif").rows) == 0
    with opened.catalog.engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("UPDATE execution SET job_id = '5'")
    assert sorted(asking.query("q1", job="5").column("image")) == ["app-done.sif", "app-on.sif"]  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("condition", "is_it"),
    [
        ("input=in.sif", True), (f"input={IN}", True), (f"input=id:{IN}", True),
        ("input=/data/in.sif", True), ("input~i*.sif", True), ("output=out.sif", True),
        ("container=in.sif", True), ("container=out.sif", True), ("name=app.sif", True),
        ("name=in.sif", True), ("output!=in.sif", True),
        ("input=out.sif", False), ("output=in.sif", False), ("container=app.sif", False),
        ("input=/other/in.sif", False), ("input=n.sif", False), ("input~[i]*.sif", False),
        ("input!=in.sif", False), (f"input={'a' * 8}{IN[8:]}", False),
        ("input=tree-v1:" + "0" * 64, False), ("input=/data", False), ("input=input", False),
    ],
)  # fmt: skip
def test_a_run_without_a_record_is_found_by_what_it_reported(
    opened: Opened, condition: str, is_it: bool
) -> None:
    asking = Asking(opened, ())
    hostile = replace(container(INPUT, None, 'a"\\,\udc80.sif'), digest=None, reason="-")
    other = UUID(int=RUN.int + 1)
    for report in (start(), start(other, containers=(hostile,))):
        with opened.catalog.engine.connect() as connection, connection.begin():
            put_reports(connection, [report])
    assert (str(RUN) in asking.ids(condition)) == is_it
    assert asking.ids('input=a"\\,\udc80.sif') == [str(other)]


def test_a_task_of_an_array_is_found_as_slurm_writes_it(opened: Opened) -> None:
    sample = Sample()
    for task in ("3", "4"):
        job = {"system": "slurm", "job": f"9{task}", "array_job": "900", "task": task}
        sample.run(
            sample.application(), (), f"t{task}.sif", facts=(Fact("batch", job, "environment"),)
        )
    asking = Asking(opened, sample.store.values())
    assert asking.left("job=900") == ["t3.sif", "t4.sif"]
    assert asking.left("job=900_4") == ["t4.sif"]
    assert asking.left("job=93") == ["t3.sif"]
    assert asking.left("job!=900_4") == ["t3.sif"]


HOSTILE = [
    "a'b", 'a"b', "a\\b", "a%b", "a_b", "a*b", "a[b]", "a?b", "=cmd", "'; DROP TABLE execution; --",
    "\x1b[2Jx", "a\nb", "<script>", "caf\udce9", "a:b", "%s", ":name", "{0}", "漢",
]  # fmt: skip


def plain(text: str) -> str:
    """As a fact may hold it: UTF-8."""
    return text.replace("\udce9", "é")


def test_hostile_names_are_texts_and_nothing_else(opened: Opened) -> None:
    sample = Sample()
    for number, text in enumerate(HOSTILE):
        said = Annotation((text,), ((f"t{number}", text),), ())
        sample.run(
            sample.application(f"app{text}"), (sample.plain(f"in{text}"),), f"out{text}",
            command=("do", text, f"--x={text}"), annotation=said,
            facts=facts(UUID(int=1000 + number), plain(text), "", *(plain(text),) * 3),
        )  # fmt: skip
    asking = Asking(opened, sample.store.values())
    before = opened.count("execution")
    for number, text in enumerate(HOSTILE):
        for condition in (
            f"app=app{text}", f"input=in{text}", f"output=out{text}", f"activity={plain(text)}",
            f"tag.t{number}={text}", f"note={text}", f"workflow={plain(text)}",
            f"job={plain(text)}", f"queue={plain(text)}", f"command=do {text} --x={text}",
            f"arg.x={text}", f"name=app{text}",
        ):  # fmt: skip
            found = [row["command"][1] for row in asking.find(condition).dicts()]  # type: ignore[index]
            # Bytes that are no UTF-8 stand there as escapes.
            assert found == [text.replace("\udce9", "\\xe9")], (number, condition)
        # As a pattern, only * and ? stand for something else.
        matched = asking.find(f"activity~{plain(text)}")
        expected = {"a*b": 9, "a?b": 9}.get(text, 1)
        assert len(matched.rows) == expected, text
    assert opened.count("execution") == before


def test_a_digest_needs_six_digits(brain: Asking) -> None:
    for text in ("digest=tree-v1:00000", "digest=x", "digest~tree*"):
        with pytest.raises(SifprovError, match="no digest"):
            brain.ids(text)
    with pytest.raises(SifprovError, match="argument="):
        brain.ids("argument='")
    with pytest.raises(SifprovError, match="argument=: no word"):
        brain.ids("argument= ")


def test_lists_are_of_their_own_run(brain: Asking) -> None:
    found = brain.find("activity=reslice", f"execution={FIRST}")
    assert sorted(texts(found, "inputs")) == [f"warp{n}.sif" for n in (1, 2, 3, 4)]
    for read, left in zip(found.column("inputs"), found.column("outputs"), strict=True):
        assert str(left).replace("resliced", "warp") == str(read)
