"""The trail as a Workflow Run RO-Crate."""

from __future__ import annotations

import builtins
import fcntl
import hashlib
import json
import os
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rocrate_validator.models import Severity
from tests.unit.crates import issues, of_type, profiles, read, several, shelf, strictest
from tests.unit.graphmaker import Sample, trail_of
from tests.unit.graphs import FACTS, NAMES, SAMPLES, chain, small
from tests.unit.test_prov import foreign
from tests.unit.test_prov_doc import full
from tests.unit.verified import make_site

import sifprov
from sifprov.errors import FileError, MissingError
from sifprov.export.crate.actions import COMPLETED, FAILED
from sifprov.export.crate.containers import SIF
from sifprov.export.crate.package import Wanted, metadata, paths, write
from sifprov.export.crate.things import moment
from sifprov.export.vocabulary import NAMESPACE
from sifprov.exportformats import FORMATS, Wishes
from sifprov.frozen import replace
from sifprov.model.fact import Fact
from sifprov.model.graph import FOUND, Entity, Graph
from sifprov.model.record import NOT_STARTED, SIGNALED, UNKNOWN
from sifprov.sif import open_image
from sifprov.survivors import lock_range

SCRIPT = "#!/bin/sh\necho again\n"
SHELL = "workflow.sh"
EXECUTION = "11111111-1111-4111-8111-111111111111"


def wanted(licence: str = "", *, with_data: bool = False) -> Wanted:
    return Wanted(licence, with_data, SCRIPT)


def workflow(*, steps: bool = True, activity: Callable[[int], str] = lambda n: f"step {n}",
             name: str = "surrogate") -> Graph:  # fmt: skip
    """Three runs of one workflow, the first of which read data that a making had made."""
    s = Sample()
    last = s.made("input.sif")
    for number in range(3):
        told: dict[str, Any] = {"name": name, "id": EXECUTION, "composition": "fine"}
        if steps:
            told["activity"] = activity(number)
        facts = (*FACTS, Fact("workflow", told, "environment"))
        (last,) = s.run(s.application(f"app-{number}.sif"), (last,), f"{number}.sif", facts=facts)
    return s.graph(last)


def several_outputs() -> Graph:
    s = Sample()
    data = s.made("input.sif")
    return s.graph(*s.run(s.application(), (data,), "a.sif", "b.sif", "c.sif", facts=FACTS))


def one_run() -> Graph:
    s = Sample()
    return s.graph(*s.run(s.application(), (s.plain("in.sif"),), "out.sif", facts=FACTS))


GRAPHS: dict[str, Callable[[], Graph]] = {
    **SAMPLES,
    "foreign": foreign,
    "full": lambda: full()[0],
    "one run": one_run,
    "outputs": several_outputs,
    "workflow": lambda: workflow(steps=False),
    "steps": workflow,
    "hostile workflow": lambda: workflow(name=NAMES[0], activity=lambda n: NAMES[n]),
}


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield shelf(tmp_path_factory.mktemp("contexts"))


def document(graph: Graph, licence: str = "") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(metadata(graph, wanted(licence)))
    return found


