"""What a run used over time, as the page draws it, in Chromium."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sifprov.model.canonical import record_digest
from sifprov.model.fact import Fact
from sifprov.model.telemetry import Telemetry
from sifprov.render.html import render
from tests.browser.chromium import Browser
from tests.unit.graphmaker import Sample

SAMPLES = Telemetry(
    1_000_000, "/proc", "host",
    (
        ("time_us", (1_000_000, 2_000_000, 3_000_000, 4_000_000)),
        ("user_us", (500_000, 2_000_000, 2_500_000, 2_600_000)),
        ("system_us", (0, 100_000, 200_000, 200_000)),
        ("memory_bytes", (1 << 20, 8 << 20, 8 << 20, 2 << 20)),
        ("network_received_bytes", (0, 0, 0, 0)),
        ("network_sent_bytes", (0, 0, 0, 0)),
    ),
)  # fmt: skip


@pytest.fixture
def opened(chromium: Browser, tmp_path: Path) -> Browser:
    """The page of two runs, of which the last was measured, with that run's details."""
    sample = Sample()
    digest = record_digest(SAMPLES.to_bytes())
    fact = Fact("telemetry", {"digest": digest, "samples": 4}, "/proc")
    (middle,) = sample.run(sample.application(), (sample.made("in.sif"),), "middle.sif")
    (end,) = sample.run(sample.application(), (middle,), "out.sif", facts=(fact,))
    path = tmp_path / "trail.html"
    path.write_text(render(sample.graph(end), None, {digest: SAMPLES}), encoding="utf-8")
    chromium.size(1400, 1000)
    chromium.prefer(prefers_color_scheme="light")
    chromium.open(path)
    show(chromium, end.generated_by or "")
    return chromium


def show(browser: Browser, key: str) -> None:
    browser.run(
        f"openPanel(boxes.findIndex(box => (data.items[box.id].about.at(-1)[1][0][1] === "
        f"{json.dumps(key)})))"
    )


def said(browser: Browser) -> str:
    return str(browser.run("document.querySelector('.usage .said').textContent"))


def cursors(browser: Browser) -> int:
    return int(browser.run("document.querySelectorAll('.usage .cursor[d]').length"))


def test_each_thing_has_a_chart_with_an_axis_and_units(opened: Browser) -> None:
    heads = opened.run("[...document.querySelectorAll('.usage .head')].map(e => e.innerText)")
    assert [" ".join(head.split()) for head in heads] == [
        "Processor all of it system", "Memory", "Network of the whole machine received sent none",
    ]  # fmt: skip
    axes = opened.run("[...document.querySelectorAll('.usage text')].map(e => e.textContent)")
    assert axes == ["1.60 cores", "0.00 cores", "8.0 MiB", "0 B", "0 s", "4.00 s"]
    # Nothing is drawn outside of its picture.
    assert opened.run(
        "[...document.querySelectorAll('.usage .line')].every(e => { const b = e.getBBox();"
        " return b.x >= 62 && b.x + b.width <= 356.1 && b.y >= 4 && b.y + b.height <= 42; })"
    )
    assert said(opened) == "4 samples in 4.00 s"


def test_the_pointer_and_the_keys_move_one_cursor_through_all(opened: Browser) -> None:
    opened.run("document.querySelector('.usage').focus()")
    opened.key("ArrowRight")
    opened.key("ArrowRight")
    assert said(opened) == (
        "at 2.00 s: processor all 1.60 cores, processor of it system 0.10 cores; memory 8.0 MiB"
    )
    assert cursors(opened) == 2
    opened.key("End")
    assert said(opened).startswith("at 4.00 s")
    opened.key("ArrowRight")
    opened.key("ArrowLeft")
    assert said(opened).startswith("at 3.00 s")
    opened.key("Home")
    assert said(opened).startswith("at 1.00 s")
    opened.run("document.querySelector('.usage').blur()")
    assert (cursors(opened), said(opened)) == (0, "4 samples in 4.00 s")
    opened.run(
        "(() => { const r = document.querySelector('.usage svg').getBoundingClientRect();"
        " document.querySelector('.usage').dispatchEvent(new PointerEvent('pointermove',"
        " { clientX: r.x + r.width * 0.6, clientY: r.y + 5 })); })()"
    )
    assert said(opened).startswith("at 3.00 s")


def test_the_lines_can_be_seen_in_light_and_in_dark(opened: Browser) -> None:
    colours = set()
    for scheme in ("light", "dark"):
        opened.prefer(prefers_color_scheme=scheme)
        colours.add(
            tuple(
                opened.run(
                    "['.usage .line', '.usage .line-1', '.usage .area', '.usage text'].map(s =>"
                    " { const c = getComputedStyle(document.querySelector(s));"
                    " return s.endsWith('text') || s.endsWith('area') ? c.fill : c.stroke; })"
                )
            )
        )
    light, dark = colours
    assert all(one != other for one, other in zip(light, dark, strict=True))


def test_a_run_that_was_not_measured_has_no_drawing(opened: Browser) -> None:
    opened.run("openPanel(boxes.findIndex(box => data.items[box.id].lines.length && isActivity("
               "numbers.get(box.id)) && !data.items[box.id].used))")  # fmt: skip
    assert opened.run("panel.querySelectorAll('.usage').length") == 0
    assert opened.complaints() == []


def test_values_that_no_measure_gives_break_nothing(chromium: Browser, tmp_path: Path) -> None:
    sample = Sample()
    odd = replace(SAMPLES, columns=(("time_us", (0, 0)), ("memory_bytes", (0, 2**53))))
    digest = record_digest(odd.to_bytes())
    fact = Fact("telemetry", {"digest": digest}, "/proc")
    (end,) = sample.run(sample.application(), (), "out.sif", facts=(fact,))
    path = tmp_path / "trail.html"
    path.write_text(render(sample.graph(end), None, {digest: odd}), encoding="utf-8")
    chromium.open(path)
    chromium.run("openPanel(boxes.findIndex((box, i) => isActivity(i)))")
    axes = chromium.run("[...document.querySelectorAll('.usage text')].map(e => e.textContent)")
    assert axes[0] == "8191.8 TiB"  # four digits of it
    assert "NaN" not in chromium.run("document.querySelector('.usage').innerHTML")
    assert chromium.complaints() == []
