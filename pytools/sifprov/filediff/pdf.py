"""PDFs that differ in when they were made alone."""

from __future__ import annotations

import re
from collections.abc import Iterable

_BEGIN = b"%PDF-"
# What is read into memory.
MAX_FILE = 64 * 1024 * 1024
_TIMES = re.compile(
    rb"/(?:CreationDate|ModDate)\s{0,9}(?:\([^()\\]{0,99}\)|<[0-9A-Fa-f]{0,99}>)"
    rb"|/ID\s{0,9}\[\s{0,9}<[0-9A-Fa-f]{0,99}>\s{0,9}<[0-9A-Fa-f]{0,99}>\s{0,9}\]"
)


def only_times_differ(
    first: Iterable[bytes | memoryview],
    second: Iterable[bytes | memoryview],
    sizes: tuple[int, int],
) -> bool:
    """Whether two contents of `sizes` bytes are PDFs, and the same but for /CreationDate, /ModDate
    and /ID. They are not looked into any further: what is drawn may be compressed."""
    if max(sizes) > MAX_FILE:
        return False
    one, other = b"".join(first), b"".join(second)
    if not (one.startswith(_BEGIN) and other.startswith(_BEGIN)):
        return False
    return _TIMES.sub(b"/", one) == _TIMES.sub(b"/", other)
