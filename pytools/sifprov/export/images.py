"""What an application container says of itself: configuration, base images, definition file."""

from __future__ import annotations

from collections.abc import Mapping

from sifprov.export.containers import specialize
from sifprov.export.facts import Facts, plain
from sifprov.export.relations import derive
from sifprov.export.statements import Statements
from sifprov.export.vocabulary import by_value, json_text, text

# The fields of the fact `application` that stand here.
FIELDS = ("labels", "entry_point", "environment", "bases", "definition_digest", "source_digest")


def add_image(s: Statements, image: str, facts: Facts) -> None:
    """States what the fact `application` of a run says of its image."""
    fields = facts.fields("application")
    told = {name: fields[name] for name in ("labels", "entry_point", "environment")
            if fields.get(name)}  # fmt: skip
    if told:
        name = by_value("configuration", {"image": image, **told})
        attributes = {
            "labels": json_text(told["labels"]) if "labels" in told else None,
            "entry_point": plain(told.get("entry_point")),
            "image_environment": json_text(told["environment"]) if "environment" in told else None,
        }
        s.entity(name, "Configuration", None, attributes)
        specialize(s, name, image)
    bases = fields.get("bases") or []
    for base in bases if isinstance(bases, list) else [bases]:
        origin = base.get("from") if isinstance(base, Mapping) else None
        label = text(origin) if isinstance(origin, str) else None
        name = s.entity(by_value("base", base), "BaseImage", label, {"header": json_text(base)})
        derive(s, image, name)
    for field, kind, types in (
        ("definition_digest", "definition", "ConfigFile"),
        ("source_digest", "original", "OriginalImage"),
    ):
        if (digest := fields.get(field)) is not None:
            name = s.entity(by_value(kind, digest), types, None, {"digest": plain(digest)})
            derive(s, image, name)
