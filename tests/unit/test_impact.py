"""What was derived from a container, to any depth, on both databases."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import func, select
from tests.catalogs import Opened
from tests.unit.asking import Asking, names
from tests.unit.brain import AXES, FIRST, Brain
from tests.unit.graphmaker import Sample

from sifprov.catalog.tables import location, state
from sifprov.errors import MissingError
from sifprov.frozen import replace
from sifprov.model.graph import Entity


def of(opened: Opened, sample: Sample) -> Asking:
    return Asking(opened, sample.store.values())


def depths(asking: Asking, *named: str, **options: object) -> dict[str, int]:
    found = asking.impact(*named, **options)  # type: ignore[arg-type]
    pairs = zip(found.column("container"), found.column("depth"), strict=True)
    return {str(name): int(str(depth)) for name, depth in pairs}


@pytest.fixture
def chain() -> tuple[Sample, list[Entity]]:
    """a -> b -> c -> d, and beside it e, which reads a and c."""
    sample = Sample()
    app = sample.application()
    made = [sample.made("a.sif")]
    for name in ("b.sif", "c.sif", "d.sif"):
        made += sample.run(app, (made[-1],), name)
    made += sample.run(app, (made[0], made[2]), "e.sif")
    return sample, made


def test_each_is_told_with_its_least_depth(
    opened: Opened, chain: tuple[Sample, list[Entity]]
) -> None:
    sample, made = chain
    asking = of(opened, sample)
    everything = {"b.sif": 1, "c.sif": 2, "d.sif": 3, "e.sif": 1}
    for text in ("a.sif", str(made[0].uuid), f"id:{made[0].uuid}", made[0].digest or ""):
        assert depths(asking, text) == everything, text
    assert depths(asking, "/home/ada/c.sif") == {"d.sif": 1, "e.sif": 1}
    assert depths(asking, "a.sif", depth=1) == {"b.sif": 1, "e.sif": 1}
    assert depths(asking, "d.sif") == {}
    found = asking.impact("a.sif", limit=2)
    assert len(found.rows) == 2 and found.more
    assert found.column("run")[0] == made[1].generated_by


def test_an_application_made_all_that_its_runs_left(
    opened: Opened, chain: tuple[Sample, list[Entity]]
) -> None:
    sample, _ = chain
    other = sample.application("other.sif")
    sample.run(other, (chain[1][3],), "f.sif")
    asking = of(opened, sample)
    assert depths(asking, "app.sif", depth=1) == {
        "b.sif": 1, "c.sif": 1, "d.sif": 1, "e.sif": 1,
    }  # fmt: skip
    assert depths(asking, "app.sif")["f.sif"] == 2
    assert depths(asking, "other.sif") == {"f.sif": 1}
    assert depths(asking, other.digest or "") == {"f.sif": 1}


def test_a_run_stands_for_what_it_left(opened: Opened, chain: tuple[Sample, list[Entity]]) -> None:
    sample, made = chain
    asking = of(opened, sample)
    assert depths(asking, made[1].generated_by or "") == {"c.sif": 1, "d.sif": 2, "e.sif": 2}


def test_several_beginnings_are_one_answer(
    opened: Opened, chain: tuple[Sample, list[Entity]]
) -> None:
    asking = of(opened, chain[0])
    # What was begun with is no answer, though it was derived from the other.
    assert depths(asking, "a.sif", "c.sif") == {"b.sif": 1, "d.sif": 1, "e.sif": 1}


def test_a_later_state_of_what_was_derived_is_derived(opened: Opened) -> None:
    sample = Sample()
    app = sample.application()
    a, other = sample.made("a.sif"), sample.made("other.sif")
    (b,) = sample.run(app, (a,), "b.sif")
    (later,) = sample.run(app, (other,), b)
    sample.run(app, (later,), "c.sif")
    found = of(opened, sample).impact("a.sif")
    assert found.column("container") == ["b.sif", "b.sif", "c.sif"]
    assert found.column("depth") == [1, 2, 3]
    assert found.column("run")[1] == later.generated_by


def test_a_copy_counts_at_the_beginning_and_nowhere_else(opened: Opened) -> None:
    sample = Sample()
    app = sample.application()
    a, copy = sample.made("a.sif"), sample.made("copy.sif")
    copy = replace(copy, container=replace(copy.container, digest=a.digest))
    sample.run(app, (a,), "b.sif")
    sample.run(app, (copy,), "of-copy.sif")
    asking = of(opened, sample)
    _same_content(opened, "a.sif", "copy.sif")
    assert depths(asking, "a.sif") == {"b.sif": 1, "of-copy.sif": 1}
    assert depths(asking, "a.sif", copies=False) == {"b.sif": 1}


def test_two_results_that_are_the_same_by_chance_tie_nothing_together(opened: Opened) -> None:
    sample = Sample()
    app = sample.application()
    a, stranger = sample.made("a.sif"), sample.made("stranger.sif")
    sample.run(app, (a,), "empty.sif")
    (other,) = sample.run(app, (stranger,), "other-empty.sif")
    sample.run(app, (other,), "of-stranger.sif")
    asking = of(opened, sample)
    _same_content(opened, "empty.sif", "other-empty.sif")
    assert depths(asking, "a.sif") == {"empty.sif": 1}
    # Asked for by itself, it does count; but not where it is known to hold no file.
    assert depths(asking, "empty.sif") == {"of-stranger.sif": 1}
    with opened.catalog.engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("UPDATE state SET files = 0 WHERE name = 'empty.sif'")
    assert depths(asking, "empty.sif") == {}


def _same_content(opened: Opened, first: str, second: str) -> None:
    its = select(func.min(state.c.content_id)).where(state.c.name == first).scalar_subquery()
    with opened.catalog.engine.connect() as connection, connection.begin():
        connection.execute(state.update().where(state.c.name == second).values(content_id=its))


def test_a_circle_of_forged_records_ends(opened: Opened) -> None:
    sample = Sample()
    app = sample.application()
    (b,) = sample.run(app, (sample.made("a.sif"),), "b.sif")
    sample.run(app, (b,), "c.sif")
    asking = of(opened, sample)
    with opened.catalog.engine.connect() as connection, connection.begin():
        connection.exec_driver_sql(
            "INSERT INTO used (execution_id, state_id, mount) SELECT generated_by,"
            " (SELECT id FROM state WHERE name = 'c.sif' AND generated_by IS NOT NULL), '/x'"
            " FROM state WHERE name = 'b.sif' AND generated_by IS NOT NULL"
        )
        connection.exec_driver_sql(
            "UPDATE state SET revision_of = id WHERE name = 'b.sif' AND generated_by IS NOT NULL"
        )
    assert depths(asking, "a.sif") == {"b.sif": 1, "c.sif": 2}
    assert depths(asking, "c.sif", copies=False) == {"b.sif": 1}


def test_very_many_ways_are_walked_once(opened: Opened) -> None:
    sample = Sample()
    app = sample.application()
    (last,) = sample.run(app, (sample.made("a.sif"),), "d0.sif")
    # Twice as many ways with every step: 2 ** 30.
    for n in range(1, 31):
        left, right = sample.run(app, (last,), f"l{n}.sif", f"r{n}.sif")
        (last,) = sample.run(app, (left, right), f"d{n}.sif")
    found = depths(of(opened, sample), "a.sif")
    assert found["d30.sif"] == 61
    assert len(found) == 91


def test_where_it_is_now(opened: Opened, chain: tuple[Sample, list[Entity]]) -> None:
    asking = of(opened, chain[0])
    with opened.catalog.engine.connect() as connection, connection.begin():
        for name, status, is_own in (
            ("b.sif", "good", True), ("c.sif", "vanished", True), ("d.sif", "good", False),
        ):  # fmt: skip
            made = (state.c.name == name) & state.c.generated_by.is_not(None)
            (row,) = connection.execute(select(state.c.id, state.c.data_container_id).where(made))
            connection.execute(location.insert().values(
                host="", folder="/data", name=name, status=status, state_id=row[0] if is_own else 1,
                data_container_id=row[1],
            ))  # fmt: skip
    found = asking.impact("a.sif")
    where = {
        str(row["container"]): (row["status"], row["path"]) for row in found.dicts()
    }  # fmt: skip
    assert where == {
        "b.sif": ("good", "/data/b.sif"), "c.sif": ("vanished", "/data/c.sif"),
        "d.sif": ("gone on", "/data/d.sif"), "e.sif": ("not indexed", None),
    }  # fmt: skip
    assert asking.files("kind=run") == ["/data/b.sif", "/data/d.sif"]


def test_conditions_choose_among_what_was_derived(opened: Opened) -> None:
    brain = Brain()
    asking = Asking(opened, brain.records())
    found = asking.impact("anatomy1.sif", where=("activity=slicer", f"execution={FIRST}"))
    assert names(found) == [f"atlas-{axis}.sif" for axis in AXES]
    assert set(found.column("depth")) == {4}


def test_what_nobody_knows_is_an_error(opened: Opened) -> None:
    asking = Asking(opened, ())
    for text in ("none.sif", str(UUID(int=5)), "tree-v1:" + "9" * 64, "/none/x.sif"):
        with pytest.raises(MissingError, match="nothing in the catalog"):
            asking.impact(text)
