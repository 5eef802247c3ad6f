"""The trail as W3C PROV."""

from __future__ import annotations

import builtins
import json
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prov.model import ProvDocument
from tests.unit.graphmaker import Sample
from tests.unit.graphs import FACTS, NAMES, SAMPLES, chain, small
from tests.unit.provcheck import provn_errors, read, types, violations

from sifprov.errors import MissingError, SifprovError
from sifprov.export.prov import FORMATS, document, export
from sifprov.export.vocabulary import NAMESPACE, json_text, text
from sifprov.model.canonical import text_to_json
from sifprov.model.fact import Fact
from sifprov.model.foreign import Foreign, Named
from sifprov.model.graph import Activity, Graph
from sifprov.model.record import NOT_STARTED, UNKNOWN, Replay, Run


def foreign() -> Graph:
    """A run that the prototype recorded, behind it one of ours."""
    s = Sample()
    app, data = s.plain("knn"), s.plain("train.sif")
    out = s.plain("predictions.sif")
    (end,) = s.run(s.application(), (out,), "output.sif")
    it = Foreign(
        "predictions", out.uuid, None, "python3 a.py     python3 b.py \x1b[2J",
        Named("knn", app.uuid), (Named("train", data.uuid),), None, ("UUID: not a UUID",),
    )  # fmt: skip
    graph = s.graph(end)
    made = next(u for a in graph.activities.values() for u in a.used if u.entity == out.key)
    activity = Activity(
        "foreign-" + "a" * 64, None, ("sha256:" + "a" * 64,),
        tuple(replace(made, entity=e.key, container=e.container) for e in (app, data)),
        (made,), foreign=it,
    )  # fmt: skip
    entities = {**graph.entities, out.key: replace(out, generated_by=activity.key)}
    return replace(
        graph, entities=entities, activities={activity.key: activity, **graph.activities}
    )


SAMPLES_AND_MORE: dict[str, Callable[[], Graph]] = {**SAMPLES, "foreign": foreign}


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("make", SAMPLES_AND_MORE.values(), ids=SAMPLES_AND_MORE)
def test_an_export_comes_back_unchanged_and_is_valid(make: Callable[[], Graph], fmt: str) -> None:
    graph = make()
    written = export(graph, fmt)
    found = read(written, fmt)
    assert found == document(graph)
    assert violations(found) == []
    assert written == export(make(), fmt), "the same trail gives the same bytes"
    assert written.endswith("\n")


@pytest.mark.parametrize("make", SAMPLES_AND_MORE.values(), ids=SAMPLES_AND_MORE)
def test_other_programs_can_read_it(make: Callable[[], Graph]) -> None:
    graph = make()
    assert provn_errors(export(graph, "prov-n")) == []
    assert json.loads(export(graph, "prov-json"))["prefix"] == {"sifprov": NAMESPACE}
    root = ET.fromstring(export(graph, "prov-xml").encode())  # noqa: S314
    assert root.tag == "{http://www.w3.org/ns/prov#}document"
    for fmt in FORMATS:
        for character in export(graph, fmt):
            assert character == "\n" or character.isprintable() or character in "\u00a0\u3000"


def answers(graph: Graph, query: str) -> list[tuple[str, ...]]:
    """What a trail in Turtle answers to a query."""
    from rdflib import Graph as Rdf

    found = Rdf()
    found.parse(data=export(graph, "prov-ttl"), format="turtle")
    prefixes = f"PREFIX s: <{NAMESPACE}> PREFIX prov: <http://www.w3.org/ns/prov#> "
    rows: Any = found.query(prefixes + query)
    return [tuple(map(str, row)) for row in rows]


