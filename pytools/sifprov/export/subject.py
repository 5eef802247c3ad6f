"""What a statement is about: the content of a container, and where that is asked for its file."""

from __future__ import annotations

import hashlib

from sifprov.carrier import Carrier
from sifprov.errors import FileError, SifprovError
from sifprov.export.made import Made
from sifprov.placement import CONTAINER
from sifprov.sif import FsType

_CHUNK = 1 << 20


def speaks_of_file(start: Carrier, made: Made, *, asked: bool) -> bool:
    """Whether a statement is to speak of the bytes of the container's file: where it is `asked`
    for, and of a sealed container, whose content no run can change. Raises SifprovError where it
    cannot."""
    partition = start.identity.partition
    sealed = partition is not None and partition.fs == FsType.SQUASHFS
    now = start.kind == CONTAINER and made.entity.key in made.graph.targets
    if asked and not now:
        raise SifprovError(
            f"{start.identity.path}: its file is not what that record left",
            hint="leave --file-digest out, or --record",
        )
    return now and (asked or sealed)


def sha256_now(path: str) -> str:
    """Returns the SHA-256 of a file, as hex digits. Raises FileError."""
    hasher = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while data := file.read(_CHUNK):
                hasher.update(data)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from error
    return hasher.hexdigest()
