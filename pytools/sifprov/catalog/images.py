"""Application containers: each content once, with what is told of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sifprov.catalog.bulk import Bulk, Row
from sifprov.catalog.facts import CONFIGURATION_COLUMNS, IMAGE_COLUMNS
from sifprov.catalog.intern import Interned, changed
from sifprov.catalog.tables import configuration, container_image
from sifprov.catalog.told import Image, Told

_NOT_TOLD: Row = (None,) * len(IMAGE_COLUMNS)
_COLUMNS = (
    "content_id", "uuid", "name", "path", "created_us", *IMAGE_COLUMNS, "configuration_id",
)  # fmt: skip
_TOLD = slice(len(_COLUMNS) - len(IMAGE_COLUMNS) - 1, None)
_READ = "id, fingerprint, " + ", ".join(_COLUMNS)


class Images:
    """The rows of images by what they are known by (`Image.key`)."""

    def __init__(self, contents: Interned) -> None:
        self._contents = contents
        self._configurations = Interned(configuration, *CONFIGURATION_COLUMNS)
        self._rows = Interned(container_image, "fingerprint", *_COLUMNS)
        self.all = (self._configurations, self._rows)

    def put(self, bulk: Bulk, told: Iterable[Told]) -> dict[str, int]:
        """Returns the id of each image that records name, by its key."""
        best: dict[str, tuple[Image, Row, Row | None]] = {}
        for each in told:
            if each.image:
                said = (each.facts and each.facts.image) or _NOT_TOLD
                known = best.get(each.image.key)
                if known is None or known[1] is _NOT_TOLD:
                    of_it = each.facts.configuration if each.facts else None
                    best[each.image.key] = (each.image, said, of_it)
        configurations = self._configurations.of(bulk, (c for _, _, c in best.values()))
        contents = self._contents.of(
            bulk, ((i.content,) if i.content else None for i, _, _ in best.values())
        )
        rows: dict[str, Row] = {}
        for key, (image, said, of_it) in best.items():
            content = contents[image.content] if image.content else None
            values: Sequence[Any] = (content, *image[2:], *said)
            rows[key] = (*values, configurations[of_it[0]] if of_it else None)
        return self.ids(bulk, rows)

    def ids(self, bulk: Bulk, rows: dict[str, Row]) -> dict[str, int]:
        """Returns the ids of images; what was not told of one so far is filled in."""
        new = self._rows.unknown(rows)
        got = bulk.rows(_READ, "container_image", "fingerprint", new)
        updates = []
        for number, key, *values in got:
            filled = changed(tuple(values), rows[key])
            if filled:
                updates.append((number, *filled))
        bulk.update(container_image, "id", _COLUMNS, updates)
        found = self._rows.ids(bulk, rows)
        # Another run may tell more of them.
        self._rows.drop([key for key, row in rows.items() if not any(row[_TOLD])])
        return found
