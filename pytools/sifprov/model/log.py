"""The application's output, bounded: what a record's log object holds. See docs/formats.md."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from sifprov.errors import RecordError
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json, dumps, loads, text_from_json, text_to_json
from sifprov.model.reader import Reader

SCHEMA = "sifprov.log/1"
# By which of the two it came, or that both were one (a terminal, or `2>&1`).
STDOUT, STDERR, BOTH = "stdout", "stderr", "both"
STREAMS = (BOTH, STDERR, STDOUT)
# What a change of stream costs of the bound: two streams taking turns byte by byte stay bounded.
_PER_CHUNK = 64

Chunk = tuple[str, bytes]


@dataclass(frozen=True)
class Log:
    """What was written, in the order in which it came: `head`, then `cut` bytes that were not kept,
    then `tail`. `sizes` are the bytes of each stream, with those that were cut."""

    head: tuple[Chunk, ...]
    cut: int
    tail: tuple[Chunk, ...]
    sizes: tuple[tuple[str, int], ...]

    def to_bytes(self) -> bytes:
        """Returns the canonical bytes that are stored."""
        return dumps(
            {
                "bytes": dict(self.sizes),
                "cut": self.cut,
                "head": [_to_json(chunk) for chunk in self.head],
                "schema": SCHEMA,
                "tail": [_to_json(chunk) for chunk in self.tail],
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Log:
        """Reads stored bytes. Raises RecordError."""
        r = Reader(loads(data), "")
        r.word("schema", SCHEMA)
        sizes = Reader(r.json("bytes"), "bytes")
        names = [name for name in STREAMS if sizes.has(name)]
        found = cls(
            head=r.items("head", _from_json),
            cut=r.integer("cut", 0, 2**53),
            tail=r.items("tail", _from_json),
            sizes=tuple((name, sizes.integer(name, 0, 2**53)) for name in names),
        )
        sizes.end()
        r.end()
        return found


def _to_json(chunk: Chunk) -> Json:
    return [chunk[0], text_to_json(chunk[1].decode("utf-8", "surrogateescape"))]


def _from_json(value: Json, path: str) -> Chunk:
    if not isinstance(value, list) or len(value) != 2 or value[0] not in STREAMS:
        raise RecordError(path, "not a stream and a text")
    return str(value[0]), text_from_json(value[1], f"{path}[1]").encode("utf-8", "surrogateescape")


class Collector:
    """Takes what is written, and keeps the first and the last of it: `limit` bytes at most."""

    def __init__(self, limit: int, streams: Sequence[str]) -> None:
        self._half = max(limit, 2) // 2
        self._sizes = dict.fromkeys(streams, 0)
        self._head: deque[tuple[str, bytearray]] = deque()
        self._tail: deque[tuple[str, bytearray]] = deque()
        self._room = self._half
        self._used = 0
        self._cut = 0

    def add(self, stream: str, data: bytes) -> None:
        """Takes what came by one of the streams."""
        self._sizes[stream] += len(data)
        if not self._tail:
            cost = 0 if self._head and self._head[-1][0] == stream else _PER_CHUNK
            fitting = data[: max(self._room - cost, 0)]
            if fitting:
                _put(self._head, stream, fitting)
                self._room -= cost + len(fitting)
            data = data[len(fitting) :]
        if not data:
            return
        self._room = 0
        self._used += len(data) + _put(self._tail, stream, data) * _PER_CHUNK
        while self._used > self._half and self._tail:
            over, oldest = self._used - self._half, self._tail[0][1]
            gone = min(over, len(oldest))
            del oldest[:gone]
            self._cut += gone
            self._used -= gone
            if not oldest:
                self._tail.popleft()
                self._used -= _PER_CHUNK

    def log(self) -> Log:
        """Returns what was kept so far."""
        head = [(stream, bytes(data)) for stream, data in self._head]
        tail = [(stream, bytes(data)) for stream, data in self._tail]
        cut = self._cut
        if cut:
            # No character is to be cut in two: its bytes would make the whole piece unreadable.
            head, lost = _without_half_character(head)
            tail, more = _without_rest_of_character(tail)
            cut += lost + more
        elif head and tail and head[-1][0] == tail[0][0]:
            stream, data = tail.pop(0)
            head[-1] = (stream, head[-1][1] + data)
        if not cut:
            head, tail = head + tail, []
        return Log(tuple(head), cut, tuple(tail), tuple(sorted(self._sizes.items())))


def _put(chunks: deque[tuple[str, bytearray]], stream: str, data: bytes) -> bool:
    """Adds to the last chunk, or as a new one; returns whether it is new."""
    if chunks and chunks[-1][0] == stream:
        chunks[-1][1].extend(data)
        return False
    chunks.append((stream, bytearray(data)))
    return True


def _without_half_character(chunks: list[Chunk]) -> tuple[list[Chunk], int]:
    if not chunks:
        return chunks, 0
    stream, data = chunks[-1]
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:
            wanted = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            if wanted > back:
                return _replaced(chunks, -1, (stream, data[:-back])), back
        if byte & 0xC0 != 0x80:
            break
    return chunks, 0


def _without_rest_of_character(chunks: list[Chunk]) -> tuple[list[Chunk], int]:
    if not chunks:
        return chunks, 0
    stream, data = chunks[0]
    lost = 0
    while lost < min(3, len(data)) and data[lost] & 0xC0 == 0x80:
        lost += 1
    return _replaced(chunks, 0, (stream, data[lost:])), lost


def _replaced(chunks: list[Chunk], place: int, chunk: Chunk) -> list[Chunk]:
    made = list(chunks)
    if chunk[1]:
        made[place] = chunk
    else:
        del made[place]
    return made
