"""What an application container says of itself: configuration, base images, definition file."""

from __future__ import annotations

from sifprov.export.attributes import configuration, sources
from sifprov.export.containers import specialize
from sifprov.export.facts import Facts
from sifprov.export.relations import derive
from sifprov.export.statements import Statements
from sifprov.export.vocabulary import by_value


def add_image(s: Statements, image: str, facts: Facts) -> None:
    """States what the fact `application` of a run says of its image."""
    told, attributes = configuration(facts)
    if told:
        name = by_value("configuration", {"image": image, **told})
        s.entity(name, "Configuration", None, attributes)
        specialize(s, name, image)
    for source in sources(facts):
        name = by_value(source.kind, source.value)
        derive(s, image, s.entity(name, source.type, source.label, source.attributes))
