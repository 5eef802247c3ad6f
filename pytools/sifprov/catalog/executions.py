"""Executions: one for all records of a run or a making, with all that belongs to it.

Records of one id that do not tell the same run, which only a hostile writer makes, get executions
of their own, as in lineage/order.py; the first that was read has the id alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sifprov.catalog import facts
from sifprov.catalog.arguments import names_set, words
from sifprov.catalog.bulk import Bulk, Row
from sifprov.catalog.images import Images
from sifprov.catalog.intern import Interned
from sifprov.catalog.tables import (
    container,
    env_partition,
    environment,
    execution,
    person,
    report,
    setting_name,
    start_command,
    workflow,
    workflow_execution,
)
from sifprov.catalog.told import EXECUTION_COLUMNS, START_COLUMNS, Told

LINKS = (
    "workflow_execution_id", "container_image_id", "start_command_id", "person_id",
    "env_partition_id",
)  # fmt: skip
_COLUMNS = (*EXECUTION_COLUMNS, *LINKS)
_CONTAINER = ("execution_id", "container_image_id", "start_command_id", "binds", "isolation")


class Execution(NamedTuple):
    """The row of an execution, and what it is known by: the records' id."""

    id: int
    key: str
    is_new: bool = False


class Executions:
    """Puts executions in, with their persons, machines, workflows, images and commands."""

    def __init__(self, images: Images) -> None:
        self._images = images
        self._persons = Interned(person, *facts.PERSON_COLUMNS)
        self._environments = Interned(environment, *facts.ENVIRONMENT_COLUMNS)
        self._partitions = Interned(env_partition, *facts.PARTITION_COLUMNS, "environment_id")
        self._starts = Interned(start_command, *START_COLUMNS)
        self._settings = Interned(setting_name, "name")
        self._workflows = Interned(workflow, "wf_key_name")
        self._workflow_runs = Interned(workflow_execution, "uuid", "composition", "workflow_id")
        self.all = (
            self._persons, self._environments, self._partitions, self._starts, self._settings,
            self._workflows, self._workflow_runs,
        )  # fmt: skip

    def put(self, bulk: Bulk, told: Iterable[Told]) -> dict[str, Execution]:
        """Returns, by the digest of each record, its execution: of words, the one that they are
        about."""
        told = list(told)
        made = [t for t in told if t.execution]
        words = [t for t in told if not t.execution and t.about_id]
        rows = self._existing(bulk, told)
        found: dict[str, Execution] = {}
        new: dict[str, Told] = {}
        stubs: dict[str, Told] = {}
        for each in made:
            key, there = self._key(each, rows, new)
            if there is None or there[1] is None:
                new.setdefault(key, each)
            if there is not None and there[1] is None:
                stubs.setdefault(key, each)
        ids = {key: row[0] for key, row in rows.items()}
        by_digest: dict[str, int] = dict(
            bulk.rows(
                "digest, execution_id", "record", "digest", {t.about for t in words if t.about}
            )
        )
        own = {t.digest: self._key(t, rows, new)[0] for t in made}
        wanted = [key for key in new if key not in ids]
        loose = {
            t.about_id: None
            for t in words
            if t.about_id and t.about not in by_digest and t.about not in own
        }
        wanted += [key for key in loose if key not in ids and key not in new]
        ids.update(zip(wanted, bulk.new_ids(execution, len(wanted)), strict=True))
        self._write(bulk, ids, new, stubs, [k for k in wanted if k not in new])
        for each in made:
            key = own[each.digest]
            found[each.digest] = Execution(ids[key], key, key in new)
        for each in words:
            about = by_digest.get(each.about or "")
            key = own.get(each.about or "") or each.about_id or ""
            found[each.digest] = Execution(about or ids[key], key)
        return found

    @staticmethod
    def _existing(bulk: Bulk, told: list[Told]) -> dict[str, tuple[int, int | None]]:
        """The id and the likeness of the executions that are there, by key."""
        what = ("uuid, id, likeness", "execution", "uuid")
        got = bulk.rows(*what, {k for t in told if (k := t.id if t.execution else t.about_id)})
        rows = {uuid: (number, likeness) for uuid, number, likeness in got}
        first: dict[str, int] = {uuid: row[1] for uuid, row in rows.items() if row[1] is not None}
        apart = {
            _apart(t)
            for t in told
            if t.execution and first.setdefault(t.id, t.execution[-1]) != t.execution[-1]
        }
        got = bulk.rows(*what, apart)
        return {**rows, **{uuid: (number, likeness) for uuid, number, likeness in got}}

    @staticmethod
    def _key(
        told: Told, rows: Mapping[str, tuple[int, int | None]], new: Mapping[str, Told]
    ) -> tuple[str, tuple[int, int | None] | None]:
        likeness = told.execution[-1] if told.execution else None
        there = rows.get(told.id)
        first = new[told.id].execution if told.id in new else None
        taken = first[-1] if first else there[1] if there else None
        if taken is None or taken == likeness:
            return told.id, there
        return _apart(told), rows.get(_apart(told))

    def _write(
        self,
        bulk: Bulk,
        ids: Mapping[str, int],
        new: Mapping[str, Told],
        stubs: Mapping[str, Told],
        loose: list[str],
    ) -> None:
        images = self._images.put(bulk, new.values())
        links = self.links(bulk, list(new.values()), images)
        rows = [
            (ids[key], key, *(t.execution or ()), *links[t.digest])
            for key, t in new.items()
            if key not in stubs
        ]
        bulk.insert(execution, ("id", "uuid", *_COLUMNS), rows)
        bulk.insert(execution, ("id", "uuid"), [(ids[key], key) for key in loose])
        filled = [(ids[k], *(t.execution or ()), *links[t.digest]) for k, t in stubs.items()]
        bulk.update(execution, "id", _COLUMNS, filled)
        # What a record tells counts more than what was reported before.
        bulk.delete(report, "execution_id", [row[0] for row in filled])
        runs = [(ids[key], t, links[t.digest]) for key, t in new.items() if t.start]
        numbers = bulk.new_ids(container, len(runs))
        bulk.insert(
            container,
            ("id", *_CONTAINER),
            [
                (n, i, image, start, t.facts and t.facts.binds, t.facts and t.facts.isolation)
                for n, (i, t, (_, image, start, _, _)) in zip(numbers, runs, strict=True)
            ],
        )

    def links(self, bulk: Bulk, told: list[Told], images: Mapping[str, int]) -> dict[str, Row]:
        """The values of LINKS, by the digest of each record."""
        known = [t.facts for t in told if t.facts]
        persons = self._persons.of(bulk, (f.person for f in known))
        environments = self._environments.of(bulk, (f.environment for f in known))
        partitions = self._partitions.of(
            bulk, ((*f.partition, environments[f.environment[0]]) for f in known)
        )
        starts = self._start_commands(bulk, told)
        runs = self._workflow_executions(bulk, known)
        found: dict[str, Row] = {}
        for each in told:
            image = images[each.image.key] if each.image else None
            start = starts[each.start[0]] if each.start else None
            if not each.facts:
                found[each.digest] = (None, image, start, None, None)
                continue
            flow, who = each.facts.workflow, each.facts.person
            found[each.digest] = (
                runs[flow[1]] if flow else None,
                image,
                start,
                persons[who[0]] if who else None,
                partitions[each.facts.partition[0]],
            )
        return found

    def _start_commands(self, bulk: Bulk, told: list[Told]) -> dict[str, int]:
        rows = {t.start[0]: t.start[1:] for t in told if t.start}
        place = START_COLUMNS.index("command") - 1
        commands = (words(rows[key][place]) for key in self._starts.unknown(rows))
        names = {name for command in commands for name in names_set(command)}
        self._settings.ids(bulk, dict.fromkeys(names, ()))
        return self._starts.ids(bulk, rows)

    def _workflow_executions(self, bulk: Bulk, known: list[facts.Told]) -> dict[str, int]:
        flows = [f.workflow for f in known if f.workflow]
        names = self._workflows.of(bulk, ((name,) for name, _, _, _ in flows))
        rows = {uuid: (declared, names[name]) for name, uuid, _, declared in reversed(flows)}
        return self._workflow_runs.ids(bulk, rows)


def _apart(told: Told) -> str:
    return f"{told.id}-{told.digest.rpartition(':')[2]}"
