"""A squashfs of the files of another file system, without unpacking them.

mksquashfs reads them from its standard input as a tar archive in GNU's format: modes, times,
devices, hard links and names of any bytes arrive there as they are, without root and without a
folder on the disk that somebody could reach meanwhile. An archive has no sockets.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress

from sifprov.errors import FileError, MissingError
from sifprov.filesystem import FileSystem, Node
from sifprov.terminal import size

_BLOCK = 512
_TYPES = {
    stat.S_IFREG: tarfile.REGTYPE, stat.S_IFDIR: tarfile.DIRTYPE, stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE, stat.S_IFBLK: tarfile.BLKTYPE, stat.S_IFCHR: tarfile.CHRTYPE,
}  # fmt: skip
_MAX_TIME = 2**32 - 1


def squash(fs: FileSystem, path: str, offset: int, on_step: Callable[[str], None]) -> int:
    """Writes a squashfs of everything in `fs` at `offset` of the file at `path`; what stands before
    it becomes zeros. All of it belongs to this process's user. Returns its size in bytes.

    The same files give the same bytes. Raises FileError, MissingError.
    """
    program = shutil.which("mksquashfs", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
    if program is None:
        raise MissingError("mksquashfs is not installed", hint="install squashfs-tools")
    root = fs.root
    argv = [
        program, "-", os.path.abspath(path), "-tar", "-offset", str(offset), "-noappend",
        "-no-recovery", "-no-progress", "-quiet", "-exit-on-error",
        "-root-mode", f"{root.mode & 0o1777:o}",
        "-force-uid", str(os.getuid()), "-force-gid", str(os.getgid()),
    ]  # fmt: skip
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            # The newest time: mksquashfs takes it for the present, which it gives the root.
            env={"LC_ALL": "C", "SOURCE_DATE_EPOCH": str(_newest(fs))},
            start_new_session=True,  # Ctrl-C is ours to handle
        )
        stream = process.stdin
        assert stream is not None  # noqa: S101 - for mypy
        try:
            for piece in archive(fs, on_step):
                stream.write(piece)
        except BrokenPipeError:
            pass  # it tells why below
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            with suppress(BrokenPipeError):
                stream.close()
        if process.wait() != 0:
            said.seek(0)
            text = said.read(4096).decode(errors="replace").strip().replace("\n", "; ")
            raise FileError(f"{path}: mksquashfs failed ({process.returncode}): {text}")
    return os.stat(path).st_size - offset


def _newest(fs: FileSystem) -> int:
    return max(_seconds(fs.root), *(_seconds(node) for node in fs.walk()), 0)


def _seconds(node: Node) -> int:
    """A time as squashfs can keep it: whole seconds, from 1970 to 2106."""
    return min(max(node.mtime_ns // 10**9, 0), _MAX_TIME)


def archive(fs: FileSystem, on_step: Callable[[str], None]) -> Iterator[bytes | memoryview]:
    """Yields a tar archive of everything below the root. Raises FileError for a socket."""
    first: dict[int, bytes] = {}
    total = 0
    for count, node in enumerate(fs.walk()):
        linked = first.get(node.ino) if node.is_file else None
        if node.is_file and node.links > 1:
            first.setdefault(node.ino, node.path)
        yield _header(fs, node, linked)
        if node.is_file and linked is None:
            for piece in fs.content(node):
                yield piece
                total += len(piece)
                if len(piece) == 1 << 20:
                    on_step(f"packing: {count} files, {size(total)}")
            yield bytes(-node.size % _BLOCK)
        if count % 256 == 0:
            on_step(f"packing: {count} files, {size(total)}")
    yield bytes(2 * _BLOCK)


def _header(fs: FileSystem, node: Node, linked: bytes | None) -> bytes:
    kind = _TYPES.get(stat.S_IFMT(node.mode))
    if kind is None:
        name = os.fsdecode(node.path)
        raise FileError(f"/{name} is a socket, which cannot be sealed", hint="remove it first")
    info = tarfile.TarInfo(os.fsdecode(node.path))
    info.type = tarfile.LNKTYPE if linked is not None else kind
    info.size = node.size if info.type == tarfile.REGTYPE else 0
    info.mode = node.mode & 0o7777
    info.mtime = _seconds(node)
    info.devmajor, info.devminor = os.major(node.rdev), os.minor(node.rdev)
    if linked is not None:
        info.linkname = os.fsdecode(linked)
    elif node.is_link:
        info.linkname = os.fsdecode(fs.readlink(node))
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
