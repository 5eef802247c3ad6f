"""All that can be seen of one container at a time: its group's numbers, and those of its processes
for what no group counts."""

from __future__ import annotations

import time

from sifprov.telemetry.group import own_group, read_group
from sifprov.telemetry.network import Network
from sifprov.telemetry.tree import Tree

# With these a group tells all that matters, and no process has to be looked at.
_ENOUGH = {"user_us", "memory_bytes", "storage_read_bytes"}
_GAUGES = ("memory_bytes", "processes")
# Seconds for the runtime to wait for its child.
_MOMENT = 0.002


class View:
    """The container whose first process is `first`, which `parent` started. `joined`: the container
    was there before, and runs others too."""

    def __init__(self, first: int, parent: int, *, joined: bool = False) -> None:
        self._group = None if joined else own_group(first)
        counted = read_group(self._group) if self._group else {}
        self._tree = None if counted.keys() >= _ENOUGH else Tree(first, parent, joined=joined)
        self._network = Network(first)
        self.whose = self._network.whose
        sources = ["cgroup v2"] if counted else []
        if self._tree or self.whose:
            sources.append("/proc")
        self.source = ", ".join(sources)

    @property
    def over(self) -> bool:
        """Whether the first process is known to have ended."""
        return self._tree is not None and self._tree.gone

    def read(self) -> dict[str, int]:
        """Returns the columns as they are now."""
        found = self._tree.read() if self._tree else {}
        if self._group:
            found.update(read_group(self._group))
        found.update(self._network.read())
        return found

    def read_last(self) -> dict[str, int]:
        """Returns what was used up to the end of the first process. What is no counter is as it was
        seen before: nothing is left of it."""
        found = self.read()
        if self.over and self._tree and self._tree.waits:
            time.sleep(_MOMENT)
            found = self.read()
        return {name: value for name, value in found.items() if name not in _GAUGES}
