"""The file in which a step's application leaves its metrics: trusted in nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from sifprov.errors import FileError, RecordError
from sifprov.workflow.document import Output, Step, Workflow
from sifprov.workflow.metrics import note_metrics, parse_metrics
from sifprov.workflow.plan import Plan
from sifprov.workflow.reading import from_json

STEP = Step("train", "a.sif", ("true",), outputs=(Output("net", "net.sif", "/Network"),))


def test_numbers_are_noted_as_they_are_written() -> None:
    found = parse_metrics(b'{"r2": 0.930, "n": 4, "loss": -1.5e-3}', "net.sif")
    assert found.metrics == (("loss", "-1.5e-3"), ("n", "4"), ("r2", "0.930"))
    assert not found.tags
    assert not found.notes


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[1, 2]", "not an object of 1 to"),
        (b"{}", "not an object of 1 to"),
        (json.dumps({f"m{n}": n for n in range(300)}).encode(), "not an object of 1 to 256"),
        (b'{"r2": "0.9"}', "'r2' is no number"),
        (b'{"r2": true}', "'r2' is no number"),
        (b'{"r2": null}', "'r2' is no number"),
        (b'{"r2": {"a": 1}}', "'r2' is no number"),
        (b'{"r2": NaN}', "NaN is no number"),
        (b'{"r2": -Infinity}', "-Infinity is no number"),
        (b'{"r2": 1e999}', "r2"),
        (b'{"": 1}', "a name is not"),
        (b'{"' + b"n" * 10_000 + b'": 1}', "a name is not"),
        (b'{"a=b": 1}', "metric"),
        (b"[" * 100_000, "no JSON"),
        (b'{"n": ' + b"9" * 10_000 + b"}", "n"),
    ],
)
def test_what_is_no_metric_is_refused_in_one_line(data: bytes, said: str) -> None:
    with pytest.raises(FileError) as caught:
        parse_metrics(data, "net.sif: /Network/metrics.json")
    text = str(caught.value)
    assert text.startswith("net.sif: /Network/metrics.json: ")
    assert said in text
    assert "\n" not in text
    assert len(text) < 400


def test_the_file_has_to_be_in_an_output_of_the_step() -> None:
    step = replace(STEP, metrics="/Elsewhere/metrics.json")
    with pytest.raises(RecordError, match="in no output of the step: they are at /Network"):
        note_metrics(Plan(Workflow("w", (step,)), "/nowhere"), step)


def test_a_step_without_metrics_looks_at_nothing() -> None:
    note_metrics(Plan(Workflow("w", (STEP,)), "/nowhere"), STEP)


@pytest.mark.parametrize("path", ["metrics.json", "/Network/", "", "/a\0b"])
def test_a_workflow_names_it_as_the_application_sees_it(path: str) -> None:
    value: Any = Workflow("w", (STEP,)).to_json()
    step = value["steps"][0]
    with pytest.raises(RecordError, match=r"steps\[0\]\.metrics"):
        from_json({**value, "steps": [{**step, "metrics": path}]})
    good = {**value, "steps": [{**step, "metrics": "/Network/metrics.json"}]}
    assert from_json(good).to_json() == good
