"""Memory that the machine has already when a measurement begins.

A virtual machine gives its free memory back to its host, and gets it anew page by page when it is
written to: here for 0.5 to 2 s a GB, several times what copying the bytes takes. How much
of that a measurement meets depends on what ran before it.
"""

from __future__ import annotations

import mmap
from contextlib import suppress

_PAGE = 4096
_SPARE = 1 << 30
_mapping = mmap.mmap


def settle(size: int) -> None:
    """Writes to so many bytes of memory, or to what is free but for 1 GiB, and frees them."""
    size = min(size, _free() - _SPARE)
    if size < _PAGE:
        return
    with _mapping(-1, size) as memory:
        with suppress(AttributeError, OSError):
            memory.madvise(mmap.MADV_HUGEPAGE)
        for at in range(0, size, _PAGE):
            memory[at] = 1


def _free() -> int:
    with open("/proc/meminfo", encoding="ascii") as file:
        words = dict(line.split(":") for line in file)
    return int(words["MemFree"].split()[0]) << 10
