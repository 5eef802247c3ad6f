"""What a fuzz target is."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SEEDS, CRASHES = HERE / "seeds", HERE / "crashes"

# libFuzzer's own mutation: bytes and the most that may come back.
Basic = Callable[[bytes, int], bytes]
Mutator = Callable[[bytes, int, random.Random, Basic], bytes]


@dataclass(frozen=True)
class Target:
    """`run` takes any bytes and returns; whatever it raises is a bug.

    `mutate` knows the format, where blind changes would get no further than a magic number.
    `runs` is what it gets of a campaign of eleven million executions: the fast ones get more.
    """

    name: str
    run: Callable[[bytes], object]
    runs: int
    mutate: Mutator | None = None
    max_len: int = 1024
    words: tuple[str, ...] = ()

    @property
    def seeds(self) -> list[Path]:
        """The committed seeds."""
        return sorted((SEEDS / self.name).iterdir())

    @property
    def crashes(self) -> list[Path]:
        """The inputs that once broke something."""
        folder = CRASHES / self.name
        return sorted(folder.iterdir()) if folder.is_dir() else []


class Memory:
    """One file in memory, which every execution fills anew."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("fuzz", os.MFD_CLOEXEC)
        self.path = f"/proc/self/fd/{self.fd}"

    def fill(self, data: bytes) -> None:
        """Makes `data` the whole content."""
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, data, 0)


def as_text(data: bytes) -> str:
    """The text that the program would see in these bytes of a command line or a name."""
    return data.decode("utf-8", "surrogateescape")


def as_argv(data: bytes) -> list[str]:
    """A command line, its arguments separated by NUL."""
    return [as_text(part) for part in data.split(b"\0")]
