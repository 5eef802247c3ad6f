"""The page of a trail, used as a person uses it, in Chromium."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sifprov.model.annotation import Annotation
from sifprov.model.graph import Graph
from sifprov.render.html import render
from sifprov.render.scene import scene
from sifprov.terminal import printable
from tests.browser.chromium import Browser
from tests.unit.graphmaker import Sample
from tests.unit.graphs import SAMPLES, chain, fan_in, hostile_names, small

Show = Callable[[Graph], Browser]
SHIFT = 8


@pytest.fixture(autouse=True)
def no_complaint(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test but one ends without an error on the console and without a request."""
    yield
    if "page" not in request.fixturenames or "policy" in request.node.name:
        return
    browser: Browser = request.getfixturevalue("chromium")
    assert browser.complaints() == []
    assert len(browser.requests()) == 1 and browser.requests()[0].startswith("file://")


def at(browser: Browser, selector: str) -> tuple[float, float]:
    """The middle of an element in the window."""
    x, y = browser.run(
        f"(() => {{ const r = document.querySelector({json.dumps(selector)})"
        ".getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
    )
    return float(x), float(y)


def box(browser: Browser, title: str) -> str:
    """A selector of the box that bears this title."""
    number = browser.run(f"boxes.findIndex(box => box.title === {json.dumps(title)})")
    assert number >= 0
    return f'[data-i="{number}"]:not(.alias)'


def shown(browser: Browser) -> set[str]:
    """The titles of the boxes that are drawn, in the window or outside."""
    return set(browser.run("[...drawn.keys()].map(i => boxes[i].title)"))


def panel(browser: Browser) -> str:
    """What the details say; nothing when they are closed."""
    return str(browser.run("panel.hidden ? '' : panel.innerText"))


def current(browser: Browser) -> str:
    """The title of the box that has the focus."""
    return str(browser.run("boxes[Number(document.activeElement.dataset.i)]?.title ?? ''"))


def scale(browser: Browser) -> float:
    return float(browser.run("world.getCTM().a"))


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_shown(page: Show, name: str) -> None:
    graph = SAMPLES[name]()
    browser = page(graph)
    assert browser.run("document.title") == scene(graph).title
    assert browser.run("document.querySelectorAll('.box[data-i]').length") >= 5
    assert browser.run("status.textContent").endswith(" shown")
    problems = browser.run("[...document.querySelectorAll('#problems li')].map(e => e.innerText)")
    assert problems == [printable(p) for p in graph.problems]


def test_a_click_shows_all_of_a_run(page: Show) -> None:
    browser = page(small())
    last = list(small().activities.values())[-1]
    assert last.record and last.record.run
    x, y = at(browser, ".box.run[data-i] .mono")
    browser.click(x, y)
    first = panel(browser)
    assert "singularity exec -B input.sif:/Inputs:image-src=/Inputs" in first.replace("\n", " ")
    for text in ("29.25 s, exit code 0", "4711", "slurm", "16.0 GiB", "42.0 MiB", "12.50 s", "ada"):
        assert text in first, text
    # From the run to what it made, and on to the run that read it.
    browser.run(
        "[...panel.querySelectorAll('.link')].find(e => e.innerText === 'middle.sif').click()"
    )
    said = panel(browser)
    assert "middle.sif" in said and "not found here; its records are at hand" in said
    browser.click(*at(browser, ".close"))
    assert panel(browser) == ""


def test_words_and_digests_of_the_last_run(page: Show) -> None:
    browser = page(small())
    graph = small()
    last = list(graph.activities.values())[-1]
    browser.run(
        f"go({json.dumps(next(b.id for b in scene(graph).boxes.values() if b.key == last.key))})"
    )
    said = panel(browser)
    for text in (
        "detector 3 was off",
        "draft-2",
        "0.93",
        "checked by hand",
        last.key,
        *last.digests,
    ):
        assert text in said, text


