"""`--atomic`: a result that --out makes has its name only when the command ended with 0 and its
record is in it. Until then it is `.RESULT.sif.part`; after a failure `RESULT.failed.sif`.

The record names it as it will be called.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress

from sifprov.errors import FileError, SifprovError
from sifprov.frozen import NamedTuple
from sifprov.model.record import EXITED
from sifprov.model.request import CaptureEnd

PART = ".part"


class Late(NamedTuple):
    """A result: `path` as it was typed, `part` where it is made, and the absolute paths that it
    gets when all went well (`good`), and else (`failed`)."""

    path: str
    part: str
    good: str
    failed: str


def plan(
    wanted: Sequence[tuple[str, str]],
    missing: Sequence[tuple[str, str]],
    folders: Sequence[tuple[str, str]],
) -> list[Late]:
    """Returns how the results of a run are made. Raises SifprovError where one is there already: it
    would be written into."""
    there = [path for path, _ in (*folders, *wanted) if (path, _) not in missing]
    if there:
        raise SifprovError(
            f"--atomic: {there[0]} is there already", hint="name a container that is not there"
        )
    found = []
    for path, _ in missing:
        good, part = place_of(path), part_of(path)
        if os.path.lexists(part):
            raise FileError(
                f"{part}: exists already",
                hint="another run is at work on it; or it was killed, then remove that file",
            )
        found.append(Late(path, part, good, failed_name(good)))
    return found


def place_of(path: str) -> str:
    """Returns the absolute path of a container that is not there yet, without links."""
    return os.path.join(os.path.realpath(os.path.dirname(path) or "."), os.path.basename(path))


def part_of(path: str) -> str:
    """Returns where the container that is to be called `path` is made."""
    place = place_of(path)
    return os.path.join(os.path.dirname(place), f".{os.path.basename(place)}{PART}")


def failed_name(path: str) -> str:
    """Returns the first free path `RESULT.failed.sif`, `RESULT.failed-2.sif`, …"""
    stem, suffix = os.path.splitext(path)
    number, found = 1, f"{stem}.failed{suffix}"
    while os.path.lexists(found):
        number += 1
        found = f"{stem}.failed-{number}{suffix}"
    return found


def names(late: Sequence[Late], end: CaptureEnd) -> Mapping[str, str]:
    """Returns, by the path where each is made, how it will be called."""
    well = end.outcome == EXITED and end.exit_code == 0
    return {each.part: each.good if well else each.failed for each in late}


def shown(late: Sequence[Late], argv: Sequence[str]) -> tuple[str, ...]:
    """Returns the command line as the record tells it: with the names as they were typed."""
    words = list(argv)
    for each in late:
        words = [word.replace(each.part, each.path) for word in words]
    return tuple(words)


def publish(late: Sequence[Late], *, well: bool) -> list[str]:
    """Gives results their names, never those of other files. Returns what is to be told, a line
    each. `well`: the command ended with 0."""
    from sifprov.newfile import publish as give_name

    told = []
    carried = all(map(_carries_record, (each.part for each in late)))
    for each in late:
        path = each.good if well and carried else each.failed
        try:
            give_name(each.part, path)
            with suppress(FileNotFoundError):
                os.unlink(each.part)
        except (SifprovError, OSError) as error:
            told.append(f"{each.part} did not get its name: {error}")
            continue
        if path == each.failed:
            why = "no record is in it" if well else "the command failed"
            told.append(f"{why}: what it wrote is in {path}")
    return told


def _carries_record(path: str) -> bool:
    from sifprov.records import newest_digest
    from sifprov.sif import open_image

    try:
        with open_image(path) as (file, image):
            return newest_digest(file, image) is not None
    except (SifprovError, OSError):
        return False
