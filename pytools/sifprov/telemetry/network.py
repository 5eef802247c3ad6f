"""What went through the network interfaces that a container sees, but for its loop-back.

Most containers see the machine's, and so everybody's traffic. Source: proc(5), net/dev.
"""

from __future__ import annotations

import os
from contextlib import suppress

from sifprov.model.telemetry import HOST, OWN


class Network:
    """The interfaces in the network namespace of process `pid`, counted from now on."""

    def __init__(self, pid: int, *, proc: str = "/proc") -> None:
        self.whose: str | None = None
        with suppress(OSError):
            same = os.readlink(f"{proc}/{pid}/ns/net") == os.readlink(f"{proc}/self/ns/net")
            self.whose = HOST if same else OWN
        # Ours stays when the process has ended.
        self._file = f"{proc}/{'self' if self.whose == HOST else pid}/net/dev"
        self._first = self._count() if self.whose else None
        self._last = self._first or (0, 0)
        if self._first is None:
            self.whose = None

    def read(self) -> dict[str, int]:
        """Returns the two columns, none where nothing can be read."""
        if self._first is None:
            return {}
        now = self._count() or self._last
        # An interface that goes takes its numbers along.
        self._last = (max(now[0], self._last[0]), max(now[1], self._last[1]))
        received, sent = (n - first for n, first in zip(self._last, self._first, strict=True))
        return {"network_received_bytes": received, "network_sent_bytes": sent}

    def _count(self) -> tuple[int, int] | None:
        received = sent = 0
        try:
            with open(self._file, "rb", buffering=0) as file:
                table = file.read()
            for line in table.split(b"\n")[2:]:
                name, colon, rest = line.partition(b":")
                if colon and name.strip() != b"lo":
                    numbers = rest.split()
                    received += int(numbers[0])
                    sent += int(numbers[8])
        except (OSError, ValueError, LookupError):
            return None
        return received, sent
