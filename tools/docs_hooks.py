"""Brings the documents of the root folder into the site (mkdocs.yml), with their links."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
# What stands in the root folder, by its page.
PAGES = {
    "index.md": "README.md",
    "ARCHITECTURE.md": "ARCHITECTURE.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "LICENSE.md": "LICENSE",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages of the root folder."""
    for page, name in PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        if name == "LICENSE":
            text = f"# Licence\n\n```text\n{text}```\n"
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Makes links between the root folder and docs/ links within the site."""
    for page, name in PAGES.items():
        for before in (f"]({name}", f"](../{name}"):
            markdown = markdown.replace(before, f"]({page}")
    return markdown.replace("](docs/", "](")
