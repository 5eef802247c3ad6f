"""Finds the containers that records name, wherever they are: by content digest, then by UUID.

A record's path, a file's name, its UUID and what its own records say are only reasons to read its
content; the content alone proves that it is the container that took part.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from uuid import UUID

from sifprov.content import Tree
from sifprov.errors import FileError, MissingError
from sifprov.frozen import dataclass
from sifprov.identity import Identity
from sifprov.model.container import APPLICATION, Container
from sifprov.places import Place, Places, Sif
from sifprov.replay.contents import Content, Contents
from sifprov.replay.steps import (
    BESIDE,
    BY_DIGEST,
    BY_NAME,
    BY_UUID,
    ENVIRONMENT,
    GIVEN,
    RECORDED_PATH,
    SEARCHED,
    Found,
)

VARIABLE = "SIFPROV_PATH"
_MAX_PASSED = 10


@dataclass(frozen=True)
class _Candidate:
    """A file that may be the container that is wanted: it has its UUID (`is_it`), or its name, or
    seems to have its content."""

    where: str
    identity: Identity
    is_it: bool
    named: bool

    @property
    def path(self) -> str:
        return self.identity.path


class Finder:
    """Knows the places of one replay: the recorded path, the folder of `original`, the folders
    `search` and those of SIFPROV_PATH. What was read once is not read again."""

    def __init__(
        self,
        original: str,
        search: Sequence[str] = (),
        on_step: Callable[[str], None] = lambda text: None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Raises MissingError for a folder of `search` that is not there."""
        for folder in search:
            if not os.path.isdir(folder):
                raise MissingError(f"{folder}: no such folder", hint="see --search")
        environ = os.environ if environ is None else environ
        more = [f for f in environ.get(VARIABLE, "").split(":") if f]
        self._beside = os.path.dirname(os.path.abspath(original))
        self._places = Places(
            [
                Place(self._beside, False, BESIDE),
                *(Place(os.path.abspath(f), True, SEARCHED) for f in search),
                *(Place(os.path.abspath(f), True, ENVIRONMENT) for f in more),
            ],
            on_step,
        )
        self._original, self._on_step = original, on_step
        self._contents = Contents(environ, on_step)
        self._known: dict[Container, Found] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be looked through so far, for the user to know."""
        return tuple(self._places.notes)

    def searched(self, uuid: UUID) -> Iterator[str]:
        """Yields the paths of the files with this UUID below the folders of `search`."""
        return self._places.with_uuid(uuid, BESIDE, SEARCHED)

    def find(self, container: Container, *, role: str) -> Found:
        """Returns the file that is this container now.

        The first, in the order of the places, whose content has the recorded digest; else the first
        with its UUID, and then `changed` says so where a digest was recorded. Raises MissingError:
        one line about this container.
        """
        if container not in self._known:
            self._known[container] = self._find(container, role)
        return self._known[container]

    def by_digest(self, container: Container, *, role: str) -> Found | None:
        """Returns a file that has `container.digest` now, whatever its UUID; None for none. The
        name and UUID only say where to look first."""
        return self._search(container, role)[0] if container.digest else None

    def given(self, container: Container, path: str, *, role: str) -> Found:
        """Returns what the user names to be used as this container; `changed` says how its content
        is not the recorded one. Raises FileError, MissingError where it can be no such container.
        """
        if not os.path.lexists(path):
            raise MissingError(f"{path}: no such file")
        identity = self._contents.identify(path)
        if role == APPLICATION and identity.uuid is None and _is_plain(path):
            # The runtimes run folders and plain images too.
            return Found(container, path, GIVEN, GIVEN)
        if not _has_content(identity, role):
            what = "system" if role == APPLICATION else "data"
            raise FileError(f"{path}: {identity.reason or f'it has no {what} partition'}")
        content = self._contents.read(identity, role)
        if content.error:
            raise FileError(content.error)
        changed = _difference(path, content, container)
        return Found(container, path, GIVEN, GIVEN, content.tree, content.digest, changed)

    def layout_of(self, container: Container) -> str | None:
        """Returns the path of the file with this container's UUID, whatever its content now."""
        if container.uuid is None:
            return None
        for path in (self._original, container.path):
            if self._contents.identify(path).uuid == container.uuid:
                return path
        return next(self._places.with_uuid(container.uuid), None)

    def tree_of(self, path: str) -> Tree | None:
        """Returns the files of the data container at `path` as they are now; None where they cannot
        be read."""
        return self._contents.tree_of(path)

    def _find(self, container: Container, role: str) -> Found:
        self._on_step(f"looking for {container.name}")
        found, doubtful, passed = self._search(container, role)
        if found:
            return found
        errors = []
        for candidate in doubtful:
            content = self._contents.read(candidate.identity, role)
            if content.error:
                errors.append(content.error)
                continue
            others = tuple(p for p in passed if not p.startswith(f"{candidate.path}: "))
            return _found(container, candidate, content, others)
        if container.uuid is None and container.digest is None:
            for where, path in self._by_name(container):
                return Found(container, path, BY_NAME, where, moved=_moved(container, path))
        who = f"{container.role} container {container.name} ({container.uuid or 'no SIF'})"
        if errors:
            raise MissingError(f"{who} cannot be read: {errors[0]}")
        also = f"; {passed[0]}" if passed else ""
        raise MissingError(f"{who} is not found{also}")

    def _search(
        self, container: Container, role: str
    ) -> tuple[Found | None, list[_Candidate], tuple[str, ...]]:
        """Returns the file that is proved to be the container, else those with its UUID; and lines
        about the files that have its name or UUID and are something else."""
        doubtful: list[_Candidate] = []
        passed: list[str] = []
        for candidate in self._candidates(container, role):
            if container.digest is None:
                if candidate.is_it:
                    return _found(container, candidate, Content(), tuple(passed)), [], ()
                continue
            # What says itself that it holds something else is not read for nothing.
            told = self._contents.says(candidate.identity, role)
            content = Content()
            if told in (None, container.digest):
                content = self._contents.read(candidate.identity, role)
                if content.digest == container.digest:
                    return _found(container, candidate, content, tuple(passed)), [], ()
                self._contents.forget_tree(candidate.identity, role)
            if candidate.is_it:
                doubtful.append(candidate)
            if len(passed) < _MAX_PASSED and (candidate.is_it or candidate.named):
                passed.append(_passed(candidate, content))
        return None, doubtful, tuple(passed)

    def _candidates(self, container: Container, role: str) -> Iterator[_Candidate]:
        """Yields the files whose content may be worth to be read, by place; in each those with the
        right UUID or name first. None comes twice."""
        first = self._candidate(RECORDED_PATH, container.path, container, role)
        if first:
            yield first
        known = _file_of(container.path)
        for place, sifs in self._places:
            sifs = tuple(sif for sif in sifs if _file_of(sif.path) != known)
            for sif in (s for s in sifs if _fits(s, container)):
                found = self._candidate(place.label, sif.path, container, role)
                if found:
                    yield found
            # Of all others the records have to be read.
            for sif in (s for s in sifs if container.digest and not _fits(s, container)):
                self._on_step(f"looking for {container.name}: what {sif.name} says of itself")
                found = self._candidate(place.label, sif.path, container, role)
                if found and self._claims(found.identity, role, container.digest):
                    yield found

    def _candidate(
        self, where: str, path: str, container: Container, role: str
    ) -> _Candidate | None:
        identity = self._contents.identify(path)
        if identity.uuid is None or not _has_content(identity, role):
            return None
        is_it = identity.uuid == container.uuid
        return _Candidate(where, identity, is_it, identity.name == container.name)

    def _claims(self, identity: Identity, role: str, digest: str | None) -> bool:
        """Whether a file has the wanted content by its own newest record, or by the cache."""
        told = self._contents.says(identity, role)
        return digest in (told, self._contents.remembered(identity, role))

    def _by_name(self, container: Container) -> Iterator[tuple[str, str]]:
        """What is no SIF, as the recorded one was none."""
        beside = os.path.join(self._beside, os.path.basename(container.name))
        for where, path in ((RECORDED_PATH, container.path), (BESIDE, beside)):
            if os.path.basename(path) not in ("", ".", "..") and _is_plain(path):
                yield where, path


