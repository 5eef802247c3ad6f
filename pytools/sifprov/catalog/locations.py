"""Where files are, and what they were found to be: the rows of `location`."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sifprov.catalog.bulk import Bulk
from sifprov.catalog.containers import Containers
from sifprov.catalog.images import Images
from sifprov.catalog.read import APPLICATION, METADATA, SIDECAR, Seen
from sifprov.catalog.resolve import Records
from sifprov.catalog.tables import location, record
from sifprov.catalog.texts import short
from sifprov.catalog.told import Image, Named
from sifprov.sidecar import SUFFIX

_COLUMNS = (
    "host", "folder", "name", "device", "inode", "size", "mtime_ns", "ctime_ns", "status",
    "reason", "data_container_id", "container_image_id", "state_id", "seen_us",
)  # fmt: skip
_FOLDER_KEY = tuple[str, str]


class Twin(NamedTuple):
    """A file that is new in the catalog, and another row of the same container; both with their
    state."""

    new: int
    new_state: int | None
    old: int
    old_state: int | None
    old_path: tuple[str, str, str]
    is_same_inode: bool


def put_locations(
    bulk: Bulk,
    records: Records,
    containers: Containers,
    images: Images,
    seen: Mapping[_FOLDER_KEY, Sequence[Seen]],
) -> list[Twin]:
    """Puts in what files were found to be, by host and folder, behind what their records tell;
    returns the rows of the same containers at other places, for those that are new."""
    everything = [s for several in seen.values() for s in several]
    who = containers.put(bulk, filter(None, map(_named, everything)))
    applications = {s.uuid: _image_row(s) for s in everything if s.kind == APPLICATION and s.uuid}
    of_image = images.ids(bulk, {f"uuid:{u}": row for u, row in applications.items()})
    states = _states(bulk, records, everything)
    there: dict[tuple[str, str, str], int] = {}
    for (host, folder), several in seen.items():
        more = " AND folder = ? AND host = ?"
        names = [s.file.key for s in several]
        got = bulk.rows_with("id, name", "location", "name", names, more, (folder, host))
        there.update({(host, folder, name): number for number, name in got})
    now = time.time_ns() // 1000
    new: list[tuple[object, ...]] = []
    old: list[tuple[object, ...]] = []
    own: dict[str, int] = {}
    fresh: dict[int, tuple[str | None, int | None, Seen]] = {}
    items = [(key, s) for key, several in seen.items() for s in several]
    missing = [(key, s) for key, s in items if (*key, s.file.key) not in there]
    numbers = dict(
        zip(
            ((*key, s.file.key) for key, s in missing),
            bulk.new_ids(location, len(missing)),
            strict=True,
        )
    )
    for key, s in items:
        place = (*key, s.file.key)
        number = there.get(place) or numbers[place]
        container = who.get(s.uuid or "") if _named(s) else None
        image = of_image.get(f"uuid:{s.uuid}") if s.kind == APPLICATION else None
        state = states.get((s.uuid, s.newest))
        row = (
            number, *place, *s.state, s.status, s.reason, container, image, state, now,
        )  # fmt: skip
        (old if place in there else new).append(row)
        if place not in there:
            fresh[number] = s.uuid, state, s
        own.update(dict.fromkeys(s.own, number))
    bulk.insert(location, ("id", *_COLUMNS), new)
    bulk.update(location, "id", _COLUMNS, old)
    _set_places(bulk, own)
    return _twins(bulk, fresh, who, of_image)


def _named(s: Seen) -> Named | None:
    """The data container that a file is, or whose records a sidecar holds."""
    if not s.uuid or s.kind in (METADATA, APPLICATION):
        return None
    name = s.file.key.removesuffix(SUFFIX) if s.kind == SIDECAR else s.file.key
    return Named(s.uuid, None, None, False, True, short(name), None, None, None, None, s.created_us)


def _image_row(s: Seen) -> tuple[object, ...]:
    """An application that is known by its UUID alone, for its content was not read."""
    it = Image(f"uuid:{s.uuid}", None, s.uuid, short(s.file.key), None, s.created_us)
    return (None, *it[2:], *(None,) * 7, None)


def _states(
    bulk: Bulk, records: Records, seen: Collection[Seen]
) -> dict[tuple[str | None, str | None], int]:
    """The states that containers are in, by their newest records."""
    newest = {s.newest for s in seen if s.newest and s.uuid}
    records.load(bulk, newest)
    keys = {}
    for s in seen:
        if s.newest and s.uuid:
            state = records.state_of(s.newest)
            known = records.get(state)
            # A sealed container's newest record may be one that it took over.
            of = known.who if known else s.uuid
            keys[s.uuid, s.newest] = f"{of}#{state}"
    got = dict(bulk.rows("key, id", "state", "key", set(keys.values())))
    return {of: got[key] for of, key in keys.items() if key in got}


def _set_places(bulk: Bulk, own: Mapping[str, int]) -> None:
    """Says of records in whose own objects they stand, where that is not known yet."""
    got = bulk.rows("id, digest", "record", "digest", own, " AND location_id IS NULL")
    rows = [(number, own[digest]) for number, digest in got]
    bulk.update(record, "id", ("location_id",), rows)


def _twins(
    bulk: Bulk,
    fresh: Mapping[int, tuple[str | None, int | None, Seen]],
    who: Mapping[str, int],
    images: Mapping[str, int],
) -> list[Twin]:
    of: dict[tuple[str, int], list[int]] = {}
    for number, (uuid, _, s) in fresh.items():
        if s.kind == APPLICATION:
            of.setdefault(("container_image_id", images[f"uuid:{uuid}"]), []).append(number)
        elif uuid in who and _named(s):
            of.setdefault(("data_container_id", who[uuid or ""]), []).append(number)
    found = []
    for column in ("data_container_id", "container_image_id"):
        ids = [number for name, number in of if name == column]
        what = f"id, {column}, state_id, host, folder, name, device, inode"
        for old, shared, state, host, folder, name, device, inode in bulk.rows(
            what, "location", column, ids
        ):
            for new in of[column, shared]:
                _, new_state, s = fresh[new]
                if new != old and (old not in fresh or old < new):
                    same = (s.state.device, s.state.inode) == (device, inode)
                    place = (host, folder, name)
                    found.append(Twin(new, new_state, old, state, place, same))
    return found
