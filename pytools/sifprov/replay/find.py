"""Finds the containers that records name, wherever they are now: by content digest, then by UUID."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sifprov.model.container import Container
from sifprov.replay.steps import Found


class Finder:
    """Knows the places of one replay: the recorded path, the folder of `original`, the folders
    `search` and those of SIFPROV_PATH. What was read once is not read again."""

    def __init__(
        self,
        original: str,
        search: Sequence[str] = (),
        on_step: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Raises MissingError for a folder of `search` that is not there."""
        self.notes: list[str] = []  # what could not be looked at, for the user to know
        raise NotImplementedError

    def find(self, container: Container, *, role: str) -> Found:
        """Returns the file that is this container now. One with its UUID and another content is
        returned as `changed`. Raises MissingError: one line about this container, no hint."""
        raise NotImplementedError

    def given(self, container: Container, path: str, *, role: str) -> Found:
        """Returns what the user names to be used as this container; `changed` says how it is
        another. Raises FileError, MissingError where it can be no such container."""
        raise NotImplementedError

    def by_digest(self, container: Container, *, role: str) -> Found | None:
        """Returns a file that has `container.digest` now, whatever its UUID; None for none."""
        raise NotImplementedError

    def layout_of(self, container: Container) -> str | None:
        """Returns the path of the file with this container's UUID, whatever its content now."""
        raise NotImplementedError
