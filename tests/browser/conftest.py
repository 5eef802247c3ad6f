"""One Chromium for all tests of this folder; each opens pages of its own in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sifprov.model.graph import Graph
from sifprov.render.html import render
from tests.browser.chromium import PROGRAM, Browser, browser


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.program)


# It would go on drawing to the end of the session.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The running browser."""
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"the program '{PROGRAM}' is not there; Debian's package chromium has it")
    with browser() as running:
        yield running


@pytest.fixture
def page(chromium: Browser, tmp_path: Path) -> Callable[[Graph], Browser]:
    """Opens the page of a graph in a window of 1400 by 800 pixels, in light colours."""

    def show(graph: Graph) -> Browser:
        path = tmp_path / "trail.html"
        path.write_text(render(graph), encoding="utf-8")
        chromium.size(1400, 800)
        chromium.prefer(prefers_color_scheme="light")
        chromium.open(path)
        return chromium

    return show
