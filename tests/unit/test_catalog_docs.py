"""What docs/catalog.md says of the tables is what they are, and its drawing shows them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from sqlalchemy import BigInteger, Boolean, Float, Integer, Text

from sifprov.catalog.tables import METADATA

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "catalog.md").read_text(encoding="utf-8")
KINDS = {Text: "text", BigInteger: "integer", Integer: "integer", Float: "number"}


def documented() -> dict[str, list[tuple[str, str, str]]]:
    """The fields of each table, with type and the table that they lead to."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for part in DOCUMENT.split("\n### ")[1:]:
        name, _, body = part.partition("\n")
        rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (?:→ `(\w+)`)?", body, re.MULTILINE)
        found[name] = rows
    return found


def test_every_table_and_every_field_is_described_in_its_order() -> None:
    wanted = {}
    for table in METADATA.tables.values():
        wanted[table.name] = [
            (
                column.name,
                "boolean"
                if isinstance(column.type, Boolean)
                else next(word for kind, word in KINDS.items() if isinstance(column.type, kind)),
                next((key.column.table.name for key in column.foreign_keys), ""),
            )
            for column in table.columns
        ]
    assert documented() == wanted


def test_the_drawing_is_of_these_tables() -> None:
    program = ROOT / "tools" / "catalog-drawing"
    drawn = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert (ROOT / "docs" / "catalog.svg").read_text(encoding="utf-8") == drawn
    assert drawn.count("<path") == sum(
        len(c.foreign_keys) for t in METADATA.tables.values() for c in t.columns
    )


def test_every_place_that_the_document_names_can_be_one() -> None:
    from sifprov.catalog.place import find_place

    places = re.findall(r"`((?:sqlite|postgresql):///?[^`]*)`", DOCUMENT)
    assert len(places) >= 3
    for place in places:
        find_place(place.replace("PATH", "/x/y.db"))
