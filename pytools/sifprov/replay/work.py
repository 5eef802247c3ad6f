"""The folder in which a replay builds its containers, so that nothing half-made has a name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sifprov.replay.steps import Plan


class Work:
    """The work folder of one replay, held by a lock. `into` is the path that the wanted state gets
    at the end."""

    def __init__(self, plan: Plan, into: str, folder: str) -> None:
        self.plan, self.into, self.folder = plan, into, folder

    def path(self, state: str) -> str:
        """Returns where a finished state is, or will be."""
        raise NotImplementedError

    def part(self, state: str) -> str:
        """Returns the file that a step builds a state in; nothing is there."""
        raise NotImplementedError

    def name_for_good(self, state: str) -> str:
        """Returns the path that the records of the replay give a state."""
        raise NotImplementedError

    def finish(self, state: str) -> str:
        """Gives a state that was built its name in the folder, when it is on the disk."""
        raise NotImplementedError

    def discard(self, states: Sequence[str]) -> None:
        """Removes what was built of states that are not finished."""
        raise NotImplementedError

    def publish(self, *, keep: bool = False) -> None:
        """Gives the wanted state its name, never replacing another file, and removes the folder;
        with `keep` the other states move to `NEW.parts/`. Raises FileError."""
        raise NotImplementedError


@contextmanager
def work_folder(plan: Plan, into: str | None = None) -> Iterator[Work]:
    """Yields the folder of a replay: the one that an earlier, interrupted one of the same plan has
    left, else a new one. Raises FileError."""
    raise NotImplementedError
    yield
