"""What files hold now, read once for a whole replay, and from the cache of digests where nobody can
have changed it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from sifprov.changes import stated_in
from sifprov.content import Deadline, Tree, image_digest
from sifprov.digestcache import DigestCache
from sifprov.errors import FileError, SifprovError
from sifprov.frozen import dataclass, replace
from sifprov.identity import Identity, identify
from sifprov.model.container import APPLICATION, OUTPUT
from sifprov.partition import scan_partition
from sifprov.settings import load_or_default
from sifprov.sif import open_image


def digest_now(identity: Identity, role: str) -> tuple[Tree | None, str]:
    """Returns a container's content digest as it is now (with its tree, of data). Raises
    SifprovError."""
    if role == APPLICATION:
        with open_image(identity.path) as (file, _):
            return None, image_digest(file, identity.system, Deadline())
    if identity.partition is None:
        raise FileError(f"{identity.path}: {identity.reason or 'no data partition'}")
    tree = scan_partition(identity.path, identity.partition, Deadline())
    return tree, tree.digest


@dataclass(frozen=True)
class Content:
    """What a file holds now, as far as it was read, or why it cannot be read."""

    tree: Tree | None = None
    digest: str | None = None
    error: str | None = None


class Contents:
    """Knows identity and content of files by their paths."""

    def __init__(self, environ: Mapping[str, str], on_step: Callable[[str], None]) -> None:
        self._on_step = on_step
        self._cache = DigestCache(load_or_default(environ), environ)
        self._identities: dict[str, Identity] = {}
        self._known: dict[tuple[str, bool], Content] = {}
        self._told: dict[str, str | None] = {}

    def identify(self, path: str) -> Identity:
        """Returns the identity of what is at `path`."""
        if path not in self._identities:
            self._identities[path] = identify(path)
        return self._identities[path]

    def read(self, identity: Identity, role: str) -> Content:
        """Returns what the container holds. Raises nothing."""
        key = identity.path, role == APPLICATION
        if key not in self._known:
            self._on_step(f"reading {identity.name}")
            try:
                self._known[key] = self._read(identity, role)
            except (SifprovError, OSError) as error:
                self._known[key] = Content(error=str(error))
        return self._known[key]

    def forget_tree(self, identity: Identity, role: str) -> None:
        """Drops the list of files of what is of no use: a hundred of them are large."""
        key = identity.path, role == APPLICATION
        if key in self._known:
            self._known[key] = replace(self._known[key], tree=None)

    def tree_of(self, path: str) -> Tree | None:
        """Returns the files of the data container at `path`; None where they cannot be read."""
        identity = self.identify(path)
        content = self.read(identity, OUTPUT)
        if content.digest and content.tree is None:
            del self._known[path, False]
            content = self.read(identity, OUTPUT)
        return content.tree

    def says(self, identity: Identity, role: str) -> str | None:
        """Returns what a data container holds by its newest record; None where that is not sure."""
        if role == APPLICATION or identity.record is None:
            return None
        if identity.path not in self._told:
            self._told[identity.path] = None
            with suppress(SifprovError):
                told = stated_in(identity)
                if told and not told.provisional:
                    self._told[identity.path] = told.digest
        return self._told[identity.path]

    def remembered(self, identity: Identity, role: str) -> str | None:
        """Returns what the cache of digests knows of a file."""
        what = identity.system if role == APPLICATION else identity.partition
        return self._cache.known(identity.path, what) if what else None

    def _read(self, identity: Identity, role: str) -> Content:
        path, partition = identity.path, identity.partition
        if role == APPLICATION:
            digest = self._cache.image(path, identity.system, Deadline())
            self._cache.save()
            return Content(digest=digest)
        # Nothing is remembered of what runs write into.
        if role == OUTPUT or partition is None:
            tree, digest = digest_now(identity, role)
            return Content(tree, digest)
        content = self._cache.tree(path, partition, Deadline())
        self._cache.save()
        return Content(content if isinstance(content, Tree) else None, content.digest)