def things(found: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [e for e in found["@graph"] if kind in several(e["@type"])]


def root(found: dict[str, Any]) -> dict[str, Any]:
    return next(e for e in found["@graph"] if e["@id"] == "./")


def actions(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [a for a in things(found, "CreateAction") if "run-" in a["@id"]]


def test_the_graphs_are_of_every_kind() -> None:
    assert len(GRAPHS) >= 14
    kinds = {tuple(profiles(document(make()))) for make in GRAPHS.values()}
    assert {len(kind) for kind in kinds} == {1, 3, 4}


@pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)
def test_the_validator_accepts_a_crate_for_the_profiles_that_it_names(
    make: Callable[[], Graph], contexts: Path, tmp_path: Path
) -> None:
    crate = tmp_path / "crate"
    write(make(), wanted(), str(crate))
    found = json.loads((crate / "ro-crate-metadata.json").read_bytes())
    assert issues(crate, strictest(found), contexts) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: actions(f)[0].pop("instrument"), "MUST have an instrument"),
        (lambda f: root(f).pop("license"), "MUST have a `license`"),
        (lambda f: root(f).update(conformsTo={"@id": "urn:x:y"}), "MUST reference a Creative"),
        (lambda f: actions(f)[0].update(unknown="x"), "not defined as a term"),
        (lambda f: things(f, "File")[0].update({"@id": "gone.sif"}), "does not include the Data"),
    ],
)  # fmt: skip
def test_the_validator_finds_what_is_wrong(
    change: Callable[[dict[str, Any]], Any], said: str, contexts: Path, tmp_path: Path
) -> None:
    crate = tmp_path / "crate"
    write(one_run(), wanted(), str(crate))
    place = crate / "ro-crate-metadata.json"
    found = json.loads(place.read_bytes())
    change(found)
    place.write_text(json.dumps(found), encoding="utf-8")
    assert said in "\n".join(issues(crate, "process-run-crate-0.5", contexts))


# What no record tells: a home page of a program, a registry that an image came from, the person
# behind a making, the institute of a user. And what the validator asks of addresses alone.
LEFT = (
    "SHOULD have a url", "id SHOULD be an absolute URI", "SHOULD have a registry",
    "SHOULD have an agent", "organizational", "`publisher`", "README.md",
    "uses scheme 'urn'", "SHOULD comply with Bioschemas",
)  # fmt: skip


@pytest.mark.parametrize("name", ["small", "outputs", "steps", "workflow", "rewritten"])
def test_what_is_recommended_and_known_is_there(
    name: str, contexts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crate = tmp_path / "crate"
    graph = GRAPHS[name]()
    write(graph, wanted("https://spdx.org/licenses/CC-BY-4.0"), str(crate))
    found = json.loads((crate / "ro-crate-metadata.json").read_bytes())
    left = set(issues(crate, strictest(found), contexts, Severity.RECOMMENDED))
    with capsys.disabled():
        counts = {why: sum(why in issue for issue in left) for why in LEFT}
        told = ", ".join(f"{count} times {why!r}" for why, count in counts.items() if count)
        print(f"\n{name}: left of what is recommended: {told}")
    known = {*LEFT, *(("SHOULD have a link to",) if name == "rewritten" else ())}
    assert [issue for issue in left if not any(why in issue for why in known)] == []


@pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)
def test_the_library_reads_the_same_back(make: Callable[[], Graph], tmp_path: Path) -> None:
    graph, crate = make(), tmp_path / "crate"
    write(graph, wanted(), str(crate))
    found = read(crate)
    runs = [a for a in of_type(found, "CreateAction") if "#run-" in a.id or "#making-" in a.id]
    assert len(runs) == len(graph.activities)
    by_id = {a.id: a for a in runs}
    for activity in graph.activities.values():
        kind = "run" if activity.run or (activity.foreign and activity.foreign.is_run) else "making"
        names = [i for i in by_id if i.startswith(f"{NAMESPACE}{kind}-")]
        made = [by_id[i] for i in names if activity.key in i or activity.foreign]
        assert any(len(several(a["result"])) == len(activity.generated) for a in made)
    for action in runs:
        assert action["instrument"].type == "SoftwareApplication"
        for thing in several(action["result"]):
            assert {"File", "Dataset"} & set(several(thing.type))
    files = [e for e in of_type(found, "File") if e.id.startswith(NAMESPACE)]
    digests = {e.get("sifprov:digest") for e in files}
    data = [e for e in graph.entities.values() if e.kind == "data"]
    assert len(files) == len(data)
    assert digests == {e.digest for e in data}


@pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)
def test_the_same_trail_gives_the_same_bytes(make: Callable[[], Graph], tmp_path: Path) -> None:
    assert metadata(make(), wanted()) == metadata(make(), wanted())
    for name in ("1.zip", "2.zip"):
        write(make(), wanted(), str(tmp_path / name))
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_a_run_tells_how_it_went() -> None:
    found = document(small())
    last = max(actions(found), key=lambda a: str(a["startTime"]))
    assert last["actionStatus"] == COMPLETED
    assert "error" not in last
    assert last["description"].startswith("singularity exec -B middle.sif:/Inputs")
    by_id = {e["@id"]: e for e in found["@graph"]}
    used, made = by_id[last["object"]["@id"]], by_id[last["result"]["@id"]]
    assert (used["name"], made["name"]) == ("middle.sif", "output.sif")
    assert made["encodingFormat"] == SIF
    assert made["identifier"] == f"urn:uuid:{made['sifprov:uuid']}"
    assert by_id[last["agent"]["@id"]]["name"] == "ada"
    image = by_id[last["containerImage"]["@id"]]
    assert image["@type"] == "ContainerImage"
    assert image["name"] == "gnuplot.sif"
    assert by_id[last["instrument"]["@id"]]["sifprov:image"] == {"@id": image["@id"]}
    usage = {by_id[r["@id"]]["name"]: by_id[r["@id"]] for r in last["resourceUsage"]}
    assert usage["wall_us"]["value"] == "29250000"
    assert usage["wall_us"]["unitCode"].endswith("/MicroSEC")
    assert usage["peak_memory_bytes"]["unitCode"].endswith("/BYTE")
    words = {by_id[r["@id"]]["name"]: by_id[r["@id"]] for r in last["additionalProperty"]}
    assert words["r2"]["value"] == "0.93"
    assert words["paper"]["value"] == "draft-2"


@pytest.mark.parametrize(
    ("outcome", "code", "signal", "error"),
    [
        ("exited", 3, None, "exit code 3"),
        (SIGNALED, None, 9, "ended by signal 9"),
        (NOT_STARTED, 255, None, "the command was not started"),
        (UNKNOWN, None, None, "how it ended is not known"),
    ],
)
def test_a_run_that_did_not_end_well_failed(
    outcome: str, code: int | None, signal: int | None, error: str
) -> None:
    graph = one_run()
    (key,) = graph.activities
    activity = graph.activities[key]
    assert activity.record
    assert activity.record.run
    run = replace(activity.record.run, outcome=outcome, exit_code=code, signal=signal)
    changed = replace(activity, record=replace(activity.record, run=run))
    (action,) = actions(document(replace(graph, activities={key: changed})))
    assert (action["actionStatus"], action["error"]) == (FAILED, error)


def test_a_workflow_is_told_with_its_steps_where_they_are_known() -> None:
    found = document(workflow())
    main = next(e for e in found["@graph"] if e["@id"] == root(found)["mainEntity"]["@id"])
    assert main["name"] == "surrogate"
    steps = {s["@id"]: s for s in things(found, "HowToStep")}
    assert [steps[r["@id"]]["name"] for r in main["step"]] == ["step 0", "step 1", "step 2"]
    assert len(things(found, "ControlAction")) == 3
    (execution,) = [
        a for a in things(found, "CreateAction") if a["instrument"]["@id"] == main["@id"]
    ]
    assert execution["sifprov:workflow_id"] == EXECUTION
    assert execution["sifprov:composition"] == "fine"
    by_id = {e["@id"]: e for e in found["@graph"]}
    assert by_id[execution["object"]["@id"]]["name"] == "input.sif"
    assert [by_id[r["@id"]]["name"] for r in execution["result"]] == ["0.sif", "1.sif", "2.sif"]
    without = document(workflow(steps=False))
    assert things(without, "HowToStep") == []
    assert profiles(without) == [
        "process-run-crate-0.5", "workflow-run-crate-0.5", "workflow-ro-crate-1.0",
    ]  # fmt: skip


