"""The catalog's graph is that of the trail, whatever comes when."""

from __future__ import annotations

from random import Random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from sifprov.carrier import Carrier
from sifprov.catalog.ingest import Ingest
from sifprov.catalog.told import of_record
from sifprov.identity import Identity
from sifprov.lineage import build
from sifprov.model.graph import APPLICATION, Graph
from sifprov.placement import METADATA
from sifprov.records import Stored
from sifprov.trail import Trail
from tests.catalogs import Opened
from tests.unit.histories import History

_START = Carrier(Identity("/nowhere.sif"), (), kind=METADATA)


def _lineage(history: History) -> Graph:
    """The graph of all records of a history."""
    found: dict[UUID, Carrier] = {}
    for digest in history.inside:
        record = history.records[digest]
        stored = Stored(1, 1, digest, record, None)
        old = found.get(record.container)
        records = (*(old.records if old else ()), stored)
        found[record.container] = Carrier(Identity("/x.sif", record.container), records)
    return build(Trail(_START, found, history.records))


def _of_graph(graph: Graph) -> tuple[object, ...]:
    kept = {
        k: e
        for k, e in graph.entities.items()
        if e.kind != APPLICATION and not (e.uuid is None and k in graph.targets)
    }
    return (
        {k: (e.generated_by, e.revision_of, e.record, e.digest) for k, e in kept.items()},
        {(a.key, u.entity) for a in graph.activities.values() for u in a.used if u.entity in kept},
        {k: a.kind == "origin" for k, a in graph.activities.items()},
    )


def _of_catalog(connection: Connection) -> tuple[object, ...]:
    def rows(statement: str) -> list[tuple[object, ...]]:
        return [tuple(row) for row in connection.execute(text(statement))]

    states = rows(
        "SELECT s.key, e.uuid, b.key, s.record, c.digest FROM state s"
        " LEFT JOIN execution e ON e.id = s.generated_by LEFT JOIN state b ON b.id = s.revision_of"
        " LEFT JOIN content c ON c.id = s.content_id"
    )
    return (
        {key: tuple(rest) for key, *rest in states},
        set(
            rows(
                "SELECT e.uuid, s.key FROM used u JOIN execution e ON e.id = u.execution_id"
                " JOIN state s ON s.id = u.state_id"
            )
        ),
        {
            uuid: kind == "making"
            for uuid, kind in rows("SELECT uuid, kind FROM execution WHERE kind IS NOT NULL")
        },
    )


@pytest.mark.parametrize("steps", [4, 12, 40])
def test_the_graph_is_that_of_the_trail_in_any_order(opened: Opened, steps: int) -> None:
    @settings(max_examples=60 if steps < 40 else 15, deadline=None, database=None)
    @given(st.integers(0, 2**32))
    def check(seed: int) -> None:
        random = Random(seed)  # noqa: S311
        history = History(random)
        history.grow(steps)
        told = [of_record(r) for r in history.records.values()]
        random.shuffle(told)
        opened.clear()
        ingest = Ingest(opened.catalog)
        at = 0
        while at < len(told):
            size = random.choice((1, 1, 2, 5, len(told)))
            batch = told[at : at + size]
            # Some are seen embedded in others before they are found in their containers.
            early = {t.digest for t in batch if random.random() < 0.3}
            ingest.put(batch, {t.digest for t in batch} & history.inside - early)
            at += size
        ingest.put(told, history.inside)
        opened.check_references()
        with opened.catalog.reading() as connection:
            found = _of_catalog(connection)
        wanted = _of_graph(_lineage(history))
        for one, other in zip(found, wanted, strict=True):
            assert one == other

    check()
