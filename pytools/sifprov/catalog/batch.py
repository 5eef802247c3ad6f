"""The records of one transaction of one writer, on their way into the tables.

What the new records name is read, what they tell is compared with it, and the difference is
written. What others have said of a record before it was read is set right then: it may be words, so
that they meant the state before; or tell another content than they found, so that they meant a
state that had been changed since.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from sifprov.catalog.bulk import Bulk
from sifprov.catalog.containers import Containers
from sifprov.catalog.executions import Execution, Executions
from sifprov.catalog.images import Images
from sifprov.catalog.intern import Interned
from sifprov.catalog.locations import Twin, put_locations
from sifprov.catalog.outside import Outside
from sifprov.catalog.read import Seen
from sifprov.catalog.resolve import Meant, Records, known_by_content
from sifprov.catalog.states import State, States
from sifprov.catalog.tables import location, record
from sifprov.catalog.told import Named, Told
from sifprov.catalog.uses import Uses
from sifprov.catalog.words import put_words

_RECORD_COLUMNS = (
    "id", "digest", "kind", "execution_id", "data_container_id", "previous", "about",
    "recorded_us", "captured_by", "version", "verdict", "behind", "is_inside",
)  # fmt: skip
_TOLD_OF = (
    "record r JOIN data_container d ON d.id = r.data_container_id"
    " JOIN state s ON s.key = d.uuid || '#' || r.digest JOIN content c ON c.id = s.content_id"
)


class Batch:
    """The records of one transaction."""

    def __init__(
        self,
        bulk: Bulk,
        records: Records,
        contents: Interned,
        containers: Containers,
        images: Images,
        executions: Executions,
    ) -> None:
        self.bulk, self._records, self._images = bulk, records, images
        self._contents, self._containers, self._executions = contents, containers, executions
        self._states, self._uses = States(bulk), Uses(bulk)
        self._made: list[Told] = []
        self._of: dict[str, Execution] = {}
        self._content_ids: dict[str, int] = {}
        self._who: dict[str, int] = {}

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *error: object) -> None:
        self.bulk.close()

    def put(self, told: Iterable[Told], inside: Collection[str]) -> int:
        """Puts in what records tell; returns how many were new."""
        batch = {t.digest: t for t in told}
        there: dict[str, bool] = dict(
            self.bulk.rows("digest, is_inside", "record", "digest", {*batch, *inside})
        )
        new = {digest: t for digest, t in batch.items() if digest not in there}
        self._records.begin(self.bulk, new)
        moved_in = [digest for digest in inside if there.get(digest, True) in (False, 0)]
        self.bulk.update(record, "digest", ("is_inside",), [(d, True) for d in moved_in])
        if not new and not moved_in:
            return 0
        self._made = [t for t in new.values() if t.made]
        self._of = self._executions.put(self.bulk, new.values())
        self._intern(new.values())
        outside = Outside(self.bulk, self._made, inside, self._of)
        stubs = self._states.with_record(list(new))
        self._put_states(outside)
        self._mend(stubs)
        self._put_records(new, inside)
        self._move_known_by_content(outside, moved_in)
        self._states.write()
        self._uses.write()
        self._states.remove()
        put_words(self.bulk, new.values(), self._of)
        return len(new)

    def put_locations(self, seen: Mapping[tuple[str, str], Sequence[Seen]]) -> list[Twin]:
        """Puts in what files were found to be, by host and folder, behind what their records tell;
        returns where else the same containers are, for those that are new."""
        return put_locations(self.bulk, self._records, self._containers, self._images, seen)

    def _intern(self, new: Collection[Told]) -> None:
        named = [n for t in self._made for n in (t.made, *t.used, *t.siblings) if n]
        self._content_ids = self._contents.of(
            self.bulk, ((n.content,) if n.content else None for n in named)
        )
        self._who = self._containers.put(self.bulk, named, {t.container for t in new})

    def _content(self, digest: str | None) -> int | None:
        return self._content_ids[digest] if digest else None

    def _put_states(self, outside: Outside) -> None:
        """What the new records made, what was there before, and what they used."""
        wanted: dict[str, tuple[int, str | None]] = {}
        pairs = {p for t in self._made for n in t.used if (p := _pair(n))}
        candidates = outside.candidates(pairs)
        befores: dict[str, Meant] = {}
        used: dict[str, list[Meant]] = {}
        for told in self._made:
            of = self._of[told.digest]
            wanted[f"{told.container}#{told.digest}"] = (self._who[told.container], told.digest)
            before = self._records.before(told.container, told.previous, took_over=told.took_over)
            if before:
                befores[told.digest] = before
                wanted.setdefault(before.key, (self._who[told.container], before.record))
            used[told.digest] = []
            for each in told.used:
                pair = _pair(each)
                meant = pair and known_by_content(candidates[pair], each, told.recorded_us, of.key)
                meant = meant or self._records.used(each, of.key)
                used[told.digest].append(meant)
                self._want(wanted, meant, self._who[each.who])
        siblings = self._siblings()
        wanted.update({key: (self._who[it.who], None) for key, (it, _) in siblings.items()})
        own = [self._sibling_key(t, t.container) for t in self._made if t.siblings]
        self._states.load(own)
        self._states.make(wanted)
        for told in self._made:
            before = befores.get(told.digest)
            self._describe(told, before, used[told.digest])
        for key, (it, execution) in siblings.items():
            state = self._states[key]
            self._states.describe(state, it, self._content(it.content), own=False)
            self._states.set_origin(state, execution, None)
        self._drop([s for key in own if (s := self._states.get(key))])

    @staticmethod
    def _want(wanted: dict[str, tuple[int, str | None]], meant: Meant, container: int) -> None:
        wanted.setdefault(meant.key, (container, meant.record))
        if meant.before:
            wanted.setdefault(meant.before, (container, meant.record))

    def _describe(self, told: Told, before: Meant | None, used: list[Meant]) -> None:
        it = told.made
        if it is None:
            return
        of = self._of[told.digest]
        made = self._states[f"{told.container}#{told.digest}"]
        self._states.describe(made, it, self._content(it.content), own=True)
        earlier = self._states[before.key] if before else None
        self._states.set_origin(made, of.id, earlier.id if earlier else None)
        if earlier:
            self._states.describe(earlier, it._replace(marks=None), None, own=False)
        for each, meant in zip(told.used, used, strict=True):
            state = self._found(meant)
            content = self._content(each.content)
            self._states.describe(state, each, content, own=False)
            self._uses.add(of.id, state.id, each, content, by_content=meant.by_content)

    def _found(self, meant: Meant) -> State:
        """A state that a run used, behind the one that was changed."""
        state = self._states[meant.key]
        if meant.before:
            self._states.set_origin(state, None, self._states[meant.before].id)
        return state

    def _siblings(self) -> dict[str, tuple[Named, int]]:
        """The other outputs of runs, whose own records are not at hand, by the keys of their
        states."""
        several = [t for t in self._made if t.siblings]
        if not several:
            return {}
        ids = {self._of[t.digest].id for t in several}
        have = set(
            self.bulk.rows(
                "r.execution_id, d.uuid",
                "record r JOIN data_container d ON d.id = r.data_container_id",
                "r.execution_id",
                ids,
                " AND r.kind IN ('run', 'origin')",
            )
        )
        have |= {(self._of[t.digest].id, t.container) for t in several}
        return {
            self._sibling_key(t, it.who): (it, self._of[t.digest].id)
            for t in several
            for it in t.siblings
            if (self._of[t.digest].id, it.who) not in have
        }

    def _sibling_key(self, told: Told, who: str) -> str:
        return f"{who}#in:{self._of[told.digest].key}"

    def _mend(self, stubs: list[State]) -> None:
        """What others said of the new records before they were read."""
        if not stubs:
            return
        ids = {s.id for s in stubs}
        uses = [u for u in self._uses.of_states(ids) if not u.by_content]
        children = self._states.behind(ids)
        by_id = {s.id: s for s in stubs}
        wanted: dict[str, tuple[int, str | None]] = {}
        meant = [self._records.used(u.named, u.execution) for u in uses]
        for use, it in zip(uses, meant, strict=True):
            self._want(wanted, it, use.container_id)
        befores: list[tuple[State, Meant | None]] = []
        for child in children:
            parent = by_id[child.revision_of or 0]
            before = self._records.before(child.who, parent.record, took_over=False)
            befores.append((child, before))
            if before:
                wanted.setdefault(before.key, (child.data_container_id, before.record))
        self._states.make(wanted)
        for use, it in zip(uses, meant, strict=True):
            state = self._found(it)
            if state.id != use.state_id:
                self._states.describe(state, use.named, use.content_id, own=False)
                self._uses.move(use, state.id, by_content=False)
        for child, before in befores:
            earlier = self._states[before.key].id if before else None
            self._states.set_origin(child, child.generated_by, earlier)
        self._drop([s for s in stubs if s.generated_by is None])

    def _drop(self, states: Collection[State]) -> None:
        """Deletes those that no other record speaks of any more."""
        ids = {s.id for s in states}
        kept = self._uses.has(ids) | self._states.earlier(ids)
        gone = [s for s in states if s.id not in kept]
        for state in states:
            if state.id in kept:
                self._states.set_origin(state, None, state.revision_of)
        self.bulk.clear(location, "state_id", [s.id for s in gone])
        self._states.delete(gone)

    def _put_records(self, new: Mapping[str, Told], inside: Collection[str]) -> None:
        words = [t.digest for t in new.values() if not t.made]
        # Words that were read before, and stand behind others that turn out to be words.
        later = self.bulk.rows("digest, behind", "record", "behind", words)
        ends = [(digest, self._records.state_of(behind)) for digest, behind in later]
        self.bulk.update(record, "digest", ("behind",), ends)
        rows = [
            (
                number, t.digest, t.kind, self._of[t.digest].id if t.digest in self._of else None,
                self._who[t.container], t.previous, t.about, t.recorded_us, t.captured_by,
                t.version, t.verdict, None if t.made else self._records.state_of(t.previous),
                t.digest in inside,
            )
            for t, number in zip(new.values(), self.bulk.new_ids(record, len(new)), strict=True)
        ]  # fmt: skip
        self.bulk.insert(record, _RECORD_COLUMNS, rows)

    def _move_known_by_content(self, outside: Outside, moved_in: Collection[str]) -> None:
        """What runs used that carried no record, and is known, or not known any more, by the
        content that the new records tell."""
        pairs = set(outside.new)
        if moved_in:
            what = ("d.uuid, c.digest", _TOLD_OF, "r.digest", moved_in)
            pairs |= set(self.bulk.rows(*what))
        if not pairs:
            return
        self._states.load(f"{who}#{content}" for who, content in pairs)
        plain = [s for w, c in pairs if (s := self._states.get(f"{w}#{c}")) and not s.is_new]
        who = self._containers.rows_of(self.bulk, {w for w, _ in pairs})
        rows = {u[:3]: u for u in self._uses.of_states([s.id for s in plain])}
        rows.update({u[:3]: u for u in self._uses.by_content(list(who.values()))})
        uses = [u for u in rows.values() if (u.named.who, u.content) in pairs]
        candidates = outside.candidates(pairs)
        times: dict[int, int] = dict(
            self.bulk.rows(
                "execution_id, min(recorded_us)",
                "record",
                "execution_id",
                {u.execution_id for u in uses},
                " AND kind IN ('run', 'origin') GROUP BY execution_id",
            )
        )
        wanted: dict[str, tuple[int, str | None]] = {}
        moves = []
        for use in uses:
            pair = _pair(use.named._replace(record=None))
            if pair is None:
                continue
            it = use.named._replace(record=None)
            recorded = times.get(use.execution_id, 0)
            meant = known_by_content(candidates[pair], it, recorded, use.execution)
            meant = meant or self._records.used(it, use.execution)
            moves.append((use, it, meant))
            wanted.setdefault(meant.key, (use.container_id, meant.record))
        self._states.make(wanted)
        for use, it, meant in moves:
            state = self._states[meant.key]
            self._states.describe(state, it, use.content_id, own=False)
            self._uses.move(use, state.id, by_content=meant.by_content)
        self._drop([s for s in plain if s.generated_by is None])


def _pair(it: Named) -> tuple[str, str] | None:
    """The container and the content of what carried no record, where both are known."""
    known = it.record is None and it.content and it.has_uuid
    return (it.who, it.content or "") if known else None
