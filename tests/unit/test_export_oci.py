"""A container's origin as annotations of an OCI artifact."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import oras.oci
import oras.schemas
import pytest
from tests.unit.graphmaker import Sample
from tests.unit.graphs import FACTS, NAMES, SAMPLES, small

from sifprov.errors import NoRecordError, SifprovError
from sifprov.export.made import made
from sifprov.export.oci import MANIFEST, MAX_VALUE, document
from sifprov.frozen import replace
from sifprov.model.annotation import Annotation
from sifprov.model.canonical import Json
from sifprov.model.fact import Fact
from sifprov.model.graph import Graph

SIF = "application/vnd.sylabs.sif.layer.v1.sif"


def found_in(graph: Graph, record: str = "", licence: str = "") -> dict[str, Any]:
    found = document(made(graph, "out.sif", record), licence)[MANIFEST]
    assert isinstance(found, dict)
    return found


def as_oras_reads(graph: Graph, folder: Path) -> oras.oci.Annotations:
    place = folder / "annotations.json"
    place.write_text(json.dumps(document(made(graph, "out.sif"))), encoding="utf-8")
    return oras.oci.Annotations(str(place))


@pytest.mark.parametrize("make", SAMPLES.values(), ids=SAMPLES)
def test_oras_reads_it_and_makes_a_manifest_of_it(
    make: Callable[[], Graph], tmp_path: Path
) -> None:
    graph = make()
    found = as_oras_reads(graph, tmp_path).get_annotations("$manifest")
    target = graph.entities[graph.targets[0]]
    assert found["sifprov.container.digest"] == target.digest
    blob = tmp_path / "out.sif"
    blob.write_bytes(b"x")
    config, _ = oras.oci.ManifestConfig()
    manifest = oras.oci.NewManifest()
    manifest |= {
        "config": config,
        "layers": [oras.oci.NewLayer(str(blob), media_type=SIF)],
        "annotations": found,
    }  # fmt: skip
    jsonschema.validate(manifest, schema=oras.schemas.manifest)
    # What the specification demands of annotations.
    assert all(isinstance(n, str) and n and isinstance(v, str) for n, v in found.items())
    assert all(n.startswith(("org.opencontainers.image.", "sifprov.")) for n in found)


def test_the_standard_keys_say_what_they_say_elsewhere(tmp_path: Path) -> None:
    found = found_in(small())
    standard = {
        n.removeprefix("org.opencontainers.image."): v
        for n, v in found.items()
        if n.startswith("org.")
    }
    graph = small()
    target = graph.entities[graph.targets[0]]
    record = graph.activities[target.generated_by or ""].record
    assert record
    assert record.run
    assert standard == {
        "authors": "ada",
        "created": record.run.ended,
        "description": standard["description"],
        "revision": target.record,
        "title": "output.sif",
    }
    assert standard["description"].startswith("made by: sh -c ")
    layer = as_oras_reads(small(), tmp_path).get_annotations("output.sif")
    assert layer == {"org.opencontainers.image.title": "output.sif"}


def test_tags_of_the_user_and_the_image_fill_what_no_record_tells() -> None:
    s = Sample()
    words = Annotation(tags=(("source", "https://example.org/x"), ("version", "1.2"), ("x", "y")))
    told: Json = {
        "bases": [{"bootstrap": "docker", "from": "python:3.12"}],
        "source_digest": "sha256:" + "a" * 64,
    }
    facts = (*FACTS, Fact("application", told, "labels"))
    graph = s.graph(*s.run(s.application(), (s.plain("a"),), "b", facts=facts, annotation=words))
    found = found_in(graph, licence="MIT")
    for name, value in {
        "source": "https://example.org/x", "version": "1.2", "licenses": "MIT",
        "base.name": "python:3.12", "base.digest": "sha256:" + "a" * 64,
    }.items():  # fmt: skip
        assert found[f"org.opencontainers.image.{name}"] == value
    assert "org.opencontainers.image.x" not in found
    assert json.loads(found["sifprov.tags"]) == {**dict(words.tags)}


def test_hostile_texts_are_harmless(tmp_path: Path) -> None:
    graph = SAMPLES["hostile"]()
    written = json.dumps(document(made(graph, "x")), ensure_ascii=False)
    assert not any(c in written for c in "\x1b\x07\u202e\u2028\u0085\udcff")


@pytest.mark.parametrize("name", ["$manifest", "$config", "", "$x"])
def test_no_file_takes_the_place_of_a_section(name: str) -> None:
    s = Sample()
    (end,) = s.run(s.application(), (s.plain("a"),), name)
    graph = s.graph(end)
    found = document(made(graph, "x"))
    assert list(found) == [MANIFEST]


def test_what_no_registry_takes_is_left_out_and_named() -> None:
    s = Sample()
    argv = ("x" * (MAX_VALUE + 1),)
    found = found_in(s.graph(*s.run(s.application(), (s.plain("a"),), "b", argv=argv)))
    left = json.loads(found["sifprov.left-out"])
    assert "sifprov.run.argv" in left
    assert all(name not in found for name in left)
    assert max(map(len, found.values())) <= MAX_VALUE


def test_an_older_run_can_be_asked_for() -> None:
    graph = SAMPLES["rewritten"]()
    newest, oldest = list(graph.activities)[-1], list(graph.activities)[1]
    assert found_in(graph)["sifprov.record.id"] == newest
    found = found_in(graph, oldest)
    assert found["sifprov.record.id"] == oldest
    assert found["sifprov.container.digest"] != found_in(graph)["sifprov.container.digest"]


def test_what_cannot_be_meant_is_refused() -> None:
    graph = SAMPLES["rewritten"]()
    with pytest.raises(NoRecordError, match="begins with 'beef'"):
        made(graph, "x.sif", "beef")
    with pytest.raises(SifprovError, match="several records"):
        made(graph, "x.sif", "0")
    target = graph.targets[0]
    nobodys = replace(graph.entities[target], generated_by=None)
    changed = replace(graph, entities={**graph.entities, target: nobodys})
    with pytest.raises(NoRecordError, match="no record tells what left it"):
        made(changed, "x.sif")


def test_names_are_told_as_they_are() -> None:
    s = Sample()
    (end,) = s.run(s.application(NAMES[2]), (s.plain("é.sif"),), "日本.sif")
    found = found_in(s.graph(end))
    assert found["org.opencontainers.image.title"] == "日本.sif"
    assert json.loads(found["sifprov.application"])[0]["name"] == NAMES[2]
