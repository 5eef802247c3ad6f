"""Sizes as people type them: `8M`, `1.5G`, `4096`."""

from __future__ import annotations

import re
from decimal import Decimal

from sifprov.errors import SifprovError

_SIZE = re.compile(r"(\d{1,18}(?:\.\d{1,18})?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE | re.ASCII)
_POWER = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def parse_size(text: str) -> int:
    """Returns a size in bytes; K, M, G and T are powers of 1024. Raises SifprovError."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise SifprovError(f"{text!r} is no size", hint="write it as 512K, 8M or 1.5G")
    return int(Decimal(match.group(1)) * 1024 ** _POWER[match.group(2).upper()])
