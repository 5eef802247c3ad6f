"""The documents build as a site: each link leads somewhere, nothing is loaded from elsewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What a browser loads by itself; a link is only followed by who clicks it.
LOADED = re.compile(r"""<(?:script|img|link)[^>]*(?:src|href)=["'](?:https?:)?//[^"']*""")


def build(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(site)]
    return subprocess.run(argv, cwd=root, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """What the site is made of, to be changed."""
    for name in ("docs", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for path in [*ROOT.glob("*.md"), ROOT / "LICENSE", ROOT / "mkdocs.yml"]:
        shutil.copy(path, tmp_path)
    return tmp_path


def test_the_site_has_every_document_and_no_broken_link(copied: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    done = build(copied, site)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert pages < {path.stem for path in site.glob("*.html")}
    assert 'href="ARCHITECTURE.html"' in (site / "index.html").read_text()
    for page in site.glob("*.html"):
        assert not LOADED.findall(page.read_text()), page.name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("README.md", "[x](docs/nowhere.md)"),
        ("docs/tutorial.md", "[x](../NOWHERE.md)"),
        ("docs/reference.md", "[x](formats.md#no-such-heading)"),
        ("docs/extra.md", "a page that nothing leads to"),
    ],
)
def test_a_broken_link_is_an_error(copied: Path, tmp_path: Path, name: str, text: str) -> None:
    with (copied / name).open("a") as file:
        file.write(f"\n{text}\n")
    done = build(copied, tmp_path / "site")
    assert done.returncode == 1
    assert "Aborted with" in done.stdout + done.stderr


def test_the_page_of_commands_is_what_the_program_prints() -> None:
    tool = ROOT / "tools" / "command-reference"
    done = subprocess.run(
        [sys.executable, tool], capture_output=True, text=True, timeout=60, check=True
    )
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert page == done.stdout, "run 'make docs'"
