"""A container that took part in a run, as a record names it."""

from __future__ import annotations

from uuid import UUID

from sifprov.errors import RecordError
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json, text_to_json
from sifprov.model.files import Files
from sifprov.model.reader import Reader

INPUT, OUTPUT, APPLICATION = "input", "output", "application"

# What a reader must know of a container's content before relying on it.
PROVISIONAL = "provisional"  # a process of the run was still writing
CHANGED_OUTSIDE = "changed-outside"  # since its newest record, by no recorded run
FOLDER = "folder"  # no container: a plain folder of the host
SOURCE_LINK = "image-src-link"  # the bound folder is reached through a symbolic link
SOURCE_OUTSIDE = "image-src-outside"  # the link leads out of the container
MARKS = (CHANGED_OUTSIDE, FOLDER, SOURCE_LINK, SOURCE_OUTSIDE, PROVISIONAL)


@dataclass(frozen=True)
class Container:
    """One container that took part in a run, as it was then.

    `created` and `modified` are the SIF header's (UTC); `mount` is where the runtime bound it in
    the application's file system and `source` the folder of the container that stood there.
    `digest` is the content's, None for the `reason` given. `record` is the record digest of the
    newest record that it carried. `marks` (of MARKS) say what is special about its content; `files`
    lists it, where no record that it carried does.
    """

    role: str
    name: str
    path: str
    uuid: UUID | None
    created: str | None
    modified: str | None
    mount: str | None
    source: str | None
    writable: bool
    read_only_added: bool
    digest: str | None
    reason: str | None
    record: str | None
    marks: tuple[str, ...] = ()
    files: Files | None = None

    def to_json(self) -> Json:
        """Returns the JSON object of this container."""
        more: dict[str, Json] = {"marks": list(self.marks)} if self.marks else {}
        if self.files:
            more["files"] = self.files.to_json()
        return {
            **more,
            "created": self.created,
            "digest": self.digest,
            "modified": self.modified,
            "mount": maybe_text(self.mount),
            "name": text_to_json(self.name),
            "path": text_to_json(self.path),
            "read_only_added": self.read_only_added,
            "reason": maybe_text(self.reason),
            "record": self.record,
            "role": self.role,
            "source": maybe_text(self.source),
            "uuid": str(self.uuid) if self.uuid else None,
            "writable": self.writable,
        }

    @classmethod
    def from_json(cls, value: Json, path: str) -> Container:
        """Reads a container. Raises RecordError."""
        r = Reader(value, path)
        found = cls(
            role=r.word("role", INPUT, OUTPUT, APPLICATION),
            name=r.text("name"),
            path=r.text("path"),
            uuid=r.optional("uuid", r.uuid),
            created=r.optional("created", r.time),
            modified=r.optional("modified", r.time),
            mount=r.optional("mount", r.text),
            source=r.optional("source", r.text),
            writable=r.flag("writable"),
            read_only_added=r.flag("read_only_added"),
            digest=r.optional("digest", r.digest),
            reason=r.optional("reason", r.text),
            record=r.optional("record", r.digest),
            marks=r.items("marks", _mark) if r.has("marks") else (),
            files=Files.from_json(r.json("files"), r.path("files")) if r.has("files") else None,
        )
        if r.has("marks") and (not found.marks or len(set(found.marks)) < len(found.marks)):
            raise RecordError(r.path("marks"), "empty, or a mark stands twice")
        r.end()
        return found


def maybe_text(value: str | None) -> Json:
    """Returns the JSON of a text that may be missing."""
    return None if value is None else text_to_json(value)


def _mark(value: Json, path: str) -> str:
    if not isinstance(value, str) or value not in MARKS:
        raise RecordError(path, "not one of " + ", ".join(MARKS))
    return value
