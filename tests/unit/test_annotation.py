"""Notes, tags and metrics: as typed, from the environment, as JSON."""

from __future__ import annotations

import pytest

from sifprov.errors import RecordError, SifprovError
from sifprov.model.annotation import Annotation, from_environment, make, merge


def test_what_was_typed_is_read_and_written_alike() -> None:
    made = make(
        ["a note", "with\nlines \udcff"], ["b=2", "a=x=y", "b=3", "e="], ["r2=0.93", "p=-1.5e-9"]
    )
    assert made.tags == (("a", "x=y"), ("b", "3"), ("e", ""))
    assert made.metrics == (("p", "-1.5e-9"), ("r2", "0.93"))
    assert Annotation.from_json(made.to_json(), "annotation") == made


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("notes", " "), ("notes", "x" * 20_000), ("tags", "novalue"), ("tags", "=x"),
        ("tags", "a\x1b=x"), ("tags", "n" * 200 + "=x"), ("metrics", "r2"), ("metrics", "r2=nan"),
        ("metrics", "r2=inf"), ("metrics", "r2=1e999"), ("metrics", "r2=.5"), ("metrics", "r2=0x1"),
        ("metrics", "r2=" + "1" * 65), ("metrics", "r2=\u0661"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(kind: str, text: str) -> None:
    with pytest.raises(SifprovError):
        make(**{kind: [text]})


def test_too_many_are_refused() -> None:
    with pytest.raises(SifprovError, match="256"):
        make(["x"] * 257)


def test_the_environment_never_costs_a_run() -> None:
    found, problems = from_environment(
        {
            "SIFPROV_NOTE": "one, two",
            "SIFPROV_TAGS": "a=1, bad,b=2,",
            "SIFPROV_METRICS": "r2=0.5,q=nan",
        }
    )
    assert found == Annotation(("one, two",), (("a", "1"), ("b", "2")), (("r2", "0.5"),))
    assert len(problems) == 2
    assert problems[0].startswith("$SIFPROV_TAGS: tag 'bad'")
    assert from_environment({}) == (Annotation(), ())
    assert from_environment({"SIFPROV_NOTE": "x" * 20_000})[1]


def test_the_second_of_two_counts() -> None:
    both = merge(make(["a"], ["t=1", "u=1"]), make(["b"], ["t=2"], ["m=1"]))
    assert both == Annotation(("a", "b"), (("t", "2"), ("u", "1")), (("m", "1"),))


@pytest.mark.parametrize(
    "broken",
    [
        {"notes": [], "tags": {}, "metrics": {}},
        {"notes": ["x"], "tags": {}},
        {"notes": ["x"], "tags": {}, "metrics": {"r2": 0.5}},
        {"notes": ["x"], "tags": {}, "metrics": {"r2": "1e999"}},
        {"notes": ["x"], "tags": {"": "x"}, "metrics": {}},
        {"notes": ["x"] * 257, "tags": {}, "metrics": {}},
        {"notes": "x", "tags": {}, "metrics": {}},
        {"notes": [5], "tags": {}, "metrics": {}},
        {"notes": ["x" * 20_000], "tags": {}, "metrics": {}},
        {"notes": ["x"], "tags": [], "metrics": {}},
        {"notes": ["x"], "tags": {}, "metrics": {}, "more": 1},
    ],
)
def test_a_broken_one_is_refused(broken: object) -> None:
    with pytest.raises(RecordError, match="annotation"):
        Annotation.from_json(broken, "annotation")  # type: ignore[arg-type]
