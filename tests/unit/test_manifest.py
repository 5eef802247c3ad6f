"""Lists of files: what they look like, that they come back, that nothing else is believed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from tests.unit.schemas import problems
from tests.unit.sifs import NOW, make_sif, run_record

from sifprov import filestore
from sifprov.compare import DIFFERS, SAME, compare
from sifprov.content import Deadline, Entry, FileState, Tree, make_tree, scan_folder
from sifprov.embedded import Lineage
from sifprov.errors import RecordError
from sifprov.filestore import new_documents
from sifprov.frozen import replace
from sifprov.model import files as files_module
from sifprov.model.canonical import Json, dumps, loads
from sifprov.model.files import Document, Files, by_key, describe, key_of, load, store
from sifprov.model.manifest import Manifest, digest_of, parse_line
from sifprov.placement import CONTAINER, Place
from sifprov.records import append_record

ZERO = "0" * 64


def entry(path: bytes, value: str = ZERO, mode: int = 0o644) -> Entry:
    return Entry(path, "x" if mode & 0o100 else "f", 3, value, mode)


def tree_of(count: int, *more: Entry) -> Tree:
    folder = Entry(b"d", "d", None, "-", 0o755)
    numbers = (hashlib.sha256(b"%d" % n).hexdigest() for n in range(count))
    many = [entry(b"d/%05d" % n, value) for n, value in enumerate(numbers)]
    return make_tree([folder, *many, *more], 0)


def test_the_lines_of_a_folder(tmp_path: Path) -> None:
    """As docs/formats.md says, and in the order of the tree digest."""
    (tmp_path / "b").mkdir(mode=0o750)
    (tmp_path / "b").chmod(0o2750)
    (tmp_path / "b.txt").write_text("hello\n")
    (tmp_path / "b.txt").chmod(0o640)
    (tmp_path / "b" / "tool").write_bytes(b"")
    (tmp_path / "b" / "tool").chmod(0o4711)
    (tmp_path / "b" / "to").symlink_to("b.txt")
    os.mkfifo(tmp_path / "pipe", 0o600)
    tree = scan_folder(str(tmp_path), Deadline())
    files, manifest = describe(tree)
    assert manifest is None
    assert files.lines == (
        b"d 2750 - - b",
        b"f 640 6 " + hashlib.sha256(b"hello\n").hexdigest().encode() + b" b.txt",
        b"l - 5 " + hashlib.sha256(b"b.txt").hexdigest().encode() + b" b/to",
        b"x 4711 0 " + hashlib.sha256(b"").hexdigest().encode() + b" b/tool",
        b"p 600 - - pipe",
    )
    again = Manifest.from_lines(files.lines)
    assert again.entries == tree.entries
    assert again.tree_digest == tree.digest
    assert again.digest == "sha256:" + hashlib.sha256(b"\0".join(files.lines) + b"\0").hexdigest()


def test_an_empty_tree_has_an_empty_list() -> None:
    files, manifest = describe(Tree((), 0))
    assert files == Files(lines=()) and manifest is None
    assert Manifest.from_lines(()).tree_digest == Tree((), 0).digest
    assert Files.from_json(files.to_json(), "files") == files


@pytest.mark.parametrize("count", [15, 16, 1000])
def test_a_long_list_stands_beside_the_record(count: int) -> None:
    tree = tree_of(count)
    files, manifest = describe(tree)
    if count == 15:  # with its folder 16 lines, of less than 2 KiB
        assert files.lines is not None and manifest is None
        return
    assert manifest is not None and files.digest is not None
    assert files == Files(count=count + 1, digest=manifest.digest)
    data = store(manifest).to_bytes()
    assert problems("sifprov.files/1", loads(data)) == []
    assert load(files.digest, by_key([data])) == manifest
    assert manifest.tree_digest == tree.digest


def test_a_few_long_names_stand_beside_it_too() -> None:
    tree = make_tree([entry(b"%d" % n + b"n" * 200) for n in range(8)], 0)
    assert describe(tree)[1] is not None


def test_more_than_may_be_listed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "MAX_ENTRIES", 5)
    assert describe(tree_of(5)) == (Files(reason="6 files, more than 5"), None)
    monkeypatch.setattr(files_module, "MAX_ENTRIES", 50)
    # A control character takes six bytes of JSON: the limit is the document's.
    names = [entry(b"%02d" % n + b"\x01" * 100) for n in range(30)]
    size = len(store(Manifest(make_tree(names, 0).entries)).to_bytes())
    for limit, is_listed in ((size, True), (size - 1, False), (1000, False)):
        monkeypatch.setattr(files_module, "MAX_DOCUMENT", limit)
        files, manifest = describe(make_tree(names, 0))
        assert (manifest is not None) is is_listed
        assert is_listed or files.reason == f"their list has more than {limit} bytes"


def test_permission_bits_that_are_not_known_make_no_list() -> None:
    files, manifest = describe(make_tree([Entry(b"a", "f", 1, ZERO)], 0))
    assert (files.reason, manifest) == ("the permission bits are not known", None)


LONG = b"f 644 1 " + ZERO.encode() + b" a"


@pytest.mark.parametrize(
    "lines",
    [
        [LONG.replace(b"644", b"0644")],
        [LONG.replace(b"644", b"10000")],
        [LONG.replace(b"644", b"-1")],
        [LONG.replace(b"644", b"755")],  # the owner may execute it: then it is an x
        [LONG.replace(b"f 644", b"x 644")],
        [LONG.replace(b"f 644", b"l 644")],
        [LONG.replace(b"644", b"-")],
        [LONG.replace(b" 1 ", b" 01 ")],
        [LONG.replace(b" 1 ", b" -1 ")],
        [LONG.replace(b" 1 ", b" 9223372036854775808 ")],
        [LONG.replace(b" 1 ", b" " + b"1" * 100_000 + b" ")],
        [LONG.replace(b"0000", b"000A", 1)],
        [LONG.replace(b"0", b"", 1)],
        [b"d 755 0 - a"],
        [b"d 755 - x a"],
        [b"z 755 - - a"],
        [b"fx 755 - - a"],
        [b" 755 - - a"],
        [b"b 644 - 8 a"],
        [b"b 644 - 08:1 a"],
        [b"c 644 - 8:1:2 a"],
        [b"c 644 - -1:2 a"],
        [b"d 755 - -"],
        [b"d 755 - - "],
        [b"d 755 - - /a"],
        [b"d 755 - - a/"],
        [b"d 755 - - ."],
        [b"d 755 - - .."],
        [b"d 755 - - a", b"d 755 - - a/.."],
        [b"d 755 - - a", b"d 755 - - a//b"],
        [b"d 755 - - a\0b"],
        [b"d 755 - - " + b"a" * 65_537],
        [LONG, LONG],
        [b"d 755 - - b", LONG],
        [b"d 755 - - a/b"],
        [LONG, b"d 755 - - a/b"],
        [b"d\xff 755 - - a"],
        [b""],
    ],
)  # fmt: skip
def test_what_is_no_list_is_refused(lines: list[bytes]) -> None:
    with pytest.raises(RecordError):
        Manifest.from_lines(lines)
    document = Document(digest_of(lines), "tree-v1:" + ZERO, len(lines), tuple(lines))
    with pytest.raises(RecordError):
        load(document.digest, by_key([document.to_bytes()]))


@pytest.mark.parametrize(
    "line",
    [b"b 660 - 8:1f a", b"c 0 - 0:0 \xff\n", b"s 7777 - - a b  c", b"d 1777 - - \xe2\x80\xae"],
)
def test_odd_lines_that_are_good(line: bytes) -> None:
    found = parse_line(line)
    assert found is not None and Manifest((found,)).lines == (line,)


def changed_tree(tree: Tree) -> Tree:
    """One file less, one more, one with another content, one with another mode."""
    by_path = {e.path: e for e in tree.entries}
    del by_path[b"d/00003"]
    by_path[b"d/new\xff"] = entry(b"d/new\xff")
    by_path[b"d/00004"] = entry(b"d/00004", "f" * 64)
    by_path[b"d/00005"] = entry(b"d/00005", by_path[b"d/00005"].value, 0o600)
    return make_tree(by_path.values(), 0)


def test_a_list_told_against_another() -> None:
    first, second = tree_of(100), changed_tree(tree_of(100))
    one, two = Manifest(first.entries), Manifest(second.entries)
    document = store(two, one.lines, 7)
    assert document.base == one.digest and document.removed == (b"d/00003",)
    assert len(document.lines) == 3 and document.spent == 7 + 4
    data = [store(one).to_bytes(), document.to_bytes()]
    assert problems("sifprov.files/1", loads(data[1])) == []
    assert [key_of(d) for d in data] == [(one.digest, None), (two.digest, one.digest)]
    assert load(two.digest, by_key(data)) == two
    assert two.tree_digest == second.digest
    with pytest.raises(RecordError, match=f"the list of files {one.digest} is missing"):
        load(two.digest, by_key(data[1:]))


def test_whole_when_the_differences_would_be_larger() -> None:
    one, two = Manifest(tree_of(100).entries), Manifest(changed_tree(tree_of(100)).entries)
    lines = len(two.entries)
    assert store(two, one.lines, lines - 4).base == one.digest
    assert store(two, one.lines, lines - 3).base is None
    assert store(Manifest(tree_of(100).entries), one.lines).lines == ()  # the same again


def test_a_list_against_one_that_is_none_of_its_own_is_refused() -> None:
    one, two = Manifest(tree_of(30).entries), Manifest(changed_tree(tree_of(30)).entries)
    three = Manifest(tree_of(31).entries)
    good = store(two, one.lines)
    chain = store(three, two.lines)
    documents = [store(one).to_bytes(), good.to_bytes(), chain.to_bytes()]
    with pytest.raises(RecordError, match="base: is no whole list"):
        load(three.digest, by_key(documents))
    with pytest.raises(RecordError, match="is not that of the list"):
        good.manifest(three.lines)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("digest", "sha256:" + "1" * 64),
        ("tree", "tree-v1:" + "1" * 64),
        ("tree", "image-v1:" + "1" * 64),
        ("count", 30),
        ("count", 200_001),
        ("lines", []),
        ("removed", ["d/00001", "d/00001"]),
        ("removed", ["nowhere"]),
        ("removed", []),
        ("spent", -1),
        ("base", None),
        ("base", "tree-v1:" + "1" * 64),
        ("schema", "sifprov.files/2"),
        ("more", 1),
    ],
)
def test_a_changed_document_is_refused(field: str, value: Json) -> None:
    one, two = Manifest(tree_of(30).entries), Manifest(changed_tree(tree_of(30)).entries)
    document = loads(store(two, one.lines).to_bytes())
    assert isinstance(document, dict)
    broken = dumps({**document, field: value})
    with pytest.raises(RecordError):
        Document.from_bytes(broken).manifest(one.lines)


def test_of_two_with_one_digest_the_whole_one_is_taken() -> None:
    one, two = Manifest(tree_of(30).entries), Manifest(changed_tree(tree_of(30)).entries)
    whole, delta = store(two).to_bytes(), store(two, one.lines).to_bytes()
    for documents in ([whole, delta], [delta, whole]):
        assert by_key(documents) == {two.digest: whole}


def test_other_documents_are_no_lists() -> None:
    assert by_key([b"", b"{}", b'{"base":', b'{"base":,"schema":"sifprov.files/1",']) == {}


def test_the_mode_is_told_apart_from_the_content() -> None:
    """The tree digest leaves it out, and so does the verdict."""
    one, two = make_tree([entry(b"a")], 0), make_tree([entry(b"a", mode=0o600)], 0)
    assert one.digest == two.digest
    (verdict,) = compare(one, two)
    assert (verdict.verdict, verdict.mode_differs) == (SAME, True)
    (verdict,) = compare(one, make_tree([Entry(b"a", "f", 3, ZERO)], 0))
    assert (verdict.verdict, verdict.mode_differs) == (SAME, False)
    (verdict,) = compare(one, make_tree([entry(b"a", mode=0o755)], 0))
    assert (verdict.verdict, verdict.mode_differs) == (DIFFERS, True)


def test_many_runs_that_add_a_file_store_little() -> None:
    """1,000 runs that each add one file to 1,000 store about sqrt(2 N) lines a run, and any list is
    read from two documents."""
    held: dict[str, bytes] = {}
    total, whole = 0, 0
    tree, newest, base, spent = tree_of(1000), "", None, 0
    for number in range(200):
        manifest = Manifest(tree.entries)
        document = store(manifest, base, spent)
        spent = document.spent
        if document.base is None:
            base, whole = manifest.lines, whole + 1
        total += len(document.lines)
        held[document.digest] = document.to_bytes()
        newest = document.digest
        tree = make_tree([*tree.entries, entry(b"d/new-%04d" % number)], 0)
    assert total / 200 < 1.1 * (2 * 1100) ** 0.5
    assert whole == pytest.approx(200 / 1100**0.5 / 2**0.5, abs=2)
    assert len(load(newest, held).entries) == 1001 + 199


@pytest.mark.parametrize("count", [0, 1, 5000])
def test_what_plain_names_take_is_known_without_writing_it(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a large tree would be written twice at the end of each run."""
    tree = tree_of(count)
    size = len(store(Manifest(tree.entries)).to_bytes())
    monkeypatch.setattr(files_module, "MAX_DOCUMENT", size + 1024)
    monkeypatch.setattr(files_module, "INLINE_ENTRIES", 0)
    monkeypatch.setattr(files_module, "store", lambda manifest: pytest.fail("it was written"))
    assert describe(tree)[1] is not None


