"""Layouts of data containers: JSON files, those that come with the program and users' own.

Their schema is sif_layouts/schemas/layout.schema.json.
"""

from __future__ import annotations

import json
from pathlib import Path

from sifprov.assets import asset_folder
from sifprov.errors import FileError, MissingError
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json
from sifprov.plainfile import read_plain

_FOLDER = "sif_layouts"
_SCHEMA = "layout.schema.json"
_MAX_FILE = 64 * 1024


@dataclass(frozen=True)
class Layout:
    """What `data create --layout` makes; the fields are the document's (`free` is text as `8M`)."""

    name: str
    description: str
    role: str
    mount: str | None
    fs: str
    free: str
    descriptors: int
    block_size: int | None

    def to_json(self) -> dict[str, Json]:
        """Returns the JSON document."""
        return {
            "block_size": self.block_size,
            "description": self.description,
            "descriptors": self.descriptors,
            "free": self.free,
            "fs": self.fs,
            "mount": self.mount,
            "name": self.name,
            "role": self.role,
            "schema": "sifprov.layout/1",
        }


def find_layout(name: str) -> Layout:
    """Returns the layout called `name`, or the one in the file of that path (with a `/` or ending
    in `.json`). Raises FileError, MissingError."""
    if "/" in name or name.endswith(".json"):
        return read_layout(Path(name))
    known = {layout.name: layout for layout in all_layouts()}
    if name not in known:
        raise MissingError(
            f"there is no layout {name!r}",
            hint=f"choose from {', '.join(known)}, or name a file: ./{name}.json",
        )
    return known[name]


def all_layouts() -> list[Layout]:
    """Returns the layouts that come with the program, by name. Raises MissingError, FileError."""
    found = [read_layout(path) for path in asset_folder(_FOLDER).glob("*.json")]
    return sorted(found, key=lambda layout: layout.name)


def read_layout(path: Path) -> Layout:
    """Reads and checks a layout. Raises FileError, naming the file and the field."""
    data = read_plain(path, _MAX_FILE, "layout")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: not JSON: {error}") from error
    _check(path, document)
    del document["schema"]
    return Layout(**document)


def _check(path: Path, document: object) -> None:
    # Imported here: it takes longer to load than everything else together.
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

    schema = json.loads((asset_folder(_FOLDER) / "schemas" / _SCHEMA).read_bytes())
    errors = sorted(Draft202012Validator(schema).iter_errors(document), key=lambda e: e.json_path)
    if errors:
        field = errors[0].json_path.removeprefix("$").removeprefix(".")
        where = f"{path}: {field}" if field else str(path)
        raise FileError(
            f"{where}: {errors[0].message[:300]}",
            hint="'sifprov data layouts --json' prints good ones; see also docs/formats.md",
        )
