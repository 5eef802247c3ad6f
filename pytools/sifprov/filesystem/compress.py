"""The compressors of squashfs, each bounded by the size that its block may have.

zlib and lzma are in Python's standard library. zstd, lz4 and lzo are called in their C libraries
(functions of one call, which write no byte beyond the given room): every machine that has
squashfs-tools has these libraries, and the helper, which must do with the standard library, can
use them too.
"""

from __future__ import annotations

import ctypes
import lzma
import zlib
from collections.abc import Callable
from functools import cache

from sifprov.errors import MissingError
from sifprov.filesystem import CorruptImageError

# Decompresses one block to at most so many bytes.
Decompress = Callable[[bytes, int], bytes]

# A block has at most 1 MiB; a dictionary is not larger.
_XZ_MEMORY = 64 << 20
GZIP, LZMA, LZO, XZ, LZ4, ZSTD = range(1, 7)


def decompressor(number: int) -> Decompress:
    """Returns the function for a superblock's compressor number. Raises CorruptImageError,
    MissingError."""
    known: dict[int, Callable[[], Decompress]] = {
        GZIP: lambda: _gzip,
        LZMA: lambda: _lzma_alone,
        XZ: lambda: _xz,
        LZO: _lzo,
        LZ4: _lz4,
        ZSTD: _zstd,
    }
    if number not in known:
        raise CorruptImageError(f"the squashfs compressor {number} is unknown")
    return known[number]()


def _gzip(data: bytes, limit: int) -> bytes:
    engine = zlib.decompressobj()
    try:
        found = engine.decompress(data, limit)
    except zlib.error as error:
        raise CorruptImageError(f"a block cannot be decompressed: {error}") from error
    if not engine.eof and engine.unconsumed_tail:
        raise CorruptImageError("a block holds more than it may")
    return found


def _xz(data: bytes, limit: int) -> bytes:
    return _by_lzma(lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY), data, limit)


def _lzma_alone(data: bytes, limit: int) -> bytes:
    return _by_lzma(lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_XZ_MEMORY), data, limit)


def _by_lzma(engine: lzma.LZMADecompressor, data: bytes, limit: int) -> bytes:
    try:
        found = engine.decompress(data, limit)
    except (lzma.LZMAError, EOFError) as error:
        raise CorruptImageError(f"a block cannot be decompressed: {error}") from error
    if not engine.eof and not engine.needs_input:
        raise CorruptImageError("a block holds more than it may")
    return found


@cache
def _library(name: str, package: str) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        raise MissingError(
            f"{name} is needed to read this squashfs, and is not there",
            hint=f"install the Debian package {package}",
        ) from error


def _zstd() -> Decompress:
    library = _library("libzstd.so.1", "libzstd1")
    call, failed = library.ZSTD_decompress, library.ZSTD_isError
    call.restype = ctypes.c_size_t
    call.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    failed.argtypes = [ctypes.c_size_t]

    def decompress(data: bytes, limit: int) -> bytes:
        room = ctypes.create_string_buffer(limit)
        count = call(room, limit, data, len(data))
        if failed(count):
            raise CorruptImageError("a block cannot be decompressed")
        return memoryview(room)[:count].tobytes()

    return decompress


def _lz4() -> Decompress:
    call = _library("liblz4.so.1", "liblz4-1").LZ4_decompress_safe
    call.restype = ctypes.c_int
    call.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int]

    def decompress(data: bytes, limit: int) -> bytes:
        room = ctypes.create_string_buffer(limit)
        count = call(data, room, len(data), limit)
        if count < 0:
            raise CorruptImageError("a block cannot be decompressed")
        return memoryview(room)[:count].tobytes()

    return decompress


def _lzo() -> Decompress:
    call = _library("liblzo2.so.2", "liblzo2-2").lzo1x_decompress_safe
    call.restype = ctypes.c_int
    call.argtypes = [
        ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p,
        ctypes.POINTER(ctypes.c_size_t), ctypes.c_void_p,
    ]  # fmt: skip

    def decompress(data: bytes, limit: int) -> bytes:
        room = ctypes.create_string_buffer(limit)
        count = ctypes.c_size_t(limit)
        if call(data, len(data), room, ctypes.byref(count), None) != 0:
            raise CorruptImageError("a block cannot be decompressed")
        return memoryview(room)[: count.value].tobytes()

    return decompress
