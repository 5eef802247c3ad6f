"""What a record says of the files of a tree, and the document that holds a long list of them. See
docs/formats.md. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sifprov.errors import RecordError
from sifprov.frozen import dataclass
from sifprov.listing import Tree
from sifprov.model.canonical import Json, dumps, loads, text_from_json, text_to_json
from sifprov.model.manifest import Manifest, digest_of, path_of
from sifprov.model.reader import Reader

SCHEMA = "sifprov.files/1"
# What stands in the record itself: no more than the record's other fields take.
INLINE_ENTRIES = 16
INLINE_BYTES = 2048
# What a manifest may hold, so that a hostile one cannot fill the memory.
MAX_ENTRIES = 200_000
MAX_DOCUMENT = 16 * 1024 * 1024
# JSON makes six bytes of a control character, and of what is plain one; beside that, a line has two
# quotes and a comma, and the document a few other fields.
_MAX_ESCAPE = 6
_PLAIN = bytes(c for c in range(0x20, 0x7F) if c not in b'"\\')
_HEAD = 1024


@dataclass(frozen=True)
class Files:
    """What a record says of the files of a tree: the lines of the manifest itself, or how many they
    are and the SHA-256 of all of them, or the reason why there are none."""

    lines: tuple[bytes, ...] | None = None
    count: int | None = None
    digest: str | None = None
    reason: str | None = None

    def to_json(self) -> Json:
        """Returns the JSON object."""
        if self.lines is not None:
            return {"lines": [_to_text(line) for line in self.lines]}
        if self.digest is not None:
            return {"count": self.count, "digest": self.digest}
        return {"reason": text_to_json(self.reason or "")}

    @classmethod
    def from_json(cls, value: Json, path: str) -> Files:
        """Reads what `to_json` returns; `manifest` reads the lines. Raises RecordError."""
        r = Reader(value, path)
        if r.has("lines"):
            found = cls(lines=r.items("lines", _from_text))
        elif r.has("digest"):
            count = r.integer("count", 0, MAX_ENTRIES)
            found = cls(count=count, digest=_sha256(r, "digest"))
        else:
            found = cls(reason=r.text("reason"))
        r.end()
        return found


def describe(tree: Tree) -> tuple[Files, Manifest | None]:
    """Returns what a record is to say of a tree's files, and the manifest where that is to stand
    beside it."""
    count = len(tree.entries)
    if count > MAX_ENTRIES:
        return Files(reason=f"{count} files, more than {MAX_ENTRIES}"), None
    manifest = Manifest(tree.entries)
    try:
        lines = manifest.lines
    except ValueError as error:
        return Files(reason=str(error)), None
    size = sum(map(len, lines)) + count
    if count <= INLINE_ENTRIES and size <= INLINE_BYTES:
        return Files(lines=lines), None
    at_most = size + _HEAD + 2 * count if _is_plain(lines) else size * _MAX_ESCAPE
    if size > MAX_DOCUMENT or (
        at_most > MAX_DOCUMENT and len(store(manifest).to_bytes()) > MAX_DOCUMENT
    ):
        return Files(reason=f"their list has more than {MAX_DOCUMENT} bytes"), None
    return Files(count=count, digest=digest_of(lines)), manifest


def _is_plain(lines: Iterable[bytes]) -> bool:
    return not b"".join(lines).translate(None, _PLAIN)


@dataclass(frozen=True)
class Document:
    """A manifest as it is stored: whole, or as what differs from the whole manifest `base`.

    `lines` are then those that are new, `removed` the paths that are gone. `spent` counts the
    lines and paths of all that were stored against this base up to this one: it tells a writer when
    a whole one is the better choice.
    """

    digest: str
    tree: str
    count: int
    lines: tuple[bytes, ...]
    base: str | None = None
    removed: tuple[bytes, ...] = ()
    spent: int = 0

    def to_bytes(self) -> bytes:
        """Returns the canonical bytes that are stored."""
        return dumps(
            {
                "base": self.base,
                "count": self.count,
                "digest": self.digest,
                "lines": [_to_text(line) for line in self.lines],
                "removed": [_to_text(path) for path in self.removed],
                "schema": SCHEMA,
                "spent": self.spent,
                "tree": self.tree,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Document:
        """Reads stored bytes. Raises RecordError. What they say is proved by `manifest`."""
        if len(data) > MAX_DOCUMENT:
            raise RecordError("", f"more than {MAX_DOCUMENT} bytes")
        r = Reader(loads(data), "")
        r.word("schema", SCHEMA)
        found = cls(
            digest=_sha256(r, "digest"),
            tree=r.digest("tree"),
            count=r.integer("count", 0, MAX_ENTRIES),
            lines=r.items("lines", _from_text),
            base=r.optional("base", lambda name: _sha256(r, name)),
            removed=r.items("removed", _from_text),
            spent=r.integer("spent", 0, 2**53),
        )
        r.end()
        if found.base is None and found.removed:
            raise RecordError("removed", "without a base")
        return found

    def whole(self, base: Iterable[bytes] = ()) -> list[bytes]:
        """Returns the lines of the whole list, told against those of `base`. Raises RecordError
        when they do not have the digest; what stands in them is not looked at."""
        lines = list(self.lines) if self.base is None else self._applied(base)
        if len(lines) != self.count or digest_of(lines) != self.digest:
            raise RecordError("digest", "is not that of the list of files")
        return lines

    def manifest(self, base: Iterable[bytes] = ()) -> Manifest:
        """Returns the manifest, told against the lines of `base`. Raises RecordError when it is not
        the one that `digest`, `tree` and `count` say."""
        found = Manifest.from_lines(self.whole(base))
        if found.tree_digest != self.tree:
            raise RecordError("tree", "is not that of the list of files")
        return found

    def _applied(self, base: Iterable[bytes]) -> list[bytes]:
        by_path = {path_of(line): line for line in base}
        for number, path in enumerate(self.removed):
            if by_path.pop(path, None) is None:
                raise RecordError(f"removed[{number}]", "was not there")
        by_path |= {path_of(line): line for line in self.lines}
        return [by_path[path] for path in sorted(by_path)]


def key_of(data: bytes) -> tuple[str, str | None] | None:
    """Returns the digest that a stored manifest says it has, and that of its base; None for what is
    no manifest. Only the canonical bytes are known, by their beginning and end."""
    if not data.startswith(b'{"base":') or b',"schema":"sifprov.files/1",' not in data[-256:]:
        return None
    words = data[:256].split(b'"')
    base = words[3] if words[2] == b":" else b""
    rest = words[5:] if base else words[3:]
    if len(rest) < 5 or rest[2] != b"digest":
        return None
    try:
        return rest[4].decode("ascii"), base.decode("ascii") or None
    except UnicodeDecodeError:
        return None


def by_key(documents: Iterable[bytes]) -> dict[str, bytes]:
    """Returns the manifests among `documents` by the digest that each says it has; of two with the
    same one, the one that needs no other."""
    found: dict[str, bytes] = {}
    for data in documents:
        key = key_of(data)
        if key and (key[1] is None or key[0] not in found):
            found[key[0]] = data
    return found


def load(digest: str, documents: Mapping[str, bytes]) -> Manifest:
    """Returns the manifest with this digest of `documents`, which are as `by_key` returns them.
    Raises RecordError where it, or the one that it is told against, is missing or broken."""
    document = _document(digest, documents)
    return document.manifest(load_whole(document.base, documents) if document.base else ())


def load_whole(digest: str, documents: Mapping[str, bytes]) -> list[bytes]:
    """Returns the lines of a manifest that is stored whole. Raises RecordError where it is missing,
    or others do not have that digest; what stands in them is not looked at."""
    document = _document(digest, documents)
    if document.base is not None:
        raise RecordError("base", "is no whole list of files")
    return document.whole()


def _document(digest: str, documents: Mapping[str, bytes]) -> Document:
    data = documents.get(digest)
    if data is None:
        raise RecordError("", f"the list of files {digest} is missing")
    document = Document.from_bytes(data)
    if document.digest != digest:
        raise RecordError("digest", f"is not {digest}")
    return document


def store(manifest: Manifest, base: Sequence[bytes] | None = None, spent: int = 0) -> Document:
    """Returns how a manifest is best stored: as what differs from another's lines `base`, against
    which `spent` lines were stored already, or whole.

    Whole when the differences together would be larger than that: so n runs that each add a file
    to N store about sqrt(2N) lines a run, and two documents are enough to read any of them.
    """
    lines = manifest.lines
    whole = Document(digest_of(lines), manifest.tree_digest, len(lines), lines)
    if base is None:
        return whole
    known, paths = frozenset(base), {e.path for e in manifest.entries}
    new = tuple(line for line in lines if line not in known)
    removed = tuple(path for path in map(path_of, base) if path not in paths)
    spent += len(new) + len(removed)
    if spent > len(lines):
        return whole
    return Document(whole.digest, whole.tree, whole.count, new, digest_of(base), removed, spent)


def _sha256(r: Reader, name: str) -> str:
    digest = r.digest(name)
    if not digest.startswith("sha256:"):
        raise RecordError(r.path(name), "not a SHA-256")
    return digest


def _to_text(data: bytes) -> Json:
    return text_to_json(data.decode("utf-8", "surrogateescape"))


def _from_text(value: Json, path: str) -> bytes:
    return text_from_json(value, path).encode("utf-8", "surrogateescape")