def test_a_click_beside_closes_and_dragging_does_not_select(page: Show) -> None:
    browser = page(small())
    x, y = at(browser, box(browser, "middle.sif"))
    browser.drag((x, y), (x + 60, y + 40))
    assert panel(browser) == ""
    assert at(browser, box(browser, "middle.sif")) == pytest.approx((x + 60, y + 40), abs=1)
    browser.click(x + 60, y + 40)
    assert "middle.sif" in panel(browser)
    browser.click(300, 700)
    assert panel(browser) == ""


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("MIDDLE", "middle.sif"),
        ("gnuplot sif", "gnuplot.sif"),
        ("draft-2 result.csv", "sh -c 'cat /Inputs/* > /Outputs/result.csv'"),
        ("/home/ada/data", "/home/ada/data"),
    ],
)  # fmt: skip
def test_search_finds_names_commands_and_tags(page: Show, query: str, title: str) -> None:
    browser = page(small())
    browser.key("/")
    for letter in query:
        browser.key(letter)
    browser.key("Enter")
    assert browser.run("panel.querySelector('h2').innerText") == title
    assert current(browser) == title


def test_search_finds_identities_and_digests(page: Show) -> None:
    browser = page(small())
    for entity in small().entities.values():
        for words in (str(entity.uuid), entity.digest, entity.record):
            found = browser.run(f"search({json.dumps(words or entity.name)}).map(e => e.title)")
            assert entity.name in found


def test_search_lists_what_it_finds_and_walks_the_list(page: Show) -> None:
    browser = page(fan_in(1000))
    browser.click(*at(browser, "#search"))
    for letter in "part-09":
        browser.key(letter)
    assert browser.run("results.children.length") == 51
    assert "200 found" in browser.run("results.lastChild.innerText")  # containers and makings
    browser.key("ArrowDown")
    browser.key("ArrowDown")
    assert browser.run("input.getAttribute('aria-activedescendant')") == "found-1"
    browser.key("Enter")
    assert "part-0901.sif" in panel(browser)
    browser.key("/")
    browser.key("Escape")
    assert browser.run("input.value") == "" and browser.run("results.hidden")
    for letter in "xyzzy":
        browser.key("/" if browser.run("document.activeElement !== input") else letter)
    browser.run("input.focus(), input.value = 'xyzzy', showFound()")
    assert browser.run("results.innerText") == "nothing found"


def test_every_word_has_to_be_found(page: Show) -> None:
    browser = page(small())
    assert browser.run("search('gnuplot.sif').length") == 2  # the application, and its run
    assert browser.run("search('gnuplot.sif simulate.sif').length") == 0


def test_the_sign_hides_and_shows_what_a_box_came_from(page: Show) -> None:
    browser = page(small())
    every = shown(browser)
    sign = box(browser, "middle.sif") + " .sign"
    browser.click(*at(browser, sign))
    assert shown(browser) == every - {"input.sif", "simulate.sif", "/home/ada/data"} | {
        "sh -c 'cat /Inputs/* > /Outputs/result.csv'"
    }
    assert browser.run(f"document.querySelector('{sign}').textContent") == "+4"
    assert "4 it came from are hidden" in browser.run(
        f"document.querySelector('{box(browser, 'middle.sif')}').getAttribute('aria-label')"
    )
    browser.click(*at(browser, sign))
    assert shown(browser) == every


def test_a_box_stays_where_it_is_when_others_come(page: Show) -> None:
    browser = page(small())
    before = at(browser, box(browser, "middle.sif") + " .icon")
    browser.click(*at(browser, box(browser, "middle.sif") + " .sign"))
    assert at(browser, box(browser, "middle.sif") + " .icon") == pytest.approx(before, abs=1)


