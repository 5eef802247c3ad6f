"""A crate as files: a folder, or a ZIP archive with the same bytes for the same trail."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import BinaryIO

from sifprov.errors import FileError
from sifprov.export.crate.containers import InCrate
from sifprov.export.crate.document import Contents, crate_of
from sifprov.export.crate.workflows import SCRIPT
from sifprov.frozen import dataclass
from sifprov.identity import identify
from sifprov.model.graph import FOLDER, FOUND, Entity, Graph
from sifprov.newfile import new_file, sync, sync_folder
from sifprov.survivors import is_locked, writers

METADATA = "ro-crate-metadata.json"
FOLDER_OF_DATA = "containers"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NAME = 100
_CHUNK = 1 << 20
# No clock: what ZIP can say at the earliest.
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Wanted:
    """What a crate is to be: its licence, whether the containers' files are copied into it, and the
    script that stands for a workflow."""

    licence: str
    with_data: bool
    script: str


Step = Callable[[str], None]


def metadata(graph: Graph, wanted: Wanted) -> str:
    """Returns the metadata file of a crate without files. Raises ImportError without the library
    `rocrate`."""
    sizes = {key: InCrate("", size, None) for key, (_, size) in at_hand(graph).items()}
    return crate_of(graph, Contents(sizes, _digest(wanted.script)), wanted.licence)[0]


def write(graph: Graph, wanted: Wanted, path: str, step: Step = lambda text: None) -> None:
    """Writes the crate of a trail: into a new folder at `path`, or into a new file where that ends
    with `.zip`. Never replaces anything. Raises FileError; ImportError as `metadata`."""
    target = os.path.abspath(path)
    if os.path.lexists(target):
        raise FileError(f"{path}: exists already", hint="choose another name, or remove it first")
    try:
        if path.endswith(".zip"):
            with new_file(target) as temporary, open(temporary, "wb") as file:
                _zip(file, graph, wanted, step)
        else:
            _folder(target, graph, wanted, step)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from error


def _folder(target: str, graph: Graph, wanted: Wanted, step: Step) -> None:
    name = f".sifprov-crate-{os.urandom(8).hex()}"
    scratch = os.path.join(os.path.dirname(target), name)
    os.mkdir(scratch)
    try:

        def put(name: str, source: BinaryIO) -> tuple[int, str]:
            place = os.path.join(scratch, name)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "xb") as file:
                told = _copy(source, file)
            sync(place)
            return told

        def say(name: str, text: str) -> None:
            place = os.path.join(scratch, name)
            with open(place, "xb") as file:
                file.write(_bytes(text))
            sync(place)

        _fill(graph, wanted, step, put, say)
        os.rename(scratch, target)
        sync_folder(target)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _zip(file: BinaryIO, graph: Graph, wanted: Wanted, step: Step) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:

        def put(name: str, source: BinaryIO) -> tuple[int, str]:
            with archive.open(_member(name), "w", force_zip64=True) as inside:
                return _copy(source, inside)  # type: ignore[arg-type]

        def say(name: str, text: str) -> None:
            archive.writestr(_member(name), _bytes(text))

        _fill(graph, wanted, step, put, say)


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o100644 << 16
    return info


def _fill(
    graph: Graph,
    wanted: Wanted,
    step: Step,
    put: Callable[[str, BinaryIO], tuple[int, str]],
    say: Callable[[str, str], None],
) -> None:
    """Puts all files of a crate into it; its metadata, which tells of them, last."""
    files: dict[str, InCrate] = {}
    names = paths(graph.entities[key] for key in at_hand(graph))
    for key, (place, size) in at_hand(graph).items():
        if not wanted.with_data:
            files[key] = InCrate("", size, None)
            continue
        step(f"copying {os.path.basename(place)}")
        _check_unused(place)
        try:
            with open(place, "rb") as source:
                files[key] = InCrate(names[key], *put(names[key], source))
        except OSError as error:
            raise FileError(f"{place}: {error.strerror or error}") from error
    text, has_workflow = crate_of(graph, Contents(files, _digest(wanted.script)), wanted.licence)
    if has_workflow:
        say(SCRIPT, wanted.script)
    say(METADATA, text)


def _check_unused(path: str) -> None:
    """Raises FileError for a container that a run can write into: a copy would be half old, half
    new."""
    partition = identify(path).partition
    if partition is None:
        return
    with suppress(OSError):
        used = is_locked(path, partition.offset, partition.size)
        if used or writers(path, partition.offset):
            raise FileError(f"{path}: a run is using it", hint="export when the run has ended")


def at_hand(graph: Graph) -> Mapping[str, tuple[str, int]]:
    """Returns the path and size of the container's file of each entity that stands in one now:
    regular files only, and of a container's states the last one."""
    passed = {e.revision_of for e in graph.entities.values() if e.revision_of}
    found: dict[str, tuple[str, int]] = {}
    for key, entity in graph.entities.items():
        if entity.standing != FOUND or entity.kind == FOLDER or not entity.path or key in passed:
            continue
        if entity.problem is None and os.path.isfile(entity.path):
            found[key] = (entity.path, os.stat(entity.path).st_size)
    return found


def paths(entities: Iterable[Entity]) -> dict[str, str]:
    """Returns where in the crate each container goes: below one folder, under a name of letters,
    digits and `._-` that says what it was called."""
    taken: set[str] = set()
    found: dict[str, str] = {}
    for entity in entities:
        stem, suffix = os.path.splitext(_UNSAFE.sub("_", entity.name).strip(".")[-_MAX_NAME:])
        stem = stem or "container"
        name, count = f"{stem}{suffix}", 1
        while name.lower() in taken:
            count += 1
            name = f"{stem}-{count}{suffix}"
        taken.add(name.lower())
        found[entity.key] = f"{FOLDER_OF_DATA}/{name}"
    return found


def _copy(source: BinaryIO, target: BinaryIO) -> tuple[int, str]:
    """Copies a file; returns its size and SHA-256."""
    hasher, size = hashlib.sha256(), 0
    while data := source.read(_CHUNK):
        hasher.update(data)
        size += len(data)
        target.write(data)
    return size, hasher.hexdigest()


def _digest(script: str) -> str:
    return "sha256:" + hashlib.sha256(_bytes(script)).hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
