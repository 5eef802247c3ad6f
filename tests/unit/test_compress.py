"""Every engine that can decompress zlib's format says the same of every block."""

from __future__ import annotations

import random
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from sifprov.errors import MissingError
from sifprov.extract import extract
from sifprov.filesystem import CorruptImageError, compress, metadata
from sifprov.filesystem.compress import GZIP, Decompress, decompressor, gzip_engines

BLOCK = 1 << 17
ENGINES: dict[str, Callable[[], Decompress]] = {
    "zlib": lambda: compress._zlib,
    "isal": compress._isal,
    "libdeflate": compress._libdeflate,
}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Decompress:
    try:
        return ENGINES[request.param]()
    except MissingError as error:
        pytest.skip(f"{error}: {error.hint}")


def blocks() -> list[bytes]:
    source = random.Random(3)  # noqa: S311
    return [
        b"",
        b"a",
        bytes(BLOCK),
        source.randbytes(BLOCK),
        b"".join(b"%d\n" % source.randrange(10**6) for _ in range(BLOCK // 8))[:BLOCK],
    ]


def test_what_was_compressed_comes_back(engine: Decompress) -> None:
    for data in blocks():
        for level in (0, 1, 9):
            packed = zlib.compress(data, level)
            assert engine(packed, BLOCK) == data
            assert engine(packed, max(len(data), 1)) == data
            assert engine(packed + b"behind it", BLOCK) == data


def test_a_block_never_grows_beyond_its_size(engine: Decompress) -> None:
    for data in blocks()[1:]:
        with pytest.raises(CorruptImageError, match="more than it may"):
            engine(zlib.compress(data + b"x"), len(data))
    with pytest.raises(CorruptImageError, match="more than it may"):
        engine(zlib.compress(bytes(100 << 20)), BLOCK)


def test_what_is_cut_off_or_changed_is_refused(engine: Decompress) -> None:
    packed = zlib.compress(blocks()[4])
    for broken in (b"", packed[:1], packed[:-1], packed[:-4], packed[: len(packed) // 2]):
        with pytest.raises(CorruptImageError):
            engine(broken, BLOCK)
    source = random.Random(4)  # noqa: S311
    for _ in range(200):
        changed = bytearray(packed)
        place = source.randrange(2, len(changed))
        changed[place] ^= 1 << source.randrange(8)
        with pytest.raises(CorruptImageError):
            engine(bytes(changed), BLOCK)


def test_many_threads_at_once(engine: Decompress) -> None:
    data = [bytes([n]) * BLOCK for n in range(8)]
    wrong: list[int] = []

    def work(number: int) -> None:
        packed = zlib.compress(data[number])
        if any(engine(packed, BLOCK) != data[number] for _ in range(50)):
            wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_fastest_that_is_there_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Decompress:
        raise MissingError("no libdeflate")

    gzip_engines.cache_clear()
    try:
        assert decompressor(GZIP) is gzip_engines()[0]
        assert gzip_engines()[-1] is compress._zlib
        monkeypatch.setattr(compress, "_libdeflate", missing)
        gzip_engines.cache_clear()
        assert len(gzip_engines()) == 2 and gzip_engines()[-1] is compress._zlib
        # Neither: as in the helper, which has the standard library alone.
        monkeypatch.setitem(sys.modules, "isal", None)
        gzip_engines.cache_clear()
        assert gzip_engines() == (compress._zlib,)
    finally:
        gzip_engines.cache_clear()


def test_extraction_by_each_engine(
    engine: Decompress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sifprov.create import create_data

    source = tmp_path / "source"
    source.mkdir()
    (source / "big").write_bytes(b"".join(blocks()) * 5 + b"tail")
    (source / "small").write_bytes(b"x" * 5000)
    create_data(str(tmp_path / "s.sif"), mount="/I", source=str(source), fs="squashfs")
    monkeypatch.setattr(metadata, "decompressor", lambda number: engine)
    extract(str(tmp_path / "s.sif"), str(tmp_path / "out"))
    for name in ("big", "small"):
        made = tmp_path / "out" / "I" / name
        assert made.read_bytes() == (source / name).read_bytes()
