"""What a page shows of commands, without what differs from run to run."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Ids, times, and where it ran.
CHANGES = (
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
    (r"  [0-9a-f]{8}$", "  ID"),
    (r"\brun [0-9a-f]{8}\b", "run ID"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}", "DATE"),
    (r" +\d+\.\d\d s\b", " TIME"),
    (r"(image|tree)-v1:[0-9a-f]{16}", r"\1-v1:DIGEST"),
    (r"made \d.* from /.*/", "made TIME from /"),
    (r"/\S*/(singularity exec)", r"\1"),
    (r"(?<=[\s,])/(?:tmp|home|var|root)/(?:[^\s:]*/)?", ""),
    (r"^\$ (?:sifprov|singularity) exec", "$ RUNTIME exec"),
    (r"by the (?:plugin|wrapper)", "by WAY"),
    (r"│  by .*, on .*", "│  by USER, on PROCESSOR"),
    (r"│  used .* user, .* system, .* of memory", "│  used RESOURCES"),
    (r"\d+\.\d [KM]iB", "SIZE"),
    (r" --no-privs", ""),
)  # fmt: skip


def lasting(text: str) -> list[str]:
    """The lines of a text, without what differs from run to run."""
    for pattern, name in CHANGES:
        text = re.sub(pattern, name, text, flags=re.MULTILINE)
    return [line for line in text.splitlines() if line.strip()]


def not_printed(shown: Iterable[str], printed: str) -> list[str]:
    """The first of the shown lines that does not stand in what was printed, behind those before
    it. A page may leave lines out, also where it says `…`."""
    rest = iter(lasting(printed))
    return [line for line in shown if line != "…" and line not in rest][:1]
