"""The compressors of squashfs, each bounded by the size that its block may have.

zlib and lzma are in Python's standard library. zstd, lz4 and lzo are called in their C libraries
(functions of one call, which write no byte beyond the given room): every machine that has
squashfs-tools has these libraries, and the helper, which must do with the standard library, can
use them too. What zlib can do is done by libdeflate where it is installed, or by the package isal
(the extra "fast"): both take less than half of its time.
"""

from __future__ import annotations

import ctypes
import lzma
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

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
        GZIP: lambda: gzip_engines()[0],
        LZMA: lambda: _lzma_alone,
        XZ: lambda: _xz,
        LZO: _lzo,
        LZ4: _lz4,
        ZSTD: _zstd,
    }
    if number not in known:
        raise CorruptImageError(f"the squashfs compressor {number} is unknown")
    return known[number]()


@cache
def gzip_engines() -> tuple[Decompress, ...]:
    """Returns what can decompress zlib's format here, the fastest first; the last one is zlib."""
    found: list[Decompress] = []
    with suppress(MissingError):
        found.append(_libdeflate())
    if not found:
        # Not where the first is: importing it takes time.
        with suppress(ImportError):
            found.append(_isal())
    return (*found, _zlib)


def _zlib(data: bytes, limit: int) -> bytes:
    return _by_zlib(zlib.decompressobj(), zlib.error, data, limit)


def _isal() -> Decompress:
    from isal import isal_zlib

    def decompress(data: bytes, limit: int) -> bytes:
        return _by_zlib(isal_zlib.decompressobj(), isal_zlib.error, data, limit)

    return decompress


def _by_zlib(engine: Any, error: Any, data: bytes, limit: int) -> bytes:
    try:
        found: bytes = engine.decompress(data, limit)
        # At the limit, the end of the stream may still have to be read.
        more = b"" if engine.eof else engine.decompress(engine.unconsumed_tail, 1)
    except error as reason:
        raise CorruptImageError(f"a block cannot be decompressed: {reason}") from reason
    if more:
        raise CorruptImageError("a block holds more than it may")
    if not engine.eof:
        raise CorruptImageError("a block ends inside its stream")
    return found


class _Deflate:
    """libdeflate's working memory, and room for a block: one for each thread."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._free = library.libdeflate_free_decompressor
        self._free.argtypes = [ctypes.c_void_p]
        self.engine = library.libdeflate_alloc_decompressor()
        if not self.engine:
            raise MemoryError
        self.room = ctypes.create_string_buffer(0)

    def __del__(self) -> None:
        if getattr(self, "engine", None):
            self._free(self.engine)


def _libdeflate() -> Decompress:
    library = _library("libdeflate.so.0", "libdeflate0")
    library.libdeflate_alloc_decompressor.restype = ctypes.c_void_p
    call = library.libdeflate_zlib_decompress
    call.restype = ctypes.c_int
    call.argtypes = [
        ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t,
        ctypes.POINTER(ctypes.c_size_t),
    ]  # fmt: skip
    threads = threading.local()
    too_little_room = 3  # LIBDEFLATE_INSUFFICIENT_SPACE

    def decompress(data: bytes, limit: int) -> bytes:
        if not hasattr(threads, "own"):
            threads.own = _Deflate(library)
        own = threads.own
        if len(own.room) < limit:
            own.room = ctypes.create_string_buffer(limit)
        count = ctypes.c_size_t()
        code = call(own.engine, data, len(data), own.room, limit, ctypes.byref(count))
        if code == too_little_room:
            raise CorruptImageError("a block holds more than it may")
        if code:
            raise CorruptImageError("a block cannot be decompressed")
        return memoryview(own.room)[: count.value].tobytes()

    return decompress


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
