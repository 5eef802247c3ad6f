"""The trail as W3C PROV: PROV-N, PROV-JSON, PROV-XML, and PROV-O in Turtle. See docs/prov.md.

Sources: PROV-DM, PROV-CONSTRAINTS (https://www.w3.org/TR/prov-overview/); the model is that of
ProvDeploy (Kunstmann et al., "Scientific Workflows Deployment: Container Provenance in
High-Performance Computing").
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from sifprov.errors import MissingError, SifprovError
from sifprov.export.attributes import lists_of_files
from sifprov.model.graph import Graph

if TYPE_CHECKING:
    from prov.model import ProvDocument

FORMATS = ("prov-n", "prov-json", "prov-xml", "prov-ttl")


def export(graph: Graph, fmt: str) -> str:
    """Returns the trail in one of FORMATS. Raises MissingError without the extra `prov`."""
    if fmt not in FORMATS:
        raise SifprovError(f"{fmt}: no format of PROV", hint=f"one of {', '.join(FORMATS)}")
    try:
        written = _write(document(graph), fmt)
    except ImportError as error:
        raise MissingError(
            f"what writes W3C PROV is not installed: {error}", hint="pip install 'sifprov[prov]'"
        ) from error
    return written.rstrip("\n") + "\n"


def _write(made: ProvDocument, fmt: str) -> str:
    if fmt == "prov-n":
        return str(made.get_provn())
    stream = io.StringIO()
    if fmt == "prov-json":
        made.serialize(stream, format="json", indent=2)
    elif fmt == "prov-xml":
        # Asked for by its module: where lxml is missing, the library knows no such format.
        from prov.serializers.provxml import ProvXMLSerializer

        ProvXMLSerializer(made).serialize(stream)
    else:
        from prov.serializers.provrdf import ProvRDFSerializer

        # One graph: the library's `serialize` makes a data set of it first, for bundles.
        return str(ProvRDFSerializer(made).encode_container(made).serialize(format="turtle"))
    return stream.getvalue()


def document(graph: Graph) -> ProvDocument:
    """Returns the trail as a document of the library `prov`. Raises ImportError without it."""
    from sifprov.export.accounts import add_named_records, add_records, add_words
    from sifprov.export.containers import add_container
    from sifprov.export.runs import Runs
    from sifprov.export.statements import Statements
    from sifprov.export.workflow import add_workflow

    s = Statements()
    listed = lists_of_files(graph)
    for key, entity in graph.entities.items():
        add_container(s, entity, listed.get(key))
    runs = Runs(s, graph)
    names: dict[str, str] = {}
    for key, activity in graph.activities.items():
        names[key] = runs.add(activity)
        add_records(s, activity, names[key])
    for key in graph.entities:
        runs.settle(key)
    for word in graph.words:
        add_words(s, word)
    records = [r for a in graph.activities.values() for r in (a.record, *a.words) if r]
    add_named_records(s, [*records, *graph.words])
    add_workflow(s, graph, runs, names)
    return s.document


def _missing() -> MissingError:
    return MissingError(
        "the library that writes W3C PROV is not installed",
        hint="pip install 'sifprov[prov]'",
    )
