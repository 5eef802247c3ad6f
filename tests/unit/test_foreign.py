"""What the thesis's prototype recorded: read, followed, and never mistaken for ours."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.prototypes import (
    COMMAND,
    EVAL,
    KNN,
    PREDICTIONS,
    TRAIN,
    named,
    put,
    result,
    static,
    workflow,
)  # fmt: skip
from tests.unit.provcheck import violations
from tests.unit.schemas import problems
from tests.unit.sifs import APP, OUT, add, add_object, container, make_sif, run_record

from sifprov.carrier import Carrier
from sifprov.cli import main
from sifprov.errors import NoRecordError, RecordError
from sifprov.export.prov import document, export
from sifprov.foreign import StoredForeign
from sifprov.identity import Identity
from sifprov.lineage import build
from sifprov.lineage.document import document as json_document
from sifprov.model.foreign import MAX_COMMAND, Foreign, Named
from sifprov.model.graph import EMBEDDED, FOREIGN_MAKING, FOREIGN_RUN, FOUND, Graph
from sifprov.render.tree import draw
from sifprov.trail import Trail, read_trail


def graph(path: Path, *search: str) -> Graph:
    """The graph of a container."""
    found = build(read_trail(str(path), search))
    check(found)
    return found


def check(found: Graph) -> None:
    """A foreign graph hangs together: it can be drawn and exported."""
    made: set[str] = set()
    awaited = {u.entity for a in found.activities.values() for u in a.generated}
    for key, activity in found.activities.items():
        assert (activity.record is None) != (activity.foreign is None)
        assert all(u.entity in made or u.entity not in awaited for u in activity.used)
        assert not made & {u.entity for u in activity.generated}
        made |= {u.entity for u in activity.generated}
        assert key == activity.key
        assert activity.digests
    assert {e.key for e in found.entities.values() if e.generated_by} == made
    assert violations(document(found)) == []
    assert draw(found)
    assert set(found.targets) <= found.entities.keys()


def by_name(found: Graph, name: str) -> Any:
    (entity,) = (e for e in found.entities.values() if e.name == name)
    return entity


# -- one document


def test_a_document() -> None:
    it = Foreign.from_json(result())
    assert it == Foreign(
        "predictions", PREDICTIONS, "2022-05-15T17:18:30Z", COMMAND, Named("knn", KNN),
        (Named("train", TRAIN), Named("eval", EVAL)), Named("predictions", PREDICTIONS),
    )  # fmt: skip
    assert it.is_run
    assert "exit status" in it.lacks
    alone = Foreign.from_json(static("knn", KNN))
    assert not alone.is_run
    assert alone.problems == ()
    assert "where the files came from" in alone.lacks


@pytest.mark.parametrize(
    "value",
    [None, [], "x", {}, {"UUID": "x"}, {"UUID": None, "RecordTrail": None}, [result()],
     {k: v for k, v in result().items() if k != "ExecutionCommand"}],
)  # fmt: skip
def test_what_is_none(value: Any) -> None:
    with pytest.raises(RecordError):
        Foreign.from_json(value)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"UUID": 7}, "UUID: not a UUID"),
        ({"UUID": "00000000-0000-0000-0000-000000000000"}, "UUID: not a UUID"),
        ({"UUID": "{" + str(OUT)[:34] + "}"}, "UUID: not a UUID"),
        ({"Name": None}, "Name: not a text"),
        ({"CreationTime": "yesterday"}, "CreationTime: not a time"),
        ({"CreationTime": "0001-01-01T00:00:00Z"}, "CreationTime: not a time"),
        ({"CreationTime": 1_652_635_110}, "CreationTime: not a time"),
        ({"ExecutionCommand": ["a"]}, "ExecutionCommand: not a text"),
        ({"ExecutionCommand": "x" * 100_000}, f"ExecutionCommand: longer than {MAX_COMMAND}"),
        ({"RecordTrail": [1]}, "RecordTrail: not an object"),
        ({"RecordTrail": {"InputContainers": {"a": 1}}}, "InputContainers: not a list"),
        ({"RecordTrail": {"InputContainers": [3]}}, "InputContainers[0]: not an object"),
        ({"RecordTrail": {"InputContainers": [{"Name": 3}]}}, "InputContainers[0].Name: not a"),
        ({"RecordTrail": {"ApplicationContainer": "knn"}}, "ApplicationContainer: not an object"),
        ({"RecordTrail": {"InputContainers": [None, named("a", TRAIN)] * 6000}}, "was left out"),
    ],
)
def test_what_has_not_its_form_is_told(changes: dict[str, Any], problem: str) -> None:
    it = Foreign.from_json(result(**changes))
    assert any(p.startswith(problem) or problem in p for p in it.problems)
    assert len(it.inputs) <= 10_000


# -- in containers


def test_the_thesis_workflow(tmp_path: Path) -> None:
    found = graph(workflow(tmp_path))
    kinds = [a.kind for a in found.activities.values()]
    assert sorted(kinds) == [FOREIGN_MAKING] * 3 + [FOREIGN_RUN]
    run = list(found.activities.values())[-1]
    assert [found.entities[u.entity].name for u in run.used] == ["knn.sif", "train.sif", "eval.sif"]
    assert [u.container.role for u in run.used] == ["application", "input", "input"]
    (target,) = found.targets
    assert [u.entity for u in run.generated] == [target]
    for entity in found.entities.values():
        assert entity.standing == FOUND
        assert entity.digest is None
        assert entity.generated_by
    assert by_name(found, "predictions.sif").container.reason


def test_it_is_shown_with_what_it_lacks(tmp_path: Path) -> None:
    path = workflow(tmp_path)
    done = CliRunner().invoke(main, ["trail", str(path)])
    assert done.exit_code == 0
    for shown in (
        *("predictions.sif", "knn.sif", "train.sif", "eval.sif", COMMAND),
        "does not tell: when the run began and ended, its exit status",
        "does not tell: where the files came from",
    ):
        assert shown in done.output
    assert "exit code" not in done.output
    assert "2022" not in done.output, "the time of making is not the time of the run"


def test_all_formats(tmp_path: Path) -> None:
    path = workflow(tmp_path)
    for fmt in ("json", "dot", "mermaid", "svg", "prov-n", "prov-json", "prov-xml", "prov-ttl"):
        done = CliRunner().invoke(main, ["trail", str(path), "--format", fmt])
        assert done.exit_code == 0, done.output
        assert "predictions.sif" in done.output
        assert "does not tell" in done.output or fmt not in ("prov-n", "prov-json", "json")
    trail = read_trail(str(path))
    plain = json.loads(json.dumps(json_document(trail, build(trail))))
    assert problems("sifprov.trail/1", plain) == []


def test_the_export_says_who_wrote_it(tmp_path: Path) -> None:
    written = export(graph(workflow(tmp_path)), "prov-n")
    assert written.count('sifprov:recorded_by="another program"') == 4
    assert written.count("sifprov:ForeignRecord") == 4
    assert "sifprov:Record'" not in written
    assert "prov:startTime" not in written
    assert f'sifprov:command_text="{COMMAND}"' in written


def test_ancestors_that_are_gone_or_others(tmp_path: Path) -> None:
    path = workflow(tmp_path)
    (tmp_path / "train.sif").unlink()
    put(tmp_path / "eval.sif", OUT, static("eval", OUT))
    found = graph(path)
    train, other = by_name(found, "train"), by_name(found, "eval")
    assert (train.standing, other.standing) == (EMBEDDED, EMBEDDED)
    assert (train.uuid, other.uuid) == (TRAIN, EVAL)
    assert "UUID alone" in train.problem
    assert train.generated_by is None
    # Elsewhere it is found by its name, too.
    moved = tmp_path / "moved"
    moved.mkdir()
    put(moved / "eval.sif", EVAL, static("eval", EVAL))
    assert by_name(graph(path, str(moved)), "eval.sif").standing == FOUND


@pytest.mark.parametrize("name", ["../../up", "a\0b", "", "\udcff", "-rf", "x" * 4000])
def test_hostile_names(tmp_path: Path, name: str) -> None:
    shown = name.encode("utf-8", "replace").decode()
    trail = {"InputContainers": [named(shown, TRAIN)], "ApplicationContainer": None,
             "OutputContainer": None}  # fmt: skip
    path = put(tmp_path / "p.sif", PREDICTIONS, result(Name=shown, RecordTrail=trail))
    found = graph(path)
    assert sum(e.uuid == TRAIN for e in found.entities.values()) == 1


def test_the_application_uuid_in_place_of_the_output(tmp_path: Path) -> None:
    workflow(tmp_path)
    it = result(UUID=str(KNN))
    it["RecordTrail"]["OutputContainer"]["UUID"] = str(KNN)
    path = put(tmp_path / "predictions.sif", PREDICTIONS, it, b"metadata.json")
    found = graph(path)
    (target,) = found.targets
    assert found.entities[target].uuid == PREDICTIONS
    run = list(found.activities.values())[-1]
    assert run.foreign
    assert run.foreign.problems == (
        "UUID: is the application's, not that of this container",
        "OutputContainer.UUID: is the application's, not that of this container",
    )
    assert [found.entities[u.entity].uuid for u in run.used] == [KNN, TRAIN, EVAL]


def test_a_copied_document_is_told(tmp_path: Path) -> None:
    path = put(tmp_path / "copy.sif", OUT, result())
    found = graph(path)
    assert found.entities[found.targets[0]].uuid == OUT
    assert any("another container's" in p for a in found.activities.values()
               for p in (a.foreign.problems if a.foreign else ()))  # fmt: skip


def test_not_every_object_of_that_name_counts(tmp_path: Path) -> None:
    for n, data in enumerate(({"a": 1}, [], "x", {"schema": "sifprov.record/1"})):
        path = put(tmp_path / f"{n}.sif", OUT, data, b"metadata.json")
        if n < 3:
            with pytest.raises(NoRecordError):
                read_trail(str(path))
        else:  # one that names our schema is a broken record of ours
            assert graph(path).activities == {}
    path = put(tmp_path / "other-name.sif", OUT, result(), b"metadata.txt")
    with pytest.raises(NoRecordError):
        read_trail(str(path))


def test_two_runs_into_one_container(tmp_path: Path) -> None:
    path = workflow(tmp_path)
    again = result(ExecutionCommand="python3 /again.py")
    add_object(path, json.dumps(again).encode(), name=b"metadata.json", group=1)
    found = graph(path)
    newest = found.entities[found.targets[0]]
    assert newest.revision_of
    assert found.activities[newest.generated_by or ""].foreign == Foreign.from_json(again)
    assert found.entities[newest.revision_of].generated_by


# -- beside our records


def test_a_run_of_ours_that_read_a_result_of_the_prototype(tmp_path: Path) -> None:
    path = workflow(tmp_path)
    ours = make_sif(tmp_path / "out.sif")
    its = replace(container("input", PREDICTIONS, "predictions.sif"), path=str(path))
    app = container("application", APP, "app.sif")
    add(ours, replace(run_record(), containers=(app, its, container("output", OUT, "out.sif"))))
    found = graph(ours)
    assert len(found.activities) == 5
    run = list(found.activities.values())[-1]
    assert run.record
    used = found.entities[run.used[-1].entity]
    assert used.digest == its.digest
    assert used.generated_by is None
    before = found.entities[used.revision_of or ""]
    assert found.activities[before.generated_by or ""].kind == FOREIGN_RUN
    assert draw(found).count(COMMAND) == 1


def test_a_run_of_ours_that_wrote_into_a_result_of_the_prototype(tmp_path: Path) -> None:
    path = workflow(tmp_path)
    its = container("output", PREDICTIONS, "predictions.sif")
    app = container("application", APP, "app.sif")
    add(path, replace(run_record(PREDICTIONS), containers=(app, its)))
    found = graph(path)
    newest = found.entities[found.targets[0]]
    run = found.activities[newest.generated_by or ""]
    assert run.record
    before = found.entities[newest.revision_of or ""]
    assert found.activities[before.generated_by or ""].kind == FOREIGN_RUN


# -- documents that lead in circles, and without end


def carrier(number: int, *uses: int) -> Carrier:
    """A container that a run made from others, by number."""
    uuid = UUID(int=number + 1)
    inputs = tuple(Named(f"c{n}", UUID(int=n + 1)) for n in uses)
    it = Foreign(f"c{number}", uuid, None, "x", None, inputs, None)
    stored = StoredForeign(3, f"sha256:{number:064x}", it)
    return Carrier(Identity(f"/data/c{number}.sif", uuid), (), foreign=(stored,))


def trail(*carriers: Carrier) -> Trail:
    """A trail of these, the first one its start."""
    others = {c.identity.uuid: c for c in carriers[1:] if c.identity.uuid}
    return Trail(carriers[0], others, {})


@pytest.mark.parametrize(
    "carriers",
    [
        (carrier(0, 0),),
        (carrier(0, 1), carrier(1, 0)),
        (carrier(0, 1), carrier(1, 2), carrier(2, 0)),
        (carrier(0, 1, 2), carrier(1, 2, 0), carrier(2, 0, 1), carrier(3, 2)),
        (carrier(0, 1, 1, 1), carrier(1)),
    ],
)
def test_circles_are_cut(carriers: tuple[Carrier, ...]) -> None:
    found = build(trail(*carriers))
    check(found)
    assert len(found.activities) == len(carriers)


def test_a_long_chain_and_a_wide_one() -> None:
    long = build(trail(*(carrier(n, n + 1) for n in range(3000))))
    assert len(long.activities) == 3000
    order = [a.generated[0].entity for a in long.activities.values()]
    assert order[-1] == long.targets[0]
    everything = range(2000)
    wide = build(trail(*(carrier(n, *everything) for n in range(60))))
    assert any("some are left out" in p for p in wide.problems)
    assert len(wide.entities) < 3000


def test_a_chain_on_disk_needs_no_recursion(tmp_path: Path) -> None:
    def uuid(n: int) -> UUID:
        return UUID(int=(7 << 120) + n)

    inputs = {"InputContainers": [named("c0001", uuid(1))]}
    first = put(tmp_path / "c0000.sif", uuid(0), result(UUID=str(uuid(0)), RecordTrail=inputs))
    data = first.read_bytes()
    for n in range(1, 1200):
        own, after = str(uuid(n)).encode(), str(uuid(n + 1)).encode()
        # One by one: the second is what the first is replaced by.
        made = data.replace(str(uuid(1)).encode(), after).replace(b"c0001", b"c%04d" % (n + 1))
        made = made.replace(str(uuid(0)).encode(), own).replace(uuid(0).bytes, uuid(n).bytes)
        (tmp_path / f"c{n:04}.sif").write_bytes(made)
    found = build(read_trail(str(first)))
    assert len(found.activities) == 1200
    assert {a.foreign.problems for a in found.activities.values() if a.foreign} == {()}


def test_a_script_takes_the_results_of_the_prototype_as_they_are(tmp_path: Path) -> None:
    path = workflow(tmp_path)
    done = CliRunner().invoke(main, ["trail", "--script", str(path)])
    assert done.exit_code == 0
    assert "stop 'predictions.sif was made by a run that another program recorded'" in done.output
    ours = make_sif(tmp_path / "out.sif")
    its = replace(container("input", PREDICTIONS, "predictions.sif"), path=str(path))
    app = container("application", APP, "app.sif")
    add(ours, replace(run_record(), containers=(app, its, container("output", OUT, "out.sif"))))
    done = CliRunner().invoke(main, ["trail", "--script", str(ours)])
    assert done.exit_code == 0
    assert "need predictions.sif " in done.output
    assert "fresh out.sif" in done.output
    assert "fresh predictions.sif" not in done.output
    assert "\nstop " not in done.output


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40) | st.just(str(TRAIN)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["Name", "UUID", "InputContainers", "x"]), inner)
        | st.dictionaries(st.sampled_from(["ApplicationContainer", "OutputContainer"]), inner)
    ),
    max_leaves=20,
)


@given(
    value=st.fixed_dictionaries(
        {"UUID": ANYTHING, "ExecutionCommand": ANYTHING, "RecordTrail": ANYTHING},
        optional={"Name": ANYTHING, "CreationTime": ANYTHING | st.datetimes().map(str)},
    )
)
def test_any_document_is_read_or_told(value: dict[str, Any]) -> None:
    it = Foreign.from_json(value)
    stored = StoredForeign(3, "sha256:" + "0" * 64, it)
    found = build(Trail(Carrier(Identity("/x.sif", OUT), (), foreign=(stored,)), {}, {}))
    check(found)
    assert len(found.activities) == 1
