"""Opens a data partition, whatever file system it has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyext2fs import Ext2fsError, ToolMissing
from sifprov.errors import FileError, MissingError
from sifprov.filesystem import CorruptImageError, FileSystem
from sifprov.sif import FsType, Partition, find_partition, open_image


@contextmanager
def open_filesystem(path: str, partition: Partition) -> Iterator[FileSystem]:
    """Opens the data `partition` of the SIF at `path`.

    Whatever goes wrong with the image inside the `with` is raised as FileError, naming the
    file. Raises MissingError when a program or library that reading it needs is not there.
    """
    # Imported here: each implementation costs only whom it serves.
    try:
        if partition.fs == FsType.EXT3:
            from sifprov.filesystem.ext3 import Ext3

            with Ext3(path, partition) as ext3:
                yield ext3
        elif partition.fs == FsType.SQUASHFS:
            from sifprov.filesystem.squashfs import Squashfs

            with Squashfs(path, partition) as squashfs:
                yield squashfs
        else:
            kind = _name(partition.fs)
            raise FileError(f"{path}: its data partition is {kind}, not ext3 or squashfs")
    except ToolMissing as error:
        raise MissingError(str(error)) from error
    except Ext2fsError as error:
        raise FileError(f"{path}: {error}") from error
    except CorruptImageError as error:
        raise FileError(f"{path}: {error}") from error


def _name(fs: int) -> str:
    try:
        return FsType(fs).name.lower().replace("_", " ")
    except ValueError:
        return f"of the unknown kind {fs}"


@contextmanager
def open_container(path: str) -> Iterator[tuple[Partition, FileSystem]]:
    """Opens the data partition of the data container at `path`. Raises as `open_filesystem`."""
    with open_image(path) as (_, image):
        partition = find_partition(image)
        if partition is None:
            what = "an application container" if image.is_application else "a SIF"
            raise FileError(
                f"{path}: {what} without a data partition",
                hint="give a container made by 'sifprov data create'",
            )
    with open_filesystem(path, partition) as fs:
        yield partition, fs
