"""Small ELF files with the fingerprints that Go's linker leaves in programs and plugins."""

from __future__ import annotations

import struct

BASE = 0x400000
PREFIX = b"go:link.pkghashbytes."
HOST = {"runtime": b"12345678", "example.org/rt/pkg/plugin": b"abcdefgh", "os": b"OSOSOSOS"}
PLUGIN = {name: HOST[name] for name in ("runtime", "example.org/rt/pkg/plugin")} | {
    "own": b"OWNOWNOW"
}


def elf(packages: dict[str, bytes], order: str = "<") -> bytes:
    """A 64-bit ELF file whose dynamic symbols are the packages' fingerprints, and one more."""
    names, symbols, data = b"\0", struct.pack(order + "IBBHQQ", 0, 0, 0, 0, 0, 0), b""
    data_at = 64 + 56
    for package, value in [*packages.items(), ("", b"")]:
        name = PREFIX + package.encode() if package else b"main"
        entry = (len(names), 0x11, 0, 1, BASE + data_at + len(data), len(value))
        symbols += struct.pack(order + "IBBHQQ", *entry)
        names += name + b"\0"
        data += value
    names_at = data_at + len(data)
    symbols_at = names_at + len(names)
    sections_at = symbols_at + len(symbols)
    total = sections_at + 3 * 64
    ident = b"\x7fELF\x02" + (b"\x01" if order == "<" else b"\x02") + b"\x01" + bytes(9)
    header = struct.pack(
        order + "HHIQQQIHHHHHH", 3, 62, 1, 0, 64, sections_at, 0, 64, 56, 1, 64, 3, 0
    )
    segment = struct.pack(order + "IIQQQQQQ", 1, 5, 0, BASE, BASE, total, total, 4096)
    sections = bytes(64)
    for kind, at, size, link in ((3, names_at, len(names), 0), (11, symbols_at, len(symbols), 1)):
        sections += struct.pack(order + "IIQQQQIIQQ", 0, kind, 0, 0, at, size, link, 0, 1, 24)
    return ident + header + segment + data + names + symbols + sections