def _is_plain(path: str) -> bool:
    """Whether something is there that may be run without being a SIF."""
    return os.path.isfile(path) or os.path.isdir(path)


def _fits(sif: Sif, container: Container) -> bool:
    return sif.uuid == container.uuid or sif.name == container.name


def _has_content(identity: Identity, role: str) -> bool:
    return bool(identity.system) if role == APPLICATION else identity.partition is not None


def _file_of(path: str) -> tuple[int, int] | str:
    """What is the same for two names of a file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return path
    return status.st_dev, status.st_ino


def _found(
    container: Container, candidate: _Candidate, content: Content, passed: tuple[str, ...]
) -> Found:
    path = candidate.path
    proved = content.digest is not None and content.digest == container.digest
    return Found(
        container,
        path,
        BY_DIGEST if proved else BY_UUID,
        candidate.where,
        content.tree,
        content.digest,
        _difference(path, content, container),
        _moved(container, path),
        passed,
    )


def _difference(path: str, content: Content, container: Container) -> str | None:
    if content.digest is None or container.digest in (None, content.digest):
        return None
    return f"{path}: its content is {content.digest}, not the recorded {container.digest}"


def _moved(container: Container, path: str) -> str | None:
    """Says what is at the recorded path, when `path` is another one."""
    if _file_of(path) == _file_of(container.path):
        return None
    now = "is something else now" if os.path.lexists(container.path) else "is not there"
    return f"it was {container.path}, which {now}"


def _passed(candidate: _Candidate, content: Content) -> str:
    path = candidate.path
    if content.error:
        return f"{path}: cannot be read: {content.error.removeprefix(f'{path}: ')}"
    what = "is this container with other content" if candidate.is_it else "is another container"
    return f"{path}: {what}"
