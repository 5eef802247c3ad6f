"""The lists of files that a run's record names."""

from __future__ import annotations

from uuid import UUID

from sifprov.content import Known, Tree
from sifprov.frozen import replace
from sifprov.model.container import CHANGED_OUTSIDE, INPUT, OUTPUT, Container
from sifprov.model.files import describe
from sifprov.model.manifest import Manifest


class Lists:
    """The lists of files of one run that are too long for its record: `manifests`, by their
    digest."""

    def __init__(self) -> None:
        self.manifests: dict[str, Manifest] = {}

    def add(self, container: Container, tree: Tree | Known | None) -> Container:
        """Returns a container with the list of its files, whose content is `tree`.

        An input without one is listed by a record that it carries; or its files are known by their
        digest alone, for they were read in an earlier run.
        """
        listed = container.record is not None and CHANGED_OUTSIDE not in container.marks
        if container.digest is None or not isinstance(tree, Tree):
            return container
        if container.role == INPUT and listed:
            return container
        files, manifest = describe(tree)
        if manifest and files.digest:
            self.manifests[files.digest] = manifest
        return replace(container, files=files)


def without_others(containers: tuple[Container, ...], uuid: UUID) -> tuple[Container, ...]:
    """Returns the containers as the record of the output `uuid` names them: what other outputs hold
    is told by their own records."""
    return tuple(
        replace(c, files=None) if c.role == OUTPUT and c.uuid != uuid else c for c in containers
    )
