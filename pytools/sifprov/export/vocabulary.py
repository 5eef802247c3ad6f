"""The words of our exports: one namespace, names of things that are valid in every format, and
texts that are harmless in every format."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from sifprov.model.canonical import Json, dumps, text_to_json

Plain: TypeAlias = "str | int | bool | float | None"
Attributes: TypeAlias = "Mapping[str, Plain | Iterable[Plain]]"

PREFIX = "sifprov"
# No domain is ours for ever, and `urn:sifprov:` would need a registration. A UUID that was drawn
# once needs neither: nobody else has it, and it cannot lapse (RFC 9562; the fragment: RFC 8141).
NAMESPACE = "urn:uuid:3b1f7758-9878-40a1-8797-be787f09ff1d#"

# What moves a cursor, hides text, turns its direction, or has no place in XML.
_UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_PLAIN = re.compile(r"[0-9a-z]+(?:-[0-9a-z]+)*")
# An address that can stand as a name: no blank, quote, bracket or backslash.
_ADDRESS = re.compile(r"https?://[!#-;=?-Z_a-z~]+", re.ASCII)
_FIELD = re.compile(r"[a-z0-9_]{1,64}")


def named(kind: str, key: str) -> str:
    """Returns the name of a thing of this kind that has a key of its own: `run-UUID`. A key that
    has no place in a name is digested."""
    if not _PLAIN.fullmatch(key):
        key = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return f"{kind}-{key}"


def by_digest(kind: str, digest: str) -> str:
    """Returns the name of a thing that its digest `SCHEME:HEX` tells from all others."""
    return named(kind, digest.replace(":", "-"))


def by_value(kind: str, value: Json) -> str:
    """Returns the name of a thing that is nothing but this value: the same for the same value."""
    return f"{kind}-{hashlib.sha256(dumps(value)).hexdigest()[:32]}"


def is_field(name: str) -> bool:
    """Whether a field's name can stand as it is in an attribute's."""
    return _FIELD.fullmatch(name) is not None


def is_address(value: str) -> bool:
    """Whether a text is an address of the web, and nothing else."""
    return _ADDRESS.fullmatch(value) is not None


def text(value: str) -> str:
    """Returns a text as it is; one with characters that could act on a reader as JSON writes it, in
    quotes and escaped. One that begins with a quote is written so too: nothing is ambiguous."""
    if value.isascii() and value.isprintable() and not value.startswith('"'):
        return value
    if not value.startswith('"') and not any(map(_is_unsafe, value)):
        return value
    return _escaped(json.dumps(value, ensure_ascii=False))


def json_text(value: Json) -> str:
    """Returns canonical JSON, but for escapes of the characters that could act on a reader."""
    return _escaped(dumps(value).decode("utf-8"))


def texts(values: Iterable[str]) -> str:
    """Returns a list of texts as JSON. One that is no UTF-8 stands as `{"base64": …}` there."""
    return json_text([text_to_json(value) for value in values])


def _escaped(notation: str) -> str:
    if notation.isascii() and notation.isprintable():
        return notation
    return "".join(json.dumps(c)[1:-1] if _is_unsafe(c) else c for c in notation)


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in _UNSAFE or ord(character) & 0xFFFE == 0xFFFE