def test_runs_of_no_workflow_make_a_process_run_crate() -> None:
    found = document(chain(2))
    assert profiles(found) == ["process-run-crate-0.5"]
    assert things(found, "ComputationalWorkflow") == []
    assert "mainEntity" not in root(found)


@pytest.mark.parametrize(
    "value", [None, [], "x", {"name": 1}, {"name": ""}, {"name": {"a": 1}}, {"id": "x"}]
)
def test_a_fact_of_another_form_makes_no_workflow(value: Any) -> None:
    s = Sample()
    fact = Fact("workflow", value, "environment", None if value is not None else "x")
    graph = s.graph(*s.run(s.application(), (s.plain("a.sif"),), "b.sif", facts=(fact,)))
    assert profiles(document(graph)) == ["process-run-crate-0.5"]


def test_an_image_that_a_registry_has_is_told_as_such() -> None:
    s = Sample()
    told: dict[str, Any] = {
        "bases": [{"bootstrap": "docker", "from": "quay.io/lab/base:1.2"}],
        "labels": {"org.label-schema.version": "7", "org.opencontainers.image.url": "https://x.org/y"},
    }  # fmt: skip
    facts = (Fact("application", told, "labels"),)
    apps = [s.application(name) for name in ("one.sif", "two.sif")]
    at = replace(apps[1], container=replace(apps[1].container, path="docker://r/python:3.12-slim"))
    s.entities[at.key] = at
    (mid,) = s.run(apps[0], (s.plain("in"),), "mid.sif", facts=facts)
    found = document(s.graph(*s.run(at, (mid,), "out.sif", facts=facts)))
    by_id = {e["@id"]: e for e in found["@graph"]}
    images = [i for i in things(found, "ContainerImage") if "#image-" in i["@id"]]
    hub = next(i for i in images if i.get("registry"))
    assert (hub["registry"], hub["name"], hub["tag"]) == ("docker.io", "r/python", "3.12-slim")
    for image in images:
        base = by_id[image["isBasedOn"]["@id"]]
        assert (base["registry"], base["name"], base["tag"]) == ("quay.io", "lab/base", "1.2")
    for program in things(found, "SoftwareApplication"):
        if "#software-" in program["@id"]:
            assert (program["softwareVersion"], program["url"]) == ("7", "https://x.org/y")


def test_an_address_without_end_takes_no_time() -> None:
    s = Sample()
    app = s.application()
    long = replace(app, container=replace(app.container, path="docker://" + "a." * 200_000))
    s.entities[app.key] = long
    began = time.process_time()
    document(s.graph(*s.run(long, (s.plain("in"),), "out.sif")))
    assert time.process_time() - began < 2


# -- hostile content


def test_hostile_texts_stay_texts() -> None:
    found = document(GRAPHS["hostile"]())
    written = json.dumps(found, ensure_ascii=False)
    assert not any(c in written for c in "\x1b\x07\u202e\u2028\u0085\udcff")
    allowed = (NAMESPACE, "https://w3id.org/ro/", "./", "ro-crate-metadata.json")
    for entity in found["@graph"]:
        assert entity["@id"].startswith(allowed), entity["@id"]
        for word in several(entity["@type"]):
            assert word.isalpha()


def test_what_looks_like_an_address_or_a_reference_stays_a_text() -> None:
    s = Sample()
    evil = ('{"@id": "./"}', "http://evil.example/", "@type", "_:b0", "file:///etc/passwd")
    facts = (
        Fact("user", {"name": evil[1], "@id": "x"}, "x"),
        Fact("platform", {"cpu": evil[0]}, "x"),
    )
    graph = s.graph(
        *s.run(s.application(evil[4]), (s.plain(evil[0]),), evil[3], argv=evil, facts=facts)
    )
    found = document(graph)
    for entity in found["@graph"]:
        for name, value in entity.items():
            assert name == "@id" or name == "@type" or not name.startswith("@")
            for each in several(value):
                assert not isinstance(each, dict) or set(each) == {"@id"}
                at = each["@id"] if isinstance(each, dict) else ""
                assert "evil" not in at
                assert "passwd" not in at


