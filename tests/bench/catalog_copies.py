"""A million records in no time: what a few thousand tell, again and again under other names.

Each copy has UUIDs, digests, jobs and times of its own; images, users, machines and the names of
workflows are the same in all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from sifprov.catalog.told import Named, Told

_DAY_US = 24 * 3600 * 1_000_000


def copies(told: Sequence[Told], count: int) -> Iterator[Told]:
    """Yields that many records, a copy of all of `told` after the other."""
    made = 0
    number = 0
    while made < count:
        number += 1
        for each in _Copy(number).of(told):
            if made == count:
                return
            made += 1
            yield each


class _Copy:
    def __init__(self, number: int) -> None:
        self._salt = str(number).encode()
        self._shift = number * _DAY_US // 24

    def of(self, told: Iterable[Told]) -> Iterator[Told]:
        for each in told:
            execution, start, facts = each.execution, each.start, each.facts
            if execution:
                moved = [t + self._shift if t else t for t in execution[6:8]]
                job = [j and self._number(j) for j in execution[3:5]]
                execution = (
                    *execution[:3], *job, execution[5], *moved, *execution[8:-1],
                    execution[-1] ^ hash(self._salt) % 2**31,
                )  # fmt: skip
            if start:
                start = (self._hex(start[0]), *start[1:])
            if facts and facts.workflow:
                name, uuid, *rest = facts.workflow
                facts = facts._replace(workflow=(name, self._uuid(uuid), rest[0], rest[1]))
            yield each._replace(
                digest=self._digest(each.digest),
                id=self._uuid(each.id),
                container=self._uuid(each.container),
                previous=each.previous and self._digest(each.previous),
                recorded_us=each.recorded_us + self._shift,
                made=each.made and self._named(each.made),
                used=tuple(map(self._named, each.used)),
                siblings=tuple(map(self._named, each.siblings)),
                execution=execution,
                start=start,
                facts=facts,
            )

    def _named(self, it: Named) -> Named:
        return it._replace(
            who=self._uuid(it.who),
            record=it.record and self._digest(it.record),
            content=it.content and self._digest(it.content),
        )

    def _hex(self, text: str) -> str:
        return hashlib.blake2b(text.encode() + self._salt, digest_size=32).hexdigest()

    def _digest(self, text: str) -> str:
        kind, _, digest = text.partition(":")
        return f"{kind}:{self._hex(digest)}"

    def _uuid(self, text: str) -> str:
        return str(UUID(self._hex(text)[:32]))

    def _number(self, text: str) -> str:
        return str(int(self._hex(text)[:6], 16))
