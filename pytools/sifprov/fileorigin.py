"""Which run made a file of a container: by the lists of files that consecutive records hold.

A list proves itself by its record, so nothing but records is needed. From the newest list that has
the file, the way leads back for as long as the lists have it with this content. Renames are not
guessed.
"""

from __future__ import annotations

import hashlib
import os
import stat
from bisect import bisect_left
from collections.abc import Iterator

from sifprov.errors import FileError, MissingError, NoRecordError, SifprovError
from sifprov.filesystem import FileSystem, Node
from sifprov.filesystem.opening import open_container
from sifprov.frozen import dataclass
from sifprov.listing import Entry
from sifprov.manifests import Listed, listed, stated
from sifprov.model.canonical import Json, text_to_json
from sifprov.model.container import CHANGED_OUTSIDE, Container
from sifprov.model.files import by_key
from sifprov.model.graph import MISSING, Activity, Entity, Graph
from sifprov.model.record import ORIGIN, Origin, Record
from sifprov.trail import Trail

SCHEMA = "sifprov.trail-file/1"
# How the file in the container, where that is found, stands beside the newest list.
AS_LISTED, CHANGED, GONE, UNREAD = "as-listed", "changed", "gone", "not-read"


@dataclass(frozen=True)
class FileOrigin:
    """What the records say of the file at `path` (of the container, with a slash before it).

    `entry` is the file as the newest list has it that has it at all. `made_by` made or changed it
    to that: one activity, or several of which one did, where those between list no files. `before`
    is the file as it was before that. `through` are the later activities that left it so, oldest
    first, `removed_by` the one that removed it. `outside`: what made it may also have come before
    that run, by no recorded one. `now` is how the container has it, `gaps` say which lists are
    missing.
    """

    path: str
    entry: Entry
    made_by: tuple[Activity, ...]
    before: Entry | None
    through: tuple[Activity, ...]
    removed_by: Activity | None
    outside: bool
    now: str
    gaps: tuple[str, ...]

    def to_json(self) -> Json:
        """Returns the JSON document that `sifprov trail --file --json` prints."""
        return {
            "before": _entry_json(self.before) if self.before else None,
            "entry": _entry_json(self.entry),
            "gaps": [text_to_json(gap) for gap in self.gaps],
            "made_by": [_activity_json(a) for a in self.made_by],
            "now": self.now,
            "outside": self.outside,
            "path": text_to_json(self.path),
            "removed_by": self.removed_by.key if self.removed_by else None,
            "schema": SCHEMA,
            "through": [a.key for a in self.through],
        }


@dataclass(frozen=True)
class _State:
    """A state of the container: what made it so, and how to learn of its files."""

    activity: Activity | None
    record: Record | None
    about: Container | Origin | None
    reason: str


