"""What needs what, the composition, and what shares a batch job."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.workflows import diamond, document, step

from sifprov.errors import RecordError
from sifprov.workflow.graph import composition, groups, shape
from sifprov.workflow.plan import Plan
from sifprov.workflow.reading import from_json
from sifprov.workflow.snakefile import snakefile


def names(what: dict[str, Any]) -> list[str]:
    workflow = from_json(what)
    return [workflow.steps[at].activity for at in shape(workflow).order]


def test_the_order_follows_from_inputs_and_outputs() -> None:
    assert names(diamond()) == ["prep", "left", "right", "join"]


def test_a_file_that_a_step_makes_is_its_output_too() -> None:
    reader = step("a", ("raw",))
    reader["inputs"][0]["file"] = "./b.sif"
    assert names(document(reader, step("b"))) == ["b", "a"]


def test_a_circle_is_refused_in_plain_words() -> None:
    what = document(step("a", ("c",)), step("b", ("a",)), step("c", ("b",)), step("d", ("a",)))
    with pytest.raises(RecordError) as caught:
        shape(from_json(what))
    assert str(caught.value) == (
        "steps: a circle: 'a', which needs 'c', which needs 'b', which needs 'a'"
    )


def test_a_step_that_reads_what_it_makes_is_refused() -> None:
    what = document(step("a", ("a",)))
    what["steps"][0]["inputs"][0]["mount"] = "/Before"
    with pytest.raises(RecordError, match=r"steps\[0\]: 'a' reads what it makes itself"):
        shape(from_json(what))


def test_two_steps_make_no_one_file() -> None:
    what = document(step("a"), step("b"))
    what["steps"][1]["outputs"][0]["path"] = "x/../a.sif"
    with pytest.raises(RecordError, match=r"outputs\[0\].path: .* is made by 'a' too"):
        shape(from_json(what))


def apps(*images: str, **fields: Any) -> dict[str, Any]:
    """A chain of steps with these applications."""
    steps = [
        step(f"s{n}", (f"s{n - 1}",) if n else (), application=f"{image}.sif")
        for n, image in enumerate(images)
    ]
    return document(*steps, **fields)


@pytest.mark.parametrize(
    ("what", "found"),
    [
        (apps("x"), "fine"),
        (apps("x", "x"), "coarse"),
        (apps("x", "y"), "fine"),
        (apps("x", "./x", "y"), "hybrid"),
        (apps("x", "x", composition="fine"), "fine"),
        (apps("x", "y", composition="coarse"), "coarse"),
    ],
)
def test_the_composition_is_declared_or_counted(what: dict[str, Any], found: str) -> None:
    assert composition(from_json(what)) == found


@pytest.mark.parametrize(
    ("what", "found"),
    [
        (apps("x", "x", "x"), (0, 0, 0)),
        (apps("x", "x", composition="fine"), (None, None)),
        (apps("x", "x", "y", "y"), (0, 0, 2, 2)),
        # The first and the last cannot share a job: the one between has to run between them.
        (apps("x", "y", "x"), (None, None, None)),
        (apps("x", "x", "y", "x", "x"), (0, 0, None, 3, 3)),
    ],
)
def test_steps_of_one_application_share_a_job(
    what: dict[str, Any], found: tuple[int | None, ...]
) -> None:
    workflow = from_json(what)
    assert groups(workflow, shape(workflow)) == found
    text = snakefile(Plan(workflow, "/x"), ["sifprov"])
    assert text.count("group:") == sum(g is not None for g in found)


@given(
    st.lists(
        st.tuples(st.sampled_from("xyz"), st.sets(st.integers(0, 7), max_size=3)),
        min_size=1, max_size=8,
    )
)  # fmt: skip
def test_jobs_never_need_each_other_in_a_circle(drawn: list[tuple[str, set[int]]]) -> None:
    steps = [
        step(f"s{n}", tuple(f"s{m}" for m in sorted(needs) if m < n), application=f"{app}.sif")
        for n, (app, needs) in enumerate(drawn)
    ]
    workflow = from_json(document(*steps, composition="hybrid"))
    its = shape(workflow)
    found = groups(workflow, its)
    job = [f"g{g}" if g is not None else f"s{n}" for n, g in enumerate(found)]
    needs: dict[str, set[str]] = {j: set() for j in job}
    for n, before in enumerate(its.needs):
        needs[job[n]] |= {job[m] for m in before} - {job[n]}
    done: set[str] = set()
    while left := [j for j in needs if j not in done]:
        ready = [j for j in left if needs[j] <= done]
        assert ready, (job, needs)
        done.update(ready)
