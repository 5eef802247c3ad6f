"""Untrusted texts and numbers as a database takes them.

PostgreSQL has no NUL in a text, neither database a lone surrogate, an index of PostgreSQL no text
of more than a third of a page, and an integer 64 bits. So texts come escaped and bounded: what is
longer ends with the digest of all of it, by which two long ones are told apart.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence

from sifprov.model.canonical import Json

# Bytes in UTF-8: of what an index holds, and of what none does.
SHORT = 700
LONG = 16 * 1024
_BIG = 2**63
_MIDDLE = 2**31
_CUT = "…sha256:"
_ESCAPE = re.compile(r"\\(\\|x[0-9a-f]{2}|u[0-9a-f]{4})")


# As JSON, without spaces; json.dumps makes an encoder each time.
compact = json.JSONEncoder(separators=(",", ":")).encode


def short(text: str) -> str:
    """Returns a text that an index may hold."""
    return text if len(text) <= SHORT and text.isascii() and "\0" not in text else _bounded(text)


def maybe_short(text: str | None) -> str | None:
    """As `short`, of a text that may be missing."""
    return None if text is None else short(text)


def long(text: str, limit: int = LONG) -> str:
    """Returns a text that no index holds."""
    fits = len(text) <= limit and text.isascii() and "\0" not in text
    return text if fits else _bounded(text, limit)


def path(text: str) -> str:
    """Returns a path by which one file is told from another, escaped so that `on_disk` finds it:
    with host and name beside it, one index holds it."""
    if len(text) <= 2 * SHORT and text.isascii() and "\\" not in text:
        return text
    looks_escaped = _ESCAPE.search(text) is not None
    return _bounded(text.replace("\\", "\\\\") if looks_escaped else text, 2 * SHORT)


def on_disk(text: str) -> str | None:
    """Reverses `path`; None for one that was too long to be kept."""
    if _CUT in text:
        return None
    return _ESCAPE.sub(_plain, text) if "\\" in text else text


def _plain(match: re.Match[str]) -> str:
    word = match.group(1)
    if word == "\\":
        return word
    number = int(word[1:], 16)
    return chr(number + 0xDC00 if word[0] == "x" and number else number)


def escaped(text: str) -> str:
    """Returns a text with NUL and lone surrogates (bytes that are no UTF-8) as `\\xNN`; only where
    it holds one, a backslash is doubled."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        pass
    else:
        if "\0" not in text:
            return text
    return "".join(map(_escape, text))


def _escape(character: str) -> str:
    number = ord(character)
    if number == 0 or 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number & 0xFF:02x}"
    if 0xD800 <= number <= 0xDFFF:
        return f"\\u{number:04x}"
    return "\\\\" if character == "\\" else character


def _bounded(text: str, limit: int = SHORT) -> str:
    text = escaped(text)
    data = text.encode("utf-8")
    if len(data) <= limit:
        return text
    mark = _CUT + hashlib.sha256(data).hexdigest()
    room = limit - len(mark.encode("utf-8"))
    return data[:room].decode("utf-8", "ignore") + mark


def list_text(items: Sequence[Json], limit: int = LONG) -> str:
    """Returns a list as JSON; of one that is too long, the items that fit, and a last one that says
    how many are left out."""
    whole = _json(list(items))
    if len(whole) <= limit:
        return whole
    kept: list[Json] = []
    room = limit - 64
    for item in items:
        one = _json(item)
        if len(one) + 2 > room and isinstance(item, str) and room > 2 * SHORT:
            one = _json(item := long(item, room // 4))
        if len(one) + 2 > room:
            break
        room -= len(one) + 2
        kept.append(item)
    return _json([*kept, f"… {len(items) - len(kept)} more"] if len(kept) < len(items) else kept)


def object_text(value: Mapping[str, Json], limit: int = LONG) -> str:
    """Returns an object as JSON; of one that is too long, the fields that fit, and `…` says how
    many are left out."""
    whole = _json(value)
    if len(whole) <= limit:
        return whole
    kept: dict[str, Json] = {}
    room = limit - 64
    for name, item in value.items():
        one = _json({name: item})
        if len(one) <= room:
            room -= len(one)
            kept[name] = item
    return _json({**kept, "…": f"{len(value) - len(kept)} more"})


def _json(value: Json) -> str:
    made = compact(value)
    # Neither could be cast to jsonb.
    if "\\u0000" in made or "\\ud" in made:
        made = compact(_clean(value))
    return made


def _clean(value: Json) -> Json:
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, Mapping):
        return {escaped(name): _clean(item) for name, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list) else value


def number(value: object) -> int | None:
    """Returns what is an integer of 64 bits, else None."""
    whole = isinstance(value, int) and not isinstance(value, bool) and -_BIG <= value < _BIG
    return value if whole else None  # type: ignore[return-value]


def small(value: object) -> int | None:
    """Returns what is an integer of 32 bits, else None."""
    found = number(value)
    return found if found is not None and -_MIDDLE <= found < _MIDDLE else None


def fingerprint(*parts: object) -> str:
    """Returns a digest that tells tuples of texts, numbers and None apart."""
    return hashlib.sha256(json.dumps(parts).encode("ascii")).hexdigest()
