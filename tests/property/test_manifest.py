"""Any tree comes back from its list, however it is stored; no changed byte does."""

from __future__ import annotations

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from sifprov.content import Entry, Tree, make_tree
from sifprov.errors import RecordError
from sifprov.model.files import Document, Files, by_key, describe, key_of, load, store
from sifprov.model.manifest import Manifest

NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda n: b"/" not in n and b"\0" not in n and n not in (b".", b"..")
)
MODES = st.integers(0, 0o7777)
VALUES = st.integers(0, 5).map(lambda n: hashlib.sha256(b"%d" % n).hexdigest())


@st.composite
def entries(draw: st.DrawFn) -> tuple[str, int | None, str, int | None]:
    """What an entry is, but for its path."""
    mode = draw(MODES)
    kind = draw(st.sampled_from("fffflpsbc"))
    if kind == "f":
        kind = "x" if mode & 0o100 else "f"
        return kind, draw(st.integers(0, 2**63 - 1)), draw(VALUES), mode
    if kind == "l":
        return kind, draw(st.integers(0, 4095)), draw(VALUES), None
    value = f"{draw(st.integers(0, 4095)):x}:{draw(st.integers(0, 2**20)):x}"
    return kind, None, value if kind in "bc" else "-", mode


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    folders = [b""]
    found: dict[bytes, Entry] = {}
    for name in draw(st.lists(NAMES, max_size=6)):
        path = b"/".join(p for p in (draw(st.sampled_from(folders)), name) if p)
        if path not in found:
            found[path] = Entry(path, "d", None, "-", draw(MODES))
            folders.append(path)
    for name in draw(st.lists(NAMES, max_size=30)):
        path = b"/".join(p for p in (draw(st.sampled_from(folders)), name) if p)
        if path not in found:
            kind, size, value, mode = draw(entries())
            found[path] = Entry(path, kind, size, value, mode)
    return make_tree(found.values(), 0)


@given(trees())
@settings(max_examples=400, deadline=None)
def test_a_list_comes_back(tree: Tree) -> None:
    files, manifest = describe(tree)
    assert Files.from_json(files.to_json(), "files") == files
    if files.lines is not None:
        assert Manifest.from_lines(files.lines).entries == tree.entries
        return
    assert manifest and files.digest and files.count == len(tree.entries)
    found = load(files.digest, by_key([store(manifest).to_bytes()]))
    assert found.entries == tree.entries and found.tree_digest == tree.digest


@given(trees(), trees(), st.integers(0, 40))
@settings(max_examples=400, deadline=None)
def test_any_list_may_be_told_against_any_other(one: Tree, two: Tree, spent: int) -> None:
    base, manifest = Manifest(one.entries), Manifest(two.entries)
    document = store(manifest, base.lines, spent)
    data = document.to_bytes()
    assert Document.from_bytes(data) == document
    assert key_of(data) == (manifest.digest, base.digest if document.base else None)
    assert load(manifest.digest, by_key([data, store(base).to_bytes()])) == manifest
    # It never costs more lines than the whole, but for what was spent.
    assert len(document.lines) + len(document.removed) <= len(manifest.entries)


@given(trees(), trees(), st.data())
@settings(max_examples=400, deadline=None)
def test_a_changed_byte_changes_nothing_unseen(one: Tree, two: Tree, data: st.DataObject) -> None:
    """What is read is the list that was written, or it is refused; `spent` alone, which no reader
    uses, may change."""
    base, manifest = Manifest(one.entries), Manifest(two.entries)
    stored = bytearray(store(manifest, base.lines).to_bytes())
    place = data.draw(st.integers(0, len(stored) - 1))
    stored[place] ^= data.draw(st.integers(1, 255))
    try:
        document = Document.from_bytes(bytes(stored))
        found = document.manifest(base.lines)
    except RecordError as error:
        assert str(error)
        return
    if document.digest == manifest.digest:
        assert found == manifest
    else:  # another list, which no record names
        assert found.digest == document.digest
