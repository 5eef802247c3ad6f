"""What looks like an id: a UUID, a digest, or how one begins. Needs no database."""

from __future__ import annotations

import re
from uuid import UUID

_PREFIX = "id:"
# Characters of a whole UUID.
WHOLE = 36
# A kind, a colon, and at least so much of the hex that no two are likely to begin alike.
_DIGEST = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*:[0-9a-f]{6,64}")
_BEGIN = re.compile(r"[0-9a-f]{4,8}|[0-9a-f]{8}-[0-9a-f-]{0,26}[0-9a-f]")


def uuid_of(text: str) -> str | None:
    """Returns a UUID (behind `id:` or bare) as the catalog writes it; None for what is none."""
    bare = text.removeprefix(_PREFIX).lower()
    try:
        return bare if str(UUID(bare)) == bare else None
    except ValueError:
        return None


def beginning_of(text: str) -> str | None:
    """Returns how a UUID begins, of `id:` and at least four digits; None for anything else."""
    bare = text.removeprefix(_PREFIX).lower()
    return bare if text.startswith(_PREFIX) and _BEGIN.fullmatch(bare) else None


def is_digest(text: str) -> bool:
    """True for a digest, or its beginning with at least six digits."""
    return bool(_DIGEST.fullmatch(text))


def is_id(text: str) -> bool:
    """True for what can stand for a file where there is none of that name."""
    return bool(uuid_of(text) or beginning_of(text) or is_digest(text))
