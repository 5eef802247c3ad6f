"""Which state a record means, by what is at hand: the same rules as lineage/build.py.

A record that only has words about another is no state: what carries it is in the state that the one
before it left (`behind`). What a run found changed since its newest record is a state of its own.
What carried no record may be known by its content, from a record that stands elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sifprov.catalog.bulk import Bulk
from sifprov.catalog.told import Named, Told

_KNOWN = (
    "r.digest, r.kind, d.uuid, r.behind, c.digest",
    "record r JOIN data_container d ON d.id = r.data_container_id"
    " LEFT JOIN state s ON s.key = d.uuid || '#' || r.digest"
    " LEFT JOIN content c ON c.id = s.content_id",
)
_WORDS = ("annotation", "verdict")
_MOST = 20_000


class Known(NamedTuple):
    """What has to be known of a record: whether it is words alone, which container it speaks of,
    the record that words stand behind, and the content that it tells."""

    is_words: bool
    who: str
    behind: str | None
    content: str | None


class Meant(NamedTuple):
    """The state that a run used: its key and record, and the key of the one before it where a
    change that no record tells lies between."""

    key: str
    record: str | None
    before: str | None = None
    by_content: bool = False


class Records:
    """The records that are at hand, as far as somebody names them."""

    def __init__(self) -> None:
        self._cache: dict[str, Known] = {}
        self._known: dict[str, Known] = {}
        self._stateless: set[str] = set()
        self.new: dict[str, Told] = {}

    def begin(self, bulk: Bulk, new: dict[str, Told]) -> None:
        """Takes up new records, with all that they name."""
        if len(self._cache) > _MOST:
            self._cache.clear()
        self.new = new
        self._known, self._stateless = {}, set()
        named = {digest for told in new.values() for digest in told.named()}
        self.load(bulk, named)
        for told in new.values():
            content = told.made.content if told.made else None
            self._known[told.digest] = Known(told.made is None, told.container, None, content)
        for told in new.values():
            if told.made is None:
                self._set_behind(told)

    def load(self, bulk: Bulk, digests: Iterable[str]) -> None:
        """Reads what the catalog has of these records, and of those that they stand behind."""
        wanted = set(digests)
        while wanted:
            asked = []
            for digest in wanted:
                if digest in self.new or digest in self._known:
                    continue
                if digest in self._cache:
                    self._known[digest] = self._cache[digest]
                else:
                    asked.append(digest)
            wanted = set()
            for digest, kind, who, behind, content in bulk.rows(*_KNOWN, "r.digest", asked):
                found = Known(kind in _WORDS, who, behind, content)
                self._known[digest] = found
                if behind:
                    wanted.add(behind)
                elif not found.is_words:
                    self._cache[digest] = found

    def forget(self) -> None:
        """Forgets what was read before, for others may have changed it."""
        self._cache.clear()

    def get(self, digest: str | None) -> Known | None:
        """Returns what is known of a record, None where it is not at hand."""
        return self._known.get(digest) if digest else None

    def _set_behind(self, told: Told) -> None:
        """Finds what words stand behind, and what the words between do. A circle would need two
        records that hold each other's SHA-256."""
        passed = []
        at: str | None = told.digest
        end: str | None = None
        while at is not None:
            known = self._known.get(at)
            if known is None or not known.is_words:
                end = at
                break
            if known.behind is not None:
                at = known.behind
                continue
            if at not in self.new or at in self._stateless:
                break
            passed.append(at)
            at = self.new[at].previous
        if end is None:
            self._stateless.update(passed)
        for digest in passed:
            self._known[digest] = self._known[digest]._replace(behind=end)

    def state_of(self, digest: str | None) -> str | None:
        """Returns the record of the state that a record stands in; of one that is not at hand,
        itself."""
        seen = 0
        while digest is not None:
            known = self._known.get(digest)
            if known is None or not known.is_words:
                return digest
            digest, seen = known.behind, seen + 1
            if seen > len(self._known):
                return None
        return None

    def before(self, who: str, previous: str | None, *, took_over: bool) -> Meant | None:
        """Returns the state of a container before a record of it."""
        state = self.state_of(previous)
        earlier = self.get(state)
        if state is None or (earlier and earlier.who != who):
            return None  # a sealed container goes on behind the records that it took over
        if earlier is None and took_over:
            return None
        return Meant(f"{who}#{state}", state)

    def used(self, it: Named, execution: str) -> Meant:
        """Returns the state that a run used, for what carried a record; for what carried none,
        what is known by its content aside."""
        if it.record is None:
            return Meant(f"{it.who}#{it.content or 'in:' + execution}", None)
        state = self.state_of(it.record) or it.record
        key = f"{it.who}#{state}"
        earlier = self.get(state)
        if earlier is None or earlier.is_words or earlier.who != it.who:
            return Meant(key, state)
        told = earlier.content
        if it.is_changed or (told and it.content and told != it.content):
            return Meant(f"{key}#{it.content or 'in:' + execution}", state, before=key)
        return Meant(key, state)


class Candidate(NamedTuple):
    """A record that stands outside of its container, and tells what content that had."""

    recorded_us: int
    digest: str
    execution: str


def known_by_content(
    candidates: Iterable[Candidate], it: Named, recorded_us: int, execution: str
) -> Meant | None:
    """Returns the newest state with a content that was recorded before a run that names no record,
    as those do whose inputs have their records elsewhere."""
    newest = max((c for c in candidates if c.recorded_us <= recorded_us), default=None)
    if newest is None or newest.execution == execution:
        return None
    return Meant(f"{it.who}#{newest.digest}", newest.digest, by_content=True)