def test_turtle_answers_questions() -> None:
    # ProvDeploy's first query: job, images and environments of a workflow's execution.
    assert answers(
        small(),
        """SELECT ?job ?image ?partition WHERE {
          ?run a s:Execution ; s:job_id ?job ; prov:qualifiedAssociation [ prov:agent ?p ] ;
               prov:qualifiedUsage [ prov:entity ?i ; prov:hadRole s:application ] .
          ?p a s:EnvironmentPartition ; s:platform_cpu ?partition . ?i s:name ?image }
        ORDER BY ?image""",
    ) == [("4711", "gnuplot.sif", "Xeon"), ("4711", "simulate.sif", "Xeon")]
    assert answers(
        small(),
        """SELECT ?name WHERE { ?end rdfs:label "output.sif" ; prov:wasDerivedFrom+ ?from .
                                ?from rdfs:label ?name } ORDER BY ?name""",
    ) == [("/home/ada/data",), ("input.sif",), ("middle.sif",)]


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        ("entity(sifprov:e, [prov:type='prov:Plan'])" * 2, "is stated twice"),
        ("entity(sifprov:E, [prov:type='prov:Plan'])", "no name of ours"),
        ("entity(sifprov:e)", "has no type"),
        ("used(sifprov:a, sifprov:x, -)", "is None, not e"),
        ("used(sifprov:a, sifprov:b, -)", "is a, not e"),
        ("wasGeneratedBy(sifprov:m, sifprov:b, -)", "is generated twice"),
        ("activity(sifprov:c, 2020-01-02T00:00:00Z, 2020-01-01T00:00:00Z, [prov:type='prov:X'])",
         "ends before it starts"),
        ("wasGeneratedBy(sifprov:n, sifprov:b, 2020-01-03T00:00:00Z)", "generated outside of"),
        ("used(sifprov:b, sifprov:m, 2019-01-01T00:00:00Z)", "used outside of"),
        ("used(sifprov:d, sifprov:m, -)", "before it is generated"),
        ("wasGeneratedBy(sifprov:n, sifprov:d, 2018-01-01T00:00:00Z)"
         " wasDerivedFrom(sifprov:n, sifprov:m)", "is older than"),
        ("wasDerivedFrom(sifprov:m, sifprov:n) wasDerivedFrom(sifprov:n, sifprov:m)", "a circle"),
        ("used(sifprov:a, sifprov:m, -)", "a circle"),
        ("specializationOf(sifprov:m, sifprov:m)", "specialization leads in a circle"),
    ],
)  # fmt: skip
def test_the_check_finds_what_breaks_a_constraint(statements: str, said: str) -> None:
    good = f"""document prefix sifprov <{NAMESPACE}>
      entity(sifprov:m, [prov:type='prov:X']) entity(sifprov:n, [prov:type='prov:X'])
      activity(sifprov:a, 2020-01-01T00:00:00Z, 2020-01-02T00:00:00Z, [prov:type='prov:X'])
      activity(sifprov:b, 2020-01-01T00:00:00Z, 2020-01-02T00:00:00Z, [prov:type='prov:X'])
      activity(sifprov:d, 2018-01-01T00:00:00Z, 2018-01-01T00:00:00Z, [prov:type='prov:X'])
      wasGeneratedBy(sifprov:m, sifprov:a, 2020-01-01T00:00:00Z) %s endDocument"""
    assert violations(read(good % "", "prov-n")) == []
    assert any(said in line for line in violations(read(good % statements, "prov-n")))
    assert provn_errors("document\n  entity(sifprov:e)\nendDocument\n") == []
    assert provn_errors('document\n  entity(sifprov:e, [a:b="\x1b\\q"])\nendDocument\n')
    assert provn_errors("document\n  used(sifprov:e)\nendDocument\n")


# -- what stands in it


def one(graph: Graph, kind: str) -> dict[str, Any]:
    """The attributes of the only thing of a type."""
    (found,) = every(graph, kind)
    return found


def every(graph: Graph, kind: str) -> list[dict[str, Any]]:
    """The attributes of the things of a type."""
    found = []
    for record in document(graph).get_records():
        if any(str(t) == f"sifprov:{kind}" for t in record.get_asserted_types()):
            pairs = [(str(n).removeprefix("sifprov:"), v) for n, v in record.attributes]
            found.append({"": str(record.identifier).removeprefix("sifprov:"), **dict(pairs)})
    return found


def said(graph: Graph) -> str:
    return export(graph, "prov-n")


def changed(graph: Graph, **changes: Any) -> Graph:
    """The graph with another last run."""
    key = list(graph.activities)[-1]
    activity = graph.activities[key]
    assert activity.record
    assert activity.record.run
    run = {k: v for k, v in changes.items() if k in Run.__dataclass_fields__}
    record = {k: v for k, v in changes.items() if k not in run}
    new = replace(activity.record, run=replace(activity.record.run, **run), **record)
    return replace(graph, activities={**graph.activities, key: replace(activity, record=new)})