def test_a_thousand_runs(page: Show, capsys: pytest.CaptureFixture[str]) -> None:
    browser = page(chain(1000))
    painted = browser.run("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert len(shown(browser)) < 100
    assert browser.run("status.textContent").endswith(" of 2,003 shown")
    hidden = browser.run("[...drawn.values()].reduce((sum, d) => sum + d.hidden, 0)")
    assert hidden + browser.run("drawn.size") == 2003
    # A step: forty more, and the rest stays closed.
    step = "[...drawn].find(([, d]) => d.hidden)[0]"
    count = browser.run("drawn.size")
    browser.run(f"fold({step})")
    assert count < browser.run("drawn.size") <= count + 50
    browser.run("go([...numbers.keys()].find(id => data.items[id]?.title === 'step-0003.sif'))")
    assert "step-0003.sif" in panel(browser)
    every = browser.run(
        "(() => { const begin = performance.now(); showAll();"
        " return [performance.now() - begin, drawn.size]; })()"
    )
    frame = "new Promise(done => { const begin = performance.now(); let n = 0; const next = () => {"
    frame += " zoom(n % 2 ? 1.1 : 1 / 1.1); n++ < 20 ? requestAnimationFrame(next)"
    frame += " : done((performance.now() - begin) / 20); }; next(); })"
    moving = browser.run(frame)
    assert every[1] == 2003
    browser.key("c")
    assert browser.run("drawn.size") == count
    with capsys.disabled():
        print(
            f"\n  1,000 runs: first paint {painted:.0f} ms, all drawn in {every[0]:.0f} ms,"
            f" a step of zoom {moving:.0f} ms",
            end="",
        )


def test_a_thousand_inputs(page: Show) -> None:
    browser = page(fan_in(1000))
    assert shown(browser) >= {"1,000 data containers", "1,000 makings", "output.sif"}
    browser.click(*at(browser, box(browser, "1,000 data containers") + " .title"))
    assert "part-0999.sif" in panel(browser)
    assert browser.run("document.querySelectorAll('.tile').length") == 1000
    browser.run("go('e500')")
    assert "part-0500.sif" in panel(browser)
    x, y = at(browser, '[data-item="e501"]')
    browser.click(x, y)
    assert "part-0501.sif" in panel(browser)
    browser.run("toggleGroup(drawnIn.get('e501'))")
    assert browser.run("document.querySelectorAll('.tile').length") == 0


def test_wheel_buttons_and_keys_zoom(page: Show) -> None:
    browser = page(small())
    place = at(browser, box(browser, "middle.sif") + " .icon")
    was = scale(browser)
    browser.wheel(*place, -300)
    assert scale(browser) > 1.4 * was
    # What is under the pointer stays under it.
    assert at(browser, box(browser, "middle.sif") + " .icon") == pytest.approx(place, abs=1)
    browser.key("0")
    assert scale(browser) == pytest.approx(1)
    browser.click(*at(browser, "#zoom-in"))
    assert scale(browser) == pytest.approx(1.25)
    browser.key("-")
    assert scale(browser) == pytest.approx(1)
    browser.key("f")
    assert scale(browser) == pytest.approx(was)
    for _ in range(40):
        browser.wheel(*place, 500)
    assert scale(browser) == pytest.approx(0.04)


def test_two_fingers_zoom_and_one_moves(page: Show) -> None:
    browser = page(small())
    was = scale(browser)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        places = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        browser.send("Input.dispatchTouchEvent", type=kind, touchPoints=places)

    touch("touchStart", (500, 300))
    touch("touchStart", (500, 300), (600, 300))
    touch("touchMove", (500, 300), (610, 300))
    touch("touchMove", (500, 300), (720, 300))
    touch("touchEnd")
    assert scale(browser) == pytest.approx(was * 2, rel=0.02)
    x, y = at(browser, box(browser, "middle.sif") + " .icon")
    touch("touchStart", (500, 500))
    touch("touchMove", (520, 500))
    touch("touchMove", (560, 480))
    touch("touchEnd")
    assert at(browser, box(browser, "middle.sif") + " .icon") == pytest.approx(
        (x + 60, y - 20), abs=1
    )
    assert panel(browser) == ""


def test_the_keyboard_walks_through_the_graph(page: Show) -> None:
    browser = page(small())
    for _ in range(12):
        browser.key("Tab")
        if current(browser):
            break
    assert current(browser) == "output.sif"
    assert browser.run("document.activeElement.matches(':focus-visible')")
    steps = [("ArrowLeft", "sh -c"), ("ArrowLeft", "middle.sif"), ("ArrowDown", "gnuplot.sif"),
             ("ArrowUp", "middle.sif"), ("ArrowLeft", "sh -c"), ("ArrowRight", "middle.sif"),
             ("Home", "output.sif")]  # fmt: skip
    for key, title in steps:
        browser.key(key)
        assert current(browser).startswith(title), (key, title, current(browser))
    browser.key("ArrowLeft")
    browser.key("Enter")
    assert "exit code 0" in panel(browser)
    browser.key(" ")
    assert "middle.sif" not in shown(browser)
    browser.key(" ")
    assert "middle.sif" in shown(browser)
    browser.key("Escape")
    assert panel(browser) == "" and current(browser).startswith("sh -c")


def test_the_keyboard_moves_the_picture(page: Show) -> None:
    browser = page(small())
    x, y = at(browser, box(browser, "middle.sif") + " .icon")
    for key in ("ArrowRight", "ArrowDown", "ArrowDown"):
        browser.key(key, modifiers=SHIFT)
    moved = at(browser, box(browser, "middle.sif") + " .icon")
    assert moved == pytest.approx((x - 120, y - 240), abs=1)


def test_help_and_its_end(page: Show) -> None:
    browser = page(small())
    browser.key("?", modifiers=SHIFT)
    assert browser.run("document.getElementById('keys').open")
    browser.key("Escape")
    assert not browser.run("document.getElementById('keys').open")


def test_what_a_screen_reader_is_told(page: Show) -> None:
    browser = page(small())
    tree = browser.send("Accessibility.getFullAXTree")["nodes"]
    told = {
        (n["role"]["value"], n.get("name", {}).get("value", "")) for n in tree if not n["ignored"]
    }
    assert ("heading", "Record trail of output.sif") in told
    assert any(
        r == "button" and n.startswith("data container, output.sif, tree-v1:") for r, n in told
    )
    assert any(r == "button" and n.startswith("run, sh -c 'cat") for r, n in told)
    assert ("combobox", "Search the trail") in told
    names = [n for r, n in told if r == "button"]
    assert all(names)


def test_dark_and_light(page: Show) -> None:
    browser = page(small())

    def ground() -> str:
        return str(browser.run("getComputedStyle(document.body).backgroundColor"))

    light, dark = "rgb(255, 255, 255)", "rgb(13, 17, 23)"
    assert ground() == light
    browser.prefer(prefers_color_scheme="dark")
    assert ground() == dark
    browser.key("d")
    browser.key("d")
    assert ground() == light  # asked for, against the system
    browser.key("d")
    assert ground() == dark
    browser.prefer(prefers_color_scheme="light")
    browser.click(*at(browser, "#theme"))
    assert ground() == dark


def hostile() -> Graph:
    """Markup and scripts in every place where a text can stand."""
    bad = "</script><img src=x onerror=\"document.title='hurt'\"><svg onload=alert(1)>"
    bad += "\u202e'\"`\u2028"
    s = Sample()
    words = Annotation(notes=(bad,), tags=((bad, bad),), metrics=((bad, "1"),))
    data = s.made(bad, bad)
    (out,) = s.run(s.application(bad), (data,), bad, argv=("x", bad), annotation=words)
    s.say(out, bad)
    return s.graph(out, problems=(bad,))


@pytest.mark.parametrize("graph", [hostile(), hostile_names()], ids=["markup", "names"])
def test_hostile_names_are_shown_and_do_nothing(page: Show, graph: Graph) -> None:
    browser = page(graph)
    title = scene(graph).title
    assert browser.run("document.querySelectorAll('script').length") == 2
    for id_ in scene(graph).boxes:
        browser.run(f"go({json.dumps(id_)})")
    browser.key("/")
    for letter in "<img":
        browser.key(letter)
    browser.key("Escape")
    browser.key("t")
    assert browser.run("document.title") == title
    assert browser.run("document.querySelectorAll('img, iframe, object, embed, a').length") == 0
    assert browser.run("document.querySelectorAll('#canvas *[onload], *[onerror]').length") == 0
    text = browser.run("document.body.innerText")
    assert "\u202e" not in text and "\x1b" not in text
    assert not [e for e in browser.events if e.get("method") == "Page.javascriptDialogOpening"]
    if any("onerror" in e.name for e in graph.entities.values()):
        assert "onerror" in text and "\\u202e" in text


def test_the_policy_forbids_requests_and_other_scripts(page: Show) -> None:
    browser = page(small())
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(1)
        where = f"http://127.0.0.1:{server.getsockname()[1]}/"
        browser.run(
            f"document.body.append(Object.assign(new Image(), {{ src: '{where}' }})),"
            " document.body.append(Object.assign(document.createElement('script'),"
            " { textContent: 'document.title = \"hurt\"' })),"
            f" fetch('{where}').catch(() => 0)"
        )
        with pytest.raises(TimeoutError):
            server.accept()
    assert browser.run("document.title") != "hurt"
    assert sum("Content Security Policy" in c for c in browser.complaints()) >= 3


def test_the_table_has_all_and_leads_to_the_graph(page: Show) -> None:
    browser = page(small())
    browser.click(*at(browser, "#tabular"))
    rows = browser.run("[...document.querySelectorAll('tbody tr')].map(r => r.innerText)")
    assert len(rows) == 8
    assert any("middle.sif" in row and "gnuplot.sif" in row and "output.sif" in row for row in rows)
    browser.run("document.querySelector('tbody tr:last-child').click()")
    assert panel(browser)


def test_without_scripts_there_is_the_table(chromium: Browser, tmp_path: Path) -> None:
    path = tmp_path / "trail.html"
    path.write_text(render(small()), encoding="utf-8")
    chromium.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        chromium.open(path)
        tree = chromium.send("Accessibility.getFullAXTree")["nodes"]
    finally:
        chromium.send("Emulation.setScriptExecutionDisabled", value=False)
    told: list[Any] = [n.get("name", {}).get("value", "") for n in tree if not n["ignored"]]
    for entity in small().entities.values():
        assert entity.name in told
    assert "Search the trail" not in told


def test_on_paper_there_are_graph_and_table(page: Show) -> None:
    browser = page(small())
    browser.send("Emulation.setEmulatedMedia", media="print")
    seen = "['#table', '#canvas', '.tools', '.search'].map(s =>"
    seen += " document.querySelector(s).checkVisibility())"
    assert browser.run(seen) == [True, True, False, False]
    browser.send("Emulation.setEmulatedMedia", media="")


def test_all_that_is_shown_is_printed(page: Show) -> None:
    browser = page(chain(60))
    browser.run("showAll()")
    browser.key("0")
    on_screen = browser.run("document.querySelectorAll('[data-i]').length")
    place = at(browser, box(browser, "step-0059.sif"))
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run("document.querySelectorAll('[data-i]:not(.alias)').length") == 123
    assert browser.run(
        "(() => { const r = canvas.getBoundingClientRect();"
        " return [...document.querySelectorAll('[data-i]')].every(e => {"
        " const b = e.getBoundingClientRect(); return b.left >= r.left && b.right <= r.right"
        " && b.top >= r.top && b.bottom <= r.bottom; }); })()"
    )
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert browser.run("document.querySelectorAll('[data-i]').length") == on_screen < 60
    assert at(browser, box(browser, "step-0059.sif")) == pytest.approx(place, abs=1)
    pdf = browser.send("Page.printToPDF", printBackground=True, landscape=True)["data"]
    assert base64.b64decode(pdf)[:5] == b"%PDF-"
