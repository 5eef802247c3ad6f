"""Targets of lists of files: their lines, and the documents that hold them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

from sifprov.errors import RecordError
from sifprov.frozen import replace
from sifprov.model.files import Document, by_key, key_of, load, store
from sifprov.model.manifest import Manifest, digest_of, path_of
from tests.fuzz.document_targets import mutate_json
from tests.fuzz.target import Basic, Target

_ZERO = b"0" * 64
BASE = Manifest.from_lines(
    [b"d 755 - - d", b"f 644 1 " + _ZERO + b" d/a", b"x 755 1 " + _ZERO + b" d/b", b"l - 1 "
     + _ZERO + b" link", b"p 600 - - pipe"]
)  # fmt: skip


def read_lines(data: bytes) -> None:
    """Lines that are taken are those of a tree, and come back as they were."""
    _check(data.split(b"\0")[:-1])


def _check(lines: Sequence[bytes]) -> Manifest | None:
    try:
        found = Manifest.from_lines(lines)
    except RecordError as error:
        assert str(error)
        return None
    assert found.lines == tuple(lines)
    paths = [e.path for e in found.entries]
    assert paths == sorted(set(paths))
    folders = {b""} | {e.path for e in found.entries if e.kind == "d"}
    for path in paths:
        assert path.rpartition(b"/")[0] in folders
        assert not {b"", b".", b".."} & set(path.split(b"/")) and b"\0" not in path
    # Without the permission bits they are the listing that the tree digest is made of.
    listing = b""
    for line in lines:
        kind, _, rest = line.split(b" ", 2)
        listing += kind + b" " + rest + b"\0"
    assert found.tree_digest == "tree-v1:" + hashlib.sha256(listing).hexdigest()
    return found


def read_document(data: bytes) -> None:
    """A document that is read comes back as the same; what it lists is proved, or refused. Then
    the digests are put right, which no change by chance does."""
    try:
        found = Document.from_bytes(data)
    except RecordError as error:
        assert str(error)
        return
    stored = found.to_bytes()
    assert Document.from_bytes(stored) == found
    assert key_of(stored) == (found.digest, found.base)
    for base in ((), BASE.lines):
        try:
            made = found.manifest(base)
        except RecordError as error:
            assert str(error)
        else:
            assert (made.digest, made.tree_digest) == (found.digest, found.tree)
    _put_right(found)


def _put_right(found: Document) -> None:
    """The same changes to BASE, with the digests of what they make of it."""
    lines = {path_of(line): line for line in BASE.lines}
    if not set(found.removed) <= lines.keys() or len(set(found.removed)) < len(found.removed):
        return
    for path in found.removed:
        del lines[path]
    lines |= {path_of(line): line for line in found.lines}
    wanted = [lines[path] for path in sorted(lines)]
    expected = _check(wanted)
    tree = expected.tree_digest if expected else found.tree
    right = replace(found, base=BASE.digest, digest=digest_of(wanted), count=len(wanted), tree=tree)
    held = by_key([right.to_bytes(), store(BASE).to_bytes()])
    try:
        made = load(right.digest, held)
    except RecordError:
        made = None
    assert made == expected
    if expected:
        again = store(expected, BASE.lines)
        assert load(again.digest, by_key([again.to_bytes(), store(BASE).to_bytes()])) == expected


def mutate_lines(data: bytes, most: int, dice: random.Random, basic: Basic) -> bytes:
    """Changes a field of a line, or which lines there are."""
    lines = data.split(b"\0")
    place = dice.randrange(len(lines))
    choice = dice.randrange(6)
    if choice == 0:
        lines.insert(place, dice.choice(lines))
    elif choice == 1:
        del lines[place]
    elif choice == 2:
        return basic(data, most)
    else:
        fields = lines[place].split(b" ", 4)
        field = dice.randrange(len(fields))
        fields[field] = basic(fields[field], 80)
        lines[place] = b" ".join(fields)
    return b"\0".join(lines)[:most]


TARGETS = (
    Target("files-lines", read_lines, 500_000, mutate_lines, max_len=1024,
           words=("d 755 - - ", "f 644 1 ", "x 755 1 ", "l - 1 ", "b 600 - 8:1 ", "0" * 64)),
    Target("files", read_document, 400_000, mutate_json, max_len=2048,
           words=("sifprov.files/1", "removed", "lines", "sha256:", "tree-v1:", "d 755 - - d/c")),
)  # fmt: skip
