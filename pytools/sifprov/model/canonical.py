"""Canonical JSON (RFC 8785) for the documents that sifprov stores.

They hold no fractions and no integers beyond 2**53; for these, keys sorted by their UTF-16 code
units and Python's own escapes are the canonical form.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping

from sifprov.errors import RecordError
from sifprov.sha import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

Json: TypeAlias = "bool | int | str | list[Json] | Mapping[str, Json] | None"

_MAX_INTEGER = 2**53
_MAX_DEPTH = 64


def dumps(document: Json) -> bytes:
    """Returns the canonical bytes of `document`. Raises ValueError for what has none."""
    text = json.dumps(_ordered(document, 0), ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8")


def _ordered(value: Json, depth: int) -> Json:
    """Returns `value` with the keys of every object in their order."""
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(value, float):
        raise ValueError(f"{value}: fractions have no place in a record")
    if isinstance(value, int) and abs(value) > _MAX_INTEGER:
        raise ValueError(f"{value} is beyond 2**53")
    if isinstance(value, Mapping):
        # Names of ours are in that order anyway; the codec would be one more file to read.
        plain = "".join(value).isascii()
        keys = sorted(value) if plain else sorted(value, key=lambda key: key.encode("utf-16-be"))
        return {key: _ordered(value[key], depth + 1) for key in keys}
    if isinstance(value, list):
        return [_ordered(item, depth + 1) for item in value]
    return value


def check(value: Json, depth: int = 0) -> None:
    """Raises ValueError for what has no canonical bytes, as `dumps` does."""
    if isinstance(value, str):
        if not value.isascii():
            value.encode("utf-8")
    elif isinstance(value, dict):
        names = "".join(value)
        if not names.isascii():
            names.encode("utf-8")
        _check_all(value.values(), depth + 1)
    elif isinstance(value, list):
        _check_all(value, depth + 1)
    elif value is not None and value is not True and value is not False:
        _ordered(value, depth)
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")


def _check_all(values: Iterable[Json], depth: int) -> None:
    for item in values:
        # Most are such texts.
        if depth > _MAX_DEPTH or item.__class__ is not str or not item.isascii():
            check(item, depth)


def loads(data: bytes) -> Json:
    """Parses JSON from an untrusted source: UTF-8, without lone surrogates. Raises RecordError."""
    try:
        text = data.decode("utf-8")
        value: Json = json.loads(text, object_pairs_hook=_no_twins, parse_constant=_no_constant)
        # Only an escape can bring a surrogate in; no text of ours may hold a lone one.
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise RecordError("", f"not JSON: {error}") from error
    return value


def _no_twins(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return result


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def record_digest(data: bytes) -> str:
    """Returns the record digest: SHA-256 of the stored bytes, as `sha256:HEX`."""
    return "sha256:" + sha256(data).hexdigest()


def text_to_json(value: str) -> Json:
    """Returns a string, or `{"base64": …}` where its bytes (surrogate escapes) are no UTF-8."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raw = value.encode("utf-8", "surrogateescape")
        return {"base64": base64.b64encode(raw).decode("ascii")}
    return value


def text_from_json(value: Json, path: str) -> str:
    """Reverses `text_to_json`. Raises RecordError."""
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise RecordError(path, "holds a lone surrogate") from error
        return value
    if isinstance(value, Mapping) and set(value) == {"base64"}:
        encoded = value["base64"]
        if isinstance(encoded, str):
            try:
                return base64.b64decode(encoded, validate=True).decode("utf-8", "surrogateescape")
            except (binascii.Error, ValueError) as error:
                raise RecordError(path, "not base64") from error
    raise RecordError(path, "not a text")