def found_at(graph: Graph, folder: Path, names: tuple[str, ...]) -> Graph:
    """The graph, with its containers found as files of these names."""
    entities: dict[str, Entity] = {}
    for number, (key, entity) in enumerate(graph.entities.items()):
        place = folder / f"{number}.sif"
        place.write_bytes(b"SIF %d" % number)
        name = names[number % len(names)]
        it = replace(entity.container, name=name)
        entities[key] = replace(entity, container=it, standing=FOUND, path=str(place))
    return replace(graph, entities=entities)


TRICKS = ("../../up.sif", "/etc/passwd", "a/../../b", "..", ".", "", "ro-crate-metadata.json",
          "C:\\x", "~/x", "x\0y", "A.sif", "a.SIF", *NAMES)  # fmt: skip


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_no_name_leads_out_of_the_crate(kind: str, contexts: Path, tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "deep" / "out"
    data.mkdir()
    out.mkdir(parents=True)
    s = Sample()
    inputs = tuple(s.plain(f"{n}.sif") for n in range(len(TRICKS)))
    graph = found_at(s.graph(*s.run(s.application(), inputs, "out.sif")), data, TRICKS)
    before = sorted(p for p in tmp_path.rglob("*") if p.is_file())
    target = out / ("crate" if kind == "folder" else "crate.zip")
    write(graph, wanted(with_data=True), str(target))
    new = sorted(p for p in tmp_path.rglob("*") if p.is_file() and p not in before)
    if kind == "zip":
        assert new == [target]
        with zipfile.ZipFile(target) as archive:
            names = archive.namelist()
            assert all(not n.startswith("/") and ".." not in n.split("/") for n in names)
            archive.extractall(out / "crate")
    else:
        assert all(p.is_relative_to(target) for p in new)
    found = json.loads((out / "crate" / "ro-crate-metadata.json").read_bytes())
    copies = [e for e in things(found, "File") if e["@id"].startswith("containers/")]
    assert len(copies) == len(graph.entities)
    assert len({e["@id"].lower() for e in copies}) == len(copies)
    for entity in copies:
        place = out / "crate" / entity["@id"]
        assert entity["contentSize"] == str(place.stat().st_size)
        assert hashlib.sha256(place.read_bytes()).hexdigest() == entity["sha256"]
    assert issues(out / "crate", "process-run-crate-0.5", contexts) == []


def test_a_huge_text_is_no_name() -> None:
    s = Sample()
    graph = s.graph(*s.run(s.application(), (s.plain("a"),), "b", argv=("x" * 100_000,)))
    (action,) = actions(document(graph))
    assert len(action["name"]) <= 200
    assert len(action["description"]) <= 4000
    assert "x" * 100_000 in action["sifprov:argv"]


# -- files


def test_only_what_is_there_now_is_copied(tmp_path: Path) -> None:
    graph = found_at(GRAPHS["rewritten"](), tmp_path, ("x.sif",))
    states = [e for e in graph.entities.values() if e.name and e.kind == "data"]
    write(graph, wanted(with_data=True), str(tmp_path / "crate"))
    copied = list((tmp_path / "crate" / "containers").iterdir())
    revised = {e.revision_of for e in states if e.revision_of}
    assert revised
    assert len(copied) == len(graph.entities) - len(revised)


def test_nothing_is_copied_unasked_and_sizes_are_told(tmp_path: Path) -> None:
    graph = found_at(one_run(), tmp_path, ("x.sif",))
    write(graph, wanted(), str(tmp_path / "crate"))
    assert [p.name for p in (tmp_path / "crate").rglob("*")] == ["ro-crate-metadata.json"]
    found = json.loads((tmp_path / "crate" / "ro-crate-metadata.json").read_bytes())
    assert {e["contentSize"] for e in things(found, "File")} == {"5"}
    assert all("sha256" not in e for e in found["@graph"])


@pytest.mark.parametrize("name", ["there", "there.zip"])
def test_nothing_is_replaced(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine", encoding="utf-8")
    with pytest.raises(FileError, match="exists already"):
        write(one_run(), wanted(), str(tmp_path / name))
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["crate", "crate.zip"])
def test_what_a_run_is_using_is_not_copied(name: str, tmp_path: Path) -> None:
    site = make_site(tmp_path, files=1)
    site.run()
    (tmp_path / "to").mkdir()
    with open_image(str(site.out), write=True) as (file, image):
        item = image.descriptors[0]
        fcntl.fcntl(file, 37, lock_range(fcntl.F_WRLCK, item.offset, item.size))
        with pytest.raises(FileError, match=r"out\.sif: a run is using it"):
            sifprov.open(site.out).export("ro-crate", tmp_path / "to" / name, with_data=True)
    assert list((tmp_path / "to").iterdir()) == []
    sifprov.open(site.out).export("ro-crate", tmp_path / "to" / name, with_data=True)
    assert [p.name for p in (tmp_path / "to").iterdir()] == [name]


@pytest.mark.parametrize("name", ["crate", "crate.zip"])
def test_what_fails_leaves_nothing(name: str, tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    out.mkdir()
    graph = found_at(one_run(), data, ("x.sif",))

    def gone(text: str) -> None:
        for place in data.iterdir():
            place.unlink()

    with pytest.raises(FileError, match="No such file"):
        write(graph, wanted(with_data=True), str(out / name), gone)
    assert list(out.iterdir()) == []


def test_a_folder_has_the_permissions_of_any_other(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(one_run(), wanted(), str(tmp_path / "crate"))
    finally:
        os.umask(before)
    assert (tmp_path / "crate").stat().st_mode & 0o777 == 0o750


def test_names_in_the_crate_are_each_ones_own() -> None:
    s = Sample()
    entities = [s.plain(name) for name in (*TRICKS, "a.sif", "a.sif")]
    found = paths(entities)
    assert len({p.lower() for p in found.values()}) == len(entities)
    for place in found.values():
        folder, _, name = place.partition("/")
        assert folder == "containers"
        assert name.strip(".")
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


@pytest.mark.parametrize(
    ("licence", "name", "at"),
    [
        ("", "not stated", NAMESPACE),
        ("CC-BY-4.0", "CC-BY-4.0", NAMESPACE),
        ("https://spdx.org/licenses/MIT", "https://spdx.org/licenses/MIT", "https://spdx"),
        ('https://x/"onload="', '"https://x/\\"onload=\\""', NAMESPACE),
        ("https://x/ y", "https://x/ y", NAMESPACE),
        ("javascript:alert(1)", "javascript:alert(1)", NAMESPACE),
    ],
)
def test_the_licence_is_the_users(licence: str, name: str, at: str) -> None:
    found = document(one_run(), licence)
    ref = root(found)["license"]["@id"]
    assert ref.startswith(at)
    told = next(e for e in found["@graph"] if e["@id"] == ref)
    assert told["name"] in (name, licence)
    assert ("description" in told) is (licence == "")


def test_times_have_milliseconds_in_the_crate_and_are_exact_beside() -> None:
    assert moment("2026-05-28T20:26:40.123999999Z") == "2026-05-28T20:26:40.123+00:00"
    assert moment("2026-05-28T20:26:40Z") == "2026-05-28T20:26:40.000+00:00"
    assert moment(None) is None


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def no_library(name: str, *rest: Any) -> Any:
        if name.split(".")[0] == "rocrate":
            raise ImportError("No module named 'rocrate'", name="rocrate")
        return original(name, *rest)

    for module in [m for m in sys.modules if m.startswith("sifprov.export.crate")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(builtins, "__import__", no_library)
    with pytest.raises(MissingError) as caught:
        FORMATS["ro-crate"].text(trail_of(one_run()), Wishes())
    assert caught.value.hint == "pip install 'sifprov[crate]'"