def valid(graph: Graph) -> ProvDocument:
    for fmt in FORMATS:
        found = read(export(graph, fmt), fmt)
        assert violations(found) == []
        assert found == document(graph)
    return document(graph)


def test_the_model_is_that_of_provdeploy() -> None:
    facts = (*FACTS, Fact("application", {
        "labels": {"author": "ada"}, "bases": [{"bootstrap": "docker", "from": "debian:12"}],
        "definition_digest": "sha256:" + "1" * 64, "source_digest": "sha256:" + "2" * 64,
        "entry_point": "exec plot", "environment": {"LC_ALL": "C"},
    }, "objects"))  # fmt: skip
    graph = changed(small(), facts=facts)
    found = valid(graph)
    names = {t for r in found.get_records() for t in map(str, r.get_asserted_types())}
    assert {f"sifprov:{name}" for name in (
        "Workflow", "ContainerImage", "BaseImage", "OriginalImage", "ConfigFile", "Configuration",
        "Container", "StartCommand", "User", "Environment", "EnvironmentPartition", "Execution",
        "WorkflowExecution", "Content",
    )} <= names  # fmt: skip
    assert one(graph, "WorkflowExecution")["job_id"] == "4711"
    configuration = one(graph, "Configuration")
    assert configuration["entry_point"] == "exec plot"
    assert configuration["image_environment"] == '{"LC_ALL":"C"}'
    assert one(graph, "WorkflowExecution")["elapsed_us"] == 2 * 29_250_000
    assert {e["elapsed_us"] for e in every(graph, "Execution")} == {29_250_000}
    assert one(graph, "Configuration")["labels"] == '{"author":"ada"}'
    assert one(graph, "BaseImage")["header"] == '{"bootstrap":"docker","from":"debian:12"}'
    assert one(graph, "Environment")["architecture"] == "x86_64"
    assert one(graph, "Environment")["scheduler"] == "slurm"
    assert one(graph, "EnvironmentPartition")["platform_cpus"] == 8
    assert one(graph, "User")["user_name"] == "ada"
    assert types(found, one(graph, "Workflow")[""]) >= {"prov:Plan", "prov:Collection"}
    written = said(graph)
    for plan in every(graph, "StartCommand"):
        assert f"{one(graph, 'User')['']}, sifprov:{plan['']})" in written
        assert f"hadMember(sifprov:{one(graph, 'Workflow')['']}, sifprov:{plan['']})" in written


def test_times_keep_their_nanoseconds() -> None:
    started = "2026-05-28T20:29:09.123456789Z"
    graph = changed(small(), started=started)
    run = every(graph, "Execution")[-1]
    assert run["started"] == started
    assert run["prov:startTime"].isoformat() == "2026-05-28T20:29:09.123456+00:00"


def test_a_content_is_one_thing_wherever_it_is() -> None:
    s = Sample()
    (first,) = s.run(s.application(), (s.made("in.sif"),), "a.sif")
    same = replace(first.container, uuid=s.uuid(), name="b.sif")
    copy = replace(first, key="b#x", container=same, generated_by=None, record=None)
    graph = s.graph(first)
    graph = replace(graph, entities={**graph.entities, copy.key: copy})
    content = f"sifprov:content-{(first.digest or '').replace(':', '-')})"
    assert said(graph).count(f", {content}") == 2


def test_a_container_that_was_there_before_is_a_revision() -> None:
    written = said(SAMPLES["rewritten"]())
    assert written.count("prov:type='prov:Revision'") == 2
    assert written.count("wasGeneratedBy(") == 4


