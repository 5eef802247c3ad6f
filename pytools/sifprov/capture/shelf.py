"""The documents that one file holds, read object by object, as far as somebody asks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from sifprov.embedded import lineage_objects, read_documents
from sifprov.errors import FormatError, RecordError, SifprovError
from sifprov.groups import by_offset, is_lineage
from sifprov.room import read_stored
from sifprov.sidecar import EXTENSION, read_pieces
from sifprov.sif import Descriptor, load
from sifprov.sif.image import open_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO


class Shelf:
    """What the container, metadata container or sidecar at `path` holds: its newest record first,
    then what it embeds.

    The file is opened for each object anew, for a run may have a thousand inputs.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._left: list[Descriptor] | None = None
        self._which: tuple[int, int] | None = None

    def more(self) -> Sequence[bytes] | None:
        """Returns the documents of the next object that can be read, or of a whole sidecar; None
        when there is none."""
        if self._path.endswith(EXTENSION):
            return self._lines()
        while self._left != []:
            try:
                with open_file(self._path) as file:
                    if not self._is_same(file):
                        break
                    return self._read(file)
            except (FormatError, RecordError):
                continue  # broken, but the others may be well
            except (SifprovError, OSError):
                break
        self._left = []
        return None

    def _lines(self) -> Sequence[bytes] | None:
        if self._left is not None:
            return None
        self._left = []
        with suppress(SifprovError, OSError):
            return read_pieces(self._path)
        return None

    def _is_same(self, file: BinaryIO) -> bool:
        status = os.fstat(file.fileno())
        which = status.st_dev, status.st_ino
        self._which = self._which or which
        return which == self._which

    def _read(self, file: BinaryIO) -> Sequence[bytes]:
        if self._left is None:
            self._left = []
            image = load(file)
            # From the end on.
            self._left = [*reversed(lineage_objects(image)), *by_offset(image)]
        if not self._left:
            return ()
        item = self._left.pop()
        return read_documents(file, item) if is_lineage(item) else read_stored(file, item)