class _Lists:
    """Finds files in the lists of states. One list at a time is held: a thousand would fill the
    memory."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._documents = by_key(trail.documents.values())
        self._held: tuple[_State | None, Listed] = None, Listed(None)

    def find(self, state: _State, path: bytes) -> Entry | str | None:
        """Returns the entry at `path`, None where there is none; or why the files are not known."""
        if state.about is None:
            return state.reason
        if self._held[0] is not state:
            self._held = state, listed(state.about, self._trail.records.get, self._documents)
        manifest, reason = self._held[1].manifest, self._held[1].reason
        if manifest is None:
            return f"record {state.record.id if state.record else ''}: {reason}"
        place = bisect_left(manifest.entries, path, key=lambda e: e.path)
        found = manifest.entries[place : place + 1]
        return found[0] if found and found[0].path == path else None


def file_origin(trail: Trail, graph: Graph, path: str) -> FileOrigin:
    """Returns which run made the file at `path`, a path in the container or as the application saw
    it. Raises NoRecordError when no list has it, MissingError when there is no list."""
    states = [s for key in graph.targets[:1] for s in _states(trail, graph, key)]
    lists = _Lists(trail)
    names = tuple(dict.fromkeys(_names(path, states)))
    reasons: list[str] = []
    for place, state in enumerate(states):
        for wanted in names:
            entry = lists.find(state, wanted)
            if isinstance(entry, Entry):
                return _walk(trail, lists, states, place, entry)
        if isinstance(entry, str):
            reasons.append(entry)
    name = trail.start.identity.path
    if len(reasons) == len(states):
        raise MissingError(
            f"{name}: no record at hand lists its files: {reasons[0] if reasons else 'none is one'}"
        )
    raise NoRecordError(
        f"{path}: in no list of files of {name}",
        hint="'sifprov data ls --record' shows them; paths are those of the container",
    )


def _walk(
    trail: Trail, lists: _Lists, states: list[_State], newest: int, entry: Entry
) -> FileOrigin:
    """Goes back from the newest state that has the file; `states` come newest first."""
    oldest, before = newest, None
    made = [states[newest]]
    gaps: list[str] = []
    for place in range(newest + 1, len(states)):
        found = lists.find(states[place], entry.path)
        if isinstance(found, str):
            gaps.append(found)
            made.append(states[place])
        elif found and _same(found, entry):
            oldest, made = place, [states[place]]
        else:
            before = found
            break
    later = [s.activity for s in states[:newest] if s.activity]
    through = [s.activity for s in reversed(states[newest:oldest]) if s.activity]
    it = made[0].record.itself() if made[0].record else None
    return FileOrigin(
        path="/" + os.fsdecode(entry.path),
        entry=entry,
        made_by=tuple(s.activity for s in made if s.activity),
        before=before,
        through=tuple(through),
        removed_by=later[-1] if later else None,
        outside=bool(it and CHANGED_OUTSIDE in it.marks),
        now=_now(trail, entry),
        gaps=tuple(gaps),
    )


def _states(trail: Trail, graph: Graph, key: str) -> Iterator[_State]:
    """Yields the states of a container, newest first; those of the one that it was sealed from come
    behind its own."""
    at: str | None = key
    seen: set[str] = set()
    while at and at not in seen:
        seen.add(at)
        entity = graph.entities[at]
        activity = graph.activities.get(entity.generated_by or "")
        record = trail.records.get(entity.record or "") if activity else None
        yield _State(activity, record, stated(record) if record else None, _why_not(entity))
        sealed = activity and activity.kind == ORIGIN and len(activity.used) == 1
        at = activity.used[0].entity if activity and sealed else entity.revision_of


def _why_not(entity: Entity) -> str:
    if entity.problem and entity.standing != MISSING:
        return f"{entity.name}: {entity.problem}"
    return f"the record {entity.record or 'of ' + entity.name} is not at hand"


def _names(path: str, states: list[_State]) -> Iterator[bytes]:
    """Yields what the file may be called in the container: as given, and below the folder that a
    run bound to where the application saw it."""
    plain = "/" + path.strip("/")
    yield os.fsencode(plain[1:])
    for state in states:
        it = state.record.itself() if state.record else None
        if it and it.mount and it.source is not None:
            mount = it.mount.rstrip("/")
            if plain.startswith(mount + "/"):
                inside = it.source.strip("/") + plain[len(mount) :]
                yield os.fsencode(inside.strip("/"))


def _same(one: Entry, other: Entry) -> bool:
    return (one.kind, one.size, one.value) == (other.kind, other.size, other.value)


def _now(trail: Trail, entry: Entry) -> str:
    """How the container at hand has the file; reads that file alone."""
    identity = trail.start.identity
    if identity.partition is None:
        return UNREAD
    try:
        with open_container(identity.path) as (_, fs):
            try:
                node = fs.lookup(entry.path, follow=False)
            except FileError:
                return GONE
            return AS_LISTED if _is(fs, node, entry) else CHANGED
    except (SifprovError, OSError):
        return UNREAD


def _is(fs: FileSystem, node: Node, entry: Entry) -> bool:
    if entry.kind == "d":
        return node.is_dir
    if entry.kind not in ("f", "x", "l"):
        return True
    if node.is_link != (entry.kind == "l") or not (node.is_link or node.is_file):
        return False
    if node.is_file and bool(node.mode & stat.S_IXUSR) != (entry.kind == "x"):
        return False
    hasher = hashlib.sha256()
    for piece in [fs.readlink(node)] if node.is_link else fs.content(node):
        hasher.update(piece)
    return hasher.hexdigest() == entry.value


def _entry_json(entry: Entry) -> Json:
    return {
        "mode": None if entry.mode is None else f"{entry.mode:04o}",
        "size": entry.size,
        "type": entry.kind,
        "value": None if entry.value == "-" else entry.value,
    }


def _activity_json(activity: Activity) -> Json:
    used: list[Json] = [
        {
            "digest": usage.container.digest,
            "entity": usage.entity,
            "mount": text_to_json(usage.container.mount) if usage.container.mount else None,
            "name": text_to_json(usage.container.name),
            "role": usage.container.role,
        }
        for usage in activity.used
    ]
    record = activity.record
    return {"key": activity.key, "record": record.to_json() if record else None, "used": used}