def test_what_no_recorded_run_changed_is_a_revision_too() -> None:
    s = Sample()
    data = s.made("data.sif")
    changed = replace(
        data, key=data.key + "#changed", generated_by=None, revision_of=data.key,
        problem="had been changed",
    )  # fmt: skip
    s.entities[changed.key] = changed
    (end,) = s.run(s.application(), (changed,), "out.sif")
    graph = s.graph(end)
    valid(graph)
    names = {e.get("problem"): e[""] for e in every(graph, "DataContainer")}
    assert said(graph).count(f"; sifprov:{names['had been changed']}, sifprov:data-") == 1
    # In a circle one has to be the first.
    again = replace(data, generated_by=None, revision_of=changed.key)
    loop = replace(graph, entities={**graph.entities, data.key: again}, activities={
        k: a for k, a in graph.activities.items() if a.run})  # fmt: skip
    valid(loop)
    assert said(loop).count("prov:Revision") == 1


def test_a_state_that_comes_of_what_comes_of_it() -> None:
    s = Sample()
    data = s.made("data.sif")
    (end,) = s.run(s.application(), (data,), "out.sif")
    odd = replace(end, key="odd#1", generated_by=None, revision_of=end.key)
    entities = {**s.entities, odd.key: odd, end.key: replace(end, revision_of=odd.key)}
    graph = replace(s.graph(end), entities=entities)
    valid(graph)
    assert said(graph).count("prov:Revision") == 1


def test_what_is_missing_is_named() -> None:
    graph = SAMPLES["partly-missing"]()
    written = said(graph)
    assert 'prov:label="gone.sif"' in written
    assert 'sifprov:standing="missing"' in written
    assert 'sifprov:problem="carries other records now than it did then"' in written
    assert one(graph, "Workflow")["problem"] == graph.problems[0]


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"outcome": UNKNOWN, "ended": None, "exit_code": None}, {"outcome": "unknown"}),
        ({"outcome": NOT_STARTED, "exit_code": None}, {"outcome": "not-started"}),
        ({"exit_code": None, "signal": 9}, {"signal": 9}),
        ({"redacted": (1,)}, {}),
    ],
)
def test_how_a_run_ended(changes: dict[str, Any], shown: dict[str, Any]) -> None:
    graph = changed(small(), **changes)
    valid(graph)
    run = every(graph, "Execution")[-1]
    assert shown.items() <= run.items()
    assert ("exit_code" in run) == (changes.get("exit_code", 0) is not None)
    assert ("prov:endTime" in run) == ("ended" not in changes)
    assert ('sifprov:redacted="[1]"' in said(graph)) == ("redacted" in changes)


def test_a_replay_used_the_record_that_it_replays() -> None:
    digest = "sha256:" + "7" * 64
    graph = changed(small(), replays=Replay(digest, Sample().uuid()))
    valid(graph)
    assert f"sifprov:record-{digest.replace(':', '-')}, -, [prov:role='sifprov:replayed'])" in said(
        graph
    )


def test_words_are_records_or_stand_in_one() -> None:
    graph = small()
    own, later = (r for r in every(graph, "Record") if "notes" in r)
    assert own["notes"] == '["detector 3 was off"]'
    assert own["tags"] == '{"paper":"draft-2"}'
    assert later["notes"] == '["checked by hand"]'
    assert f"wasDerivedFrom(sifprov:{later['']}, sifprov:{own['']}" in said(graph)
    metric = one(graph, "Metric")
    assert (metric["name"], metric["text"], metric["prov:value"]) == ("r2", "0.93", 0.93)


def test_facts_of_any_form() -> None:
    graph = changed(small(), facts=(
        Fact("batch", "slurm", "?"), Fact("binds", {"x": 1}, "?"), Fact("user", {"a b": 1}, "?"),
        Fact("resources", {"wall_us": True}, "?"), Fact("started", "yes", "?"),
        Fact("application", {"labels": [], "bases": 3, "definition_digest": {"a": ["\x1b"]},
                             "more": 1}, "?"),
        Fact("log", {"digest": None, "bytes": 3}, "?"), Fact("isolation", None, reason="\x07"),
        Fact("platform", {"gpus": ["x"], "cpu": 3, "architecture": ["y"]}, "?"),
        Fact("new", [1, {"z": "\u202e"}], "?"),
    ))  # fmt: skip
    valid(graph)
    run = every(graph, "Execution")[-1]
    assert run["fact_batch"] == '"slurm"'
    assert run["fact_binds"] == '{"x":1}'
    assert run["fact_user"] == '{"a b":1}'
    assert run["fact_started"] == '"yes"'
    assert run["fact_new"] == '[1,{"z":"\\u202e"}]'
    assert run["application_more"] == 1
    assert run["facts_reason"] == '{"isolation":"\\u0007"}'
    assert json.loads(run["facts_source"])["batch"] == "?"
    assert "fact_isolation" not in run


