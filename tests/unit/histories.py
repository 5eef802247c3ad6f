"""Random histories of containers: records that name each other in all the ways that records do."""

from __future__ import annotations

from random import Random
from uuid import UUID

from sifprov.frozen import replace
from sifprov.model.annotation import Annotation
from sifprov.model.canonical import record_digest
from sifprov.model.container import (
    APPLICATION,
    CHANGED_OUTSIDE,
    INPUT,
    OUTPUT,
    PROVISIONAL,
    Container,
)
from sifprov.model.record import (
    ANNOTATE,
    CREATE,
    EXITED,
    PLUGIN,
    RERUN,
    Origin,
    Record,
    Replay,
    Run,
)
from sifprov.model.timestamp import from_ns
from sifprov.model.verdict import DIFFERS, Verdict

_BEGIN = 1_780_000_000_000_000_000
_MINUTE = 60_000_000_000


class History:
    """Makes records, by digest in the order in which they were made. `inside` are those that stand
    in their containers; the others stand elsewhere."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.records: dict[str, Record] = {}
        self.inside: set[str] = set()
        self._count = 0
        self._now = _BEGIN
        # Of each container its records, newest last, and the content that it has.
        self._chains: dict[UUID, list[str]] = {}
        self._contents: dict[UUID, str] = {}
        self._is_inside: dict[UUID, bool] = {}

    def grow(self, steps: int) -> None:
        """Makes that many records or runs."""
        for _ in range(steps):
            ways = (self._make, self._run, self._run, self._run, self._run, self._say, self._seal)
            self.random.choice(ways)()

    def _uuid(self) -> UUID:
        self._count += 1
        return UUID(f"00000000-0000-4000-8000-{self._count:012x}")

    def _tree(self) -> str:
        self._count += 1
        return f"tree-v1:{self._count:064x}"

    def _begin(self) -> UUID:
        uuid = self._uuid()
        self._chains[uuid], self._contents[uuid] = [], self._tree()
        self._is_inside[uuid] = self.random.random() < 0.6
        return uuid

    def _put(self, record: Record) -> str:
        digest = record_digest(record.to_bytes())
        self.records[digest] = record
        self._chains.setdefault(record.container, []).append(digest)
        if self._is_inside.get(record.container):
            self.inside.add(digest)
        return digest

    def _previous(self, uuid: UUID) -> str | None:
        chain = self._chains.get(uuid)
        return chain[-1] if chain else None

    def _make(self) -> None:
        uuid = self._begin()
        if self.random.random() < 0.3:
            return  # a container without a record
        origin = Origin("/home/ada/data", self._contents[uuid])
        self._put(self._record(uuid, CREATE, origin=origin))

    def _seal(self) -> None:
        """A sealed container goes on behind the records of another."""
        told = [u for u, chain in self._chains.items() if chain]
        if not told:
            return
        old, new = self.random.choice(told), self._begin()
        self._contents[new] = self._contents[old]
        origin = Origin("/home/ada/old.sif", self._contents[new])
        source = self._container(INPUT, old)
        record = self._record(new, CREATE, origin=origin, containers=(source,))
        self._put(replace(record, previous=self._previous(old)))

    def _run(self) -> None:
        known = list(self._chains)
        inputs = self.random.sample(known, min(len(known), self.random.randrange(4)))
        rest = [u for u in known if u not in inputs]
        outputs = [
            self.random.choice(rest) if rest and self.random.random() < 0.4 else self._begin()
            for _ in range(self.random.choice((1, 1, 1, 2, 3)))
        ]
        outputs = list(dict.fromkeys(outputs))
        read = [self._found(u) for u in inputs]
        written = [self._container(OUTPUT, u) for u in outputs]
        told = []
        for it in written:
            assert it.uuid
            self._contents[it.uuid] = self._tree()
            tells = self.random.random() < 0.9
            told.append(replace(it, digest=self._contents[it.uuid] if tells else None))
        app = replace(
            self._container(APPLICATION, UUID(int=7)), digest=f"image-v1:{7:064x}", record=None
        )
        self._now += _MINUTE
        first = self._record(UUID(int=0), PLUGIN, run=self._took(), containers=(app, *read, *told))
        for it in told:
            assert it.uuid
            if len(told) == 1 or self.random.random() < 0.8:
                self._put(replace(first, container=it.uuid, previous=self._previous(it.uuid)))

    def _found(self, uuid: UUID) -> Container:
        """An input as a run may find it: with its newest record or an older one, changed since,
        not digested, or without what stands elsewhere."""
        it = self._container(INPUT, uuid)
        chain = self._chains[uuid]
        chance = self.random.random()
        if chain and chance < 0.1:
            it = replace(it, record=self.random.choice(chain))
        elif chain and chance < 0.2:
            it = replace(it, digest=self._tree(), marks=(CHANGED_OUTSIDE,))
        elif chain and chance < 0.25:
            it = replace(it, digest=self._tree(), marks=(PROVISIONAL,))
        elif chance < 0.3:
            it = replace(it, digest=None, reason="not read")
        elif chain and chance < 0.33:
            # Another container's.
            it = replace(it, record=self.random.choice(list(self.records)))
        elif chance < 0.36:
            it = replace(it, record="sha256:" + f"{self._count:064x}")
        if not self._is_inside.get(uuid):
            it = replace(it, record=None)
        return it

    def _say(self) -> None:
        """Words about a record, in its container, or in another one's chain."""
        told = [(d, r) for d, r in self.records.items() if not r.about]
        if not told:
            return
        digest, about = self.random.choice(told)
        of = Replay(digest, about.id)
        record = self._record(about.container, ANNOTATE)
        record = replace(record, previous=self._previous(about.container))
        if self.random.random() < 0.7:
            number = str(self.random.randrange(5))
            words = Annotation(("said",), (("quality", number),), (("r2", number),))
            record = replace(record, annotation=words, annotates=of)
        else:
            content = (self._tree(), self._tree())
            verdict = Verdict(DIFFERS, of, *content, (2, 1, 1, 0, 0))
            record = replace(record, captured_by=RERUN, replays=of, verdict=verdict)
        self._put(record)

    def _container(self, role: str, uuid: UUID) -> Container:
        return Container(
            role=role, name=f"{uuid.int}.sif", path=f"/home/ada/{uuid.int}.sif", uuid=uuid,
            created="2026-05-28T20:00:00Z", modified=None,
            mount=None if role == APPLICATION else f"/{uuid.int}",
            source=None if role == APPLICATION else "/Inputs", writable=role == OUTPUT,
            read_only_added=False, digest=self._contents.get(uuid), reason=None,
            record=self._previous(uuid),
        )  # fmt: skip

    def _took(self) -> Run:
        return Run(
            action="exec", argv=("singularity", "exec", "app.sif", str(self._count)),
            command=("true",), redacted=(), cwd="/home/ada",
            started=from_ns(self._now - _MINUTE // 2), ended=from_ns(self._now - 1_000_000_000),
            outcome=EXITED, exit_code=0, signal=None, environment=(("LANG", "C"),),
            runtime_name="singularity-ce", runtime_version="4.3.3",
        )  # fmt: skip

    def _record(
        self,
        container: UUID,
        by: str,
        *,
        run: Run | None = None,
        origin: Origin | None = None,
        containers: tuple[Container, ...] = (),
    ) -> Record:
        self._now += _MINUTE
        return Record(
            id=self._uuid(), container=container, previous=None, recorded=from_ns(self._now),
            captured_by=by, version="0.1.0", run=run, origin=origin, containers=containers,
            replays=None,
        )  # fmt: skip
