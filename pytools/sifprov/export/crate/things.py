"""An RO-Crate in the making: each thing once, every name ours."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from rocrate.model.contextentity import ContextEntity
from rocrate.model.dataset import Dataset
from rocrate.model.file import File
from rocrate.rocrate import ROCrate

from sifprov.export.vocabulary import NAMESPACE, PREFIX
from sifprov.model.timestamp import to_ns

VERSION = "1.1"
WORKFLOW_RUN = "https://w3id.org/ro/terms/workflow-run#"
# The terms of the profiles that RO-Crate's own context has not. They stand in the crate, so that it
# can be read without asking anybody for one context more.
_TERMS = ("ContainerImage", "containerImage", "environment", "registry", "resourceUsage", "sha256",
          "tag")  # fmt: skip

BASED_ON = "isBasedOn"

Ref: TypeAlias = "dict[str, str]"
Value: TypeAlias = "str | int | float | bool | Ref | None"
Properties: TypeAlias = "Mapping[str, Value | Iterable[Value]]"


class Things:
    """Collects what stands in one crate.

    Things are named by the local part of a name in our namespace: the names that they have in W3C
    PROV, too. Properties that are None are left out; of a list with one value that value stands.
    """

    def __init__(self) -> None:
        self.crate = ROCrate(version=VERSION)
        self.crate.metadata.extra_terms.update({term: WORKFLOW_RUN + term for term in _TERMS})
        self.crate.metadata.extra_terms[PREFIX] = NAMESPACE
        self._known: dict[str, Ref] = {}
        self._root: dict[str, dict[str, None]] = {}
        self._relations: dict[tuple[str, str], dict[str, None]] = {}

    def add(self, name: str, types: str, label: str | None, properties: Properties) -> Ref:
        """Adds a thing that is no file, once; returns what refers to it. `types` have blanks
        between, `label` is its name for people."""
        return self.add_at(NAMESPACE + name, types, label, properties)

    def add_at(self, at: str, types: str, label: str | None, properties: Properties) -> Ref:
        """Adds a thing that has a name of its own, such as an address."""
        if at not in self._known:
            self._known[at] = {"@id": at}
            self.crate.add(ContextEntity(self.crate, at, _entity(types, label, properties)))
        return self._known[at]

    def add_data(
        self,
        name: str,
        types: str,
        label: str | None,
        properties: Properties,
        path: str | None = None,
    ) -> Ref:
        """Adds a file or folder, once: the one at `path` in the crate, or one that is not in it."""
        if name not in self._known:
            made = _entity(types, label, properties)
            kind = Dataset if "Dataset" in types.split() else File
            where = {"dest_path": path} if path else {"source": NAMESPACE + name}
            entity = self.crate.add(kind(self.crate, properties=made, **where))
            self._known[name] = {"@id": entity.id}
            self.of_root("hasPart", [self._known[name]])
        return self._known[name]

    def relate(self, ref: Ref, name: str, other: Ref) -> None:
        """Lets a thing that was added refer to one more other."""
        self._relations.setdefault((ref["@id"], name), {})[other["@id"]] = None

    def descriptor_follows(self, at: str) -> None:
        """Lets the metadata file say that it follows one more specification."""
        self.crate.metadata["conformsTo"] = [{"@id": self.crate.metadata.profile}, {"@id": at}]

    def of_root(self, name: str, refs: Iterable[Ref]) -> None:
        """Lets the crate as a whole refer to things."""
        at = self._root.setdefault(name, {})
        at.update(dict.fromkeys(ref["@id"] for ref in refs))

    def describe(self, properties: Properties) -> None:
        """Says what the crate as a whole is, and what its things have to do with each other."""
        for (at, name), others in self._relations.items():
            refs_of_it = compact({name: [{"@id": other} for other in others]})
            self.crate.get(at)[name] = refs_of_it[name]
        refs = {name: [{"@id": at} for at in ats] for name, ats in self._root.items()}
        for name, value in compact({**refs, **properties}).items():
            self.crate.root_dataset[name] = value

    def text(self) -> str:
        """Returns the crate's metadata file."""
        document = self.crate.metadata.generate()
        return json.dumps(document, indent=2, ensure_ascii=True, sort_keys=True) + "\n"


def _entity(types: str, label: str | None, properties: Properties) -> dict[str, object]:
    words = types.split()
    kind = {"@type": words if len(words) > 1 else words[0]}
    return {**kind, **compact({"name": label or None, **properties})}


def compact(properties: Properties) -> dict[str, object]:
    """Returns properties as the metadata file has them."""
    found: dict[str, object] = {}
    for name, value in properties.items():
        if value is None or isinstance(value, (str, int, float, dict)):
            several = [value]
        else:
            several = list(value)
        several = [each for each in several if each is not None]
        if several:
            found[name] = several if len(several) > 1 else several[0]
    return found


def ours(attributes: Properties) -> Properties:
    """Returns attributes of ours, under their names in a crate."""
    return {f"{PREFIX}:{name}": value for name, value in attributes.items()}


def moment(time: str | None) -> str | None:
    """Returns a record's time in the one form that the profiles' validator takes: milliseconds."""
    if time is None:
        return None
    whole, _, _ = time.rstrip("Z").partition(".")
    return f"{whole}.{to_ns(time) // 1_000_000 % 1000:03d}+00:00"