def test_a_document_under_another_ones_digest_is_refused() -> None:
    one, two = Manifest(tree_of(30).entries), Manifest(tree_of(31).entries)
    with pytest.raises(RecordError, match=f"digest: is not {two.digest}"):
        load(two.digest, {two.digest: store(one).to_bytes()})


def test_a_document_removes_what_was_there_alone() -> None:
    one, two = Manifest(tree_of(100).entries), Manifest(changed_tree(tree_of(100)).entries)
    document = store(two, one.lines)
    for removed in (b"nowhere", b"d/00003"):
        more = replace(document, removed=(*document.removed, removed))
        with pytest.raises(RecordError, match=r"removed\[1\]: was not there"):
            more.manifest(one.lines)
    with pytest.raises(RecordError, match="removed: without a base"):
        Document.from_bytes(replace(store(one), removed=(b"d/00003",)).to_bytes())


def test_a_file_whose_digest_is_known_has_its_bits_too(tmp_path: Path) -> None:
    class Known:
        def find(self, state: FileState) -> str | None:
            return "f" * 64

        def keep(self, state: FileState, value: str) -> None:
            raise AssertionError("it was read")

    (tmp_path / "a").write_text("x")
    (tmp_path / "a").chmod(0o4750)
    (found,) = scan_folder(str(tmp_path), Deadline(), Known()).entries
    assert found == Entry(b"a", "x", 1, "f" * 64, 0o4750)


def test_paths_that_are_gone_may_be_longer_than_all_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the list is stored whole, for no document is larger than one may be."""
    gone = [entry(b"%02d" % n + b"n" * 250) for n in range(40)]
    before = Manifest(tree_of(60, *gone).entries)
    after = tree_of(60)
    files, manifest = describe(after)
    assert manifest and files.digest
    path = make_sif(tmp_path / "out.sif", descriptors=20)
    whole = store(manifest).to_bytes()
    record = run_record()
    it = record.containers[-1]
    for tree, beside in ((before.tree, store(before).to_bytes()), (after, None)):
        named = replace(it, digest=tree.digest, files=describe(tree)[0])
        record = replace(record, containers=(*record.containers[:-1], named))
        if beside:
            append_record(
                str(path), lambda _, p: replace(record, previous=p), now=NOW,  # noqa: B023
                lineage=Lineage({}).beside([beside]),
            )  # fmt: skip
    lists = {files.digest: manifest}
    place = Place(CONTAINER, str(path))
    (data,) = new_documents(place, record, lists)
    assert Document.from_bytes(data).base == before.digest
    monkeypatch.setattr(filestore, "MAX_DOCUMENT", len(whole))
    assert new_documents(place, record, lists) == (whole,)