def test_a_log_belongs_to_its_run() -> None:
    fact = Fact("log", {"bytes": 12, "cut": 0, "digest": "sha256:" + "3" * 64,
                        "object": "metadata.log.json"}, "relay")  # fmt: skip
    graph = changed(small(), facts=(fact,))
    valid(graph)
    assert one(graph, "Log")["log_bytes"] == 12
    assert f"wasGeneratedBy(sifprov:{one(graph, 'Log')['']}, " in said(graph)


def test_telemetry_belongs_to_its_run() -> None:
    fact = Fact("telemetry", {"columns": ["time_us"], "digest": "sha256:" + "3" * 64,
                              "network": None, "samples": 7}, "/proc")  # fmt: skip
    graph = changed(small(), facts=(fact,))
    valid(graph)
    found = one(graph, "Telemetry")
    assert (found["telemetry_samples"], found["telemetry_columns"]) == (7, '["time_us"]')
    assert f"wasGeneratedBy(sifprov:{found['']}, " in said(graph)


# -- times and graphs that cannot be


def test_a_run_that_ended_before_it_began_has_no_times() -> None:
    graph = changed(small(), ended="2026-05-28T20:29:09Z")
    valid(graph)
    run = every(graph, "Execution")[-1]
    assert "clock" in run["problem"]
    assert "prov:startTime" not in run
    assert run["ended"] == "2026-05-28T20:29:09Z"


def test_a_run_that_was_before_what_it_used_has_no_times() -> None:
    graph = changed(
        small(), started="2026-05-28T20:00:00Z", ended="2026-05-28T20:00:01.5Z", facts=()
    )
    valid(graph)
    run = every(graph, "Execution")[-1]
    assert "clocks differ" in run["problem"]
    assert run["elapsed_us"] == 1_500_000
    # A later one that used the result is judged by what went before all the same.
    assert "prov:startTime" in every(graph, "Execution")[0]


def test_a_circle_is_cut() -> None:
    graph = chain(3)
    first, last = list(graph.activities)[1], list(graph.activities)[-1]
    activity = graph.activities[first]
    loop = replace(activity.used[-1], entity=graph.activities[last].generated[0].entity)
    activity = replace(activity, used=(*activity.used, loop, activity.generated[0]))
    graph = replace(graph, activities={**graph.activities, first: activity})
    valid(graph)
    assert said(graph).count("used before it was made, or while: left out") == 1


def test_an_entity_is_made_once() -> None:
    graph = chain(2)
    first, last = list(graph.activities)[1:]
    twice = (*graph.activities[last].generated, *graph.activities[first].generated) * 2
    again = replace(graph.activities[last], generated=twice)
    valid(replace(graph, activities={**graph.activities, last: again}))


def test_an_entity_that_two_say_they_made_is_made_once() -> None:
    graph = chain(2)
    first, last = list(graph.activities)[1:]
    usage = graph.activities[first].generated[0]
    entity = replace(graph.entities[usage.entity], generated_by=None)
    both = (*graph.activities[last].generated, usage)
    again = replace(graph.activities[last], generated=both, used=())
    graph = replace(
        graph, entities={**graph.entities, entity.key: entity},
        activities={**graph.activities, last: again},
    )  # fmt: skip
    valid(graph)
    assert said(graph).count("wasGeneratedBy(") == 3


def test_a_container_that_was_sealed_before_it_was_made_has_no_time() -> None:
    s = Sample()
    sealed = s.made("sealed.sif")
    (later,) = s.run(s.application(), (s.plain("x.sif"),), "later.sif")
    key = sealed.generated_by or ""
    making = s.activities.pop(key)
    usage = replace(making.generated[0], entity=later.key, container=later.container)
    s.activities[key] = replace(making, used=(usage,))
    graph = s.graph(sealed)
    valid(graph)
    assert "clocks differ" in one(graph, "Making")["problem"]


