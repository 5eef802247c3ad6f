"""Makes the file system of a new data container, in its place in the file that becomes the SIF."""

from __future__ import annotations

from sifprov.frozen import dataclass


class BuildError(Exception):
    """What a program that makes a file system said when it failed."""


@dataclass(frozen=True)
class Content:
    """What is to stand in a partition.

    The files of the folder `source` (None: none) under the folder `mount` (`/`: the source is the
    root itself), all of them owned by `owner` (user, group). With `timestamp`, in seconds since
    1970, the bytes depend on the files and on these fields alone. Sizes in bytes: `free` stays free
    for what runs write, `least` is the least size of the partition, `inodes` the least number of
    files and folders that it has room for; `block_size` None leaves the choice to the builder.
    """

    mount: str
    source: str | None
    owner: tuple[int, int]
    timestamp: int | None = None
    free: int = 0
    least: int = 0
    block_size: int | None = None
    inodes: int = 0

    @property
    def folders(self) -> list[str]:
        """The components of the mount point."""
        return [name for name in self.mount.split("/") if name]
