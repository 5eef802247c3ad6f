"""Tells without loading it whether a Go plugin loads into a program.

The linker gives every package that a program or plugin holds a fingerprint, as the dynamic symbol
`go:link.pkghashbytes.PACKAGE`. A plugin loads when each package that both hold has the same one in
both (cmd/link/internal/ld/symtab.go and runtime/plugin.go of Go), and the runtime's plugin API is
among them. ELF: System V ABI, chapters 4 and 5; 64 bits, either byte order.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

_PREFIX = b"go:link.pkghashbytes."
_API = "/pkg/plugin"
_DYNSYM, _PT_LOAD = 11, 1
# The dynamic symbols of the largest runtime, 114 MB, take 5 MB and their names 14 MB.
_MAX_TABLE = 256 * 1024 * 1024
_MAX_FINGERPRINT = 64


class GoBinaryError(Exception):
    """A file that is no Go program or plugin of the expected form."""


def misfit(plugin: dict[str, bytes], program: dict[str, bytes]) -> str | None:
    """Says in words why a plugin does not load into a program, of the packages of both; None when
    it loads."""
    if not program:
        return "which loads no plugins at all"
    differing = sorted(name for name in plugin if program.get(name, plugin[name]) != plugin[name])
    if differing:
        more = f" and {len(differing) - 1} more" if len(differing) > 1 else ""
        return f"which was built with another {differing[0]}{more}"
    if not any(name.endswith(_API) and name in program for name in plugin):
        return "which has another plugin interface"
    return None


def misfits(plugin: dict[str, bytes], programs: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Yields the programs that a plugin, by its packages, does not load into, and why."""
    for program in programs:
        try:
            reason = misfit(plugin, packages(program))
        except (OSError, GoBinaryError):
            continue  # a site's script around the program, or a starter that only root may read
        if reason:
            yield program, reason


def packages(path: Path) -> dict[str, bytes]:
    """Returns the fingerprint of each package that a Go program or plugin holds.

    Raises GoBinaryError, OSError.
    """
    with open(path, "rb") as file:
        try:
            return _packages(file, os.fstat(file.fileno()).st_size)
        except (struct.error, IndexError, ValueError, OverflowError) as error:
            raise GoBinaryError(f"{path}: {error}") from error


def _packages(file: BinaryIO, size: int) -> dict[str, bytes]:
    head = _read(file, 0, 64, size)
    if head[:5] != b"\x7fELF\x02" or head[5] not in (1, 2):
        raise ValueError("no 64-bit ELF file")
    order = "<" if head[5] == 1 else ">"
    phoff, shoff = struct.unpack_from(order + "QQ", head, 32)
    phsize, phcount, shsize, shcount = struct.unpack_from(order + "4H", head, 54)
    sections = _table(file, size, order + "IIQQQQIIQQ", shoff, shsize, shcount)
    segments = _table(file, size, order + "IIQQQQQQ", phoff, phsize, phcount)
    found = {}
    for section in sections:
        if section[1] != _DYNSYM:
            continue
        strings = sections[section[6]]
        names = _read(file, strings[4], strings[5], size)
        symbols = _read(file, section[4], section[5], size)
        for name, _, _, index, address, length in struct.iter_unpack(order + "IBBHQQ", symbols):
            if index and names.startswith(_PREFIX, name) and length <= _MAX_FINGERPRINT:
                start = name + len(_PREFIX)
                package = names[start : names.index(b"\0", start)].decode("utf-8", "replace")
                found[package] = _read(file, _offset(segments, address), length, size)
    return found


def _table(
    file: BinaryIO, size: int, form: str, offset: int, step: int, count: int
) -> list[tuple[int, ...]]:
    data = _read(file, offset, step * count, size)
    return [struct.unpack_from(form, data, at * step) for at in range(count)]


def _offset(segments: list[tuple[int, ...]], address: int) -> int:
    """Returns where in the file the byte stands that is loaded at `address`."""
    for segment in segments:
        if segment[0] == _PT_LOAD and segment[3] <= address < segment[3] + segment[5]:
            return segment[2] + address - segment[3]
    raise ValueError("a symbol outside of all segments")


def _read(file: BinaryIO, offset: int, length: int, size: int) -> bytes:
    if length > _MAX_TABLE or offset + length > size:
        raise ValueError(f"{length} bytes at {offset}, of {size}")
    file.seek(offset)
    return file.read(length)