def test_what_many_runs_say_of_an_image_stands_once() -> None:
    fact = Fact("application", {"bases": [{"from": "debian:12"}], "labels": {"a": "b"}}, "objects")
    s = Sample()
    app, data = s.application(), s.made("in.sif")
    for _ in range(3):
        (data,) = s.run(app, (data,), "out.sif", facts=(fact,))
    written = said(s.graph(data))
    image, base = f"sifprov:{one(s.graph(data), 'ContainerImage')['']}", "sifprov:base-"
    assert written.count(f"wasDerivedFrom({image}, {base}") == 1
    configuration = one(s.graph(data), "Configuration")[""]
    assert written.count(f"specializationOf(sifprov:{configuration}, {image})") == 1


def test_a_record_comes_of_its_run_and_a_result_at_its_end() -> None:
    written = said(small())
    for record in [r for r in every(small(), "Record") if "checked" not in str(r.get("notes"))]:
        assert f"wasInfluencedBy(sifprov:{record['']}, sifprov:" in written
    run = every(small(), "Execution")[-1]
    end = run["prov:endTime"].isoformat()
    assert f", sifprov:{run['']}, {end}, [prov:role='sifprov:output'" in written


def test_many_inputs_of_many_outputs_take_a_collection() -> None:
    s = Sample()
    inputs = tuple(s.plain(f"i{n}.sif") for n in range(80))
    outputs = s.run(s.application(), inputs, *(f"o{n}.sif" for n in range(80)))
    graph = s.graph(*outputs)
    found = valid(graph)
    assert len(list(found.get_records())) < 2000
    assert len(every(graph, "Inputs")) == 1
    few = s.run(s.application(), inputs[:3], "a.sif", "b.sif")
    assert "inputs-" not in said(replace(s.graph(*few), activities={}))
    assert len(every(s.graph(*outputs, *few), "Inputs")) == 1


# -- texts


@pytest.mark.parametrize("name", [*NAMES, '"quoted"', "\ufffe", "\U0001ffff", "a\u0300", ""])
def test_a_text_is_harmless_and_not_ambiguous(name: str) -> None:
    shown = text(name)
    assert all(c.isprintable() for c in shown)
    back = json.loads(shown) if shown.startswith('"') else shown
    assert back == name
    assert json.loads(json_text(text_to_json(name))) == text_to_json(name)
    shown.encode("utf-8")


def test_labels_are_for_people() -> None:
    graph = changed(small(), command=("x" * 5000,))
    assert len(every(graph, "Execution")[-1]["prov:label"]) == 200
    assert every(graph, "StartCommand")[-1]["command"] == '["' + "x" * 5000 + '"]'


# -- the extra


@pytest.mark.parametrize(
    ("fmt", "lacks"),
    [("prov-n", "prov"), ("prov-json", "prov"), ("prov-xml", "lxml"), ("prov-ttl", "rdflib")],
)
def test_without_the_extra(fmt: str, lacks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == lacks:
            raise ModuleNotFoundError(f"No module named '{lacks}'", name=lacks)
        return real(name, *rest)

    for name in list(sys.modules):
        if name.partition(".")[0] == lacks or name.startswith(("sifprov.export.", "prov.serial")):
            monkeypatch.delitem(sys.modules, name)
    from sifprov.export import prov as fresh

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingError) as error:
        fresh.export(small(), fmt)
    assert error.value.hint == "pip install 'sifprov[prov]'"
    assert lacks in str(error.value)
    assert error.value.exit_code == 3


def test_an_unknown_format() -> None:
    with pytest.raises(SifprovError, match="prov-x: no format"):
        export(small(), "prov-x")


# Of surrogates just those that stand for a byte that is no UTF-8 are in our texts.
BYTES = st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)
CONTROLS = st.characters(categories=("Cc", "Cf", "Zl", "Zp"))


@given(st.text() | st.text(CONTROLS | BYTES) | st.text('"\\ab'))
def test_any_text_comes_back(name: str) -> None:
    shown = text(name)
    assert (json.loads(shown) if shown.startswith('"') else shown) == name
    assert text(shown) != shown or not shown.startswith('"')
    shown.encode("utf-8")
    assert all(c.isprintable() or c == "\u00a0" for c in shown if c < "\u0100")
