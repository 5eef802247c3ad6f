"""`sifprov data ls`"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

import click

from sifprov.commands.place import ContainerPath
from sifprov.filelist import RecordedFiles, recorded_files
from sifprov.filesystem import FileSystem, Node
from sifprov.filesystem.opening import open_container
from sifprov.listing import Entry
from sifprov.model.canonical import Json, text_to_json
from sifprov.model.timestamp import from_ns
from sifprov.settings import metadata_place
from sifprov.terminal import printable, size

_TYPES = {
    stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link", stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket", stat.S_IFBLK: "block", stat.S_IFCHR: "character",
}  # fmt: skip


@click.command("ls")
@click.argument("container", metavar="OUT.sif", type=ContainerPath())
@click.argument("path", metavar="[PATH]", default="/")
@click.option("-l", "long", is_flag=True, help="Mode, owner, size and time of change too.")
@click.option("-R", "--recursive", is_flag=True, help="What is below the folders too.")
@click.option("--json", "as_json", is_flag=True, help="Print all that is known as JSON.")
@click.option(
    "--record", metavar="ID",
    help="The files as this record lists them: its id or record digest, or how that begins.",
)  # fmt: skip
@click.option(
    "--metadata", metavar="PATH", type=click.Path(exists=True),
    help="With --record: what has the record [default: $SIFPROV_METADATA, or the setting].",
)  # fmt: skip
def command(
    container: str,
    path: str,
    long: bool,
    recursive: bool,
    as_json: bool,
    record: str | None,
    metadata: str | None,
) -> None:
    """List the files of a data container, without mounting it.

    PATH is a path inside OUT.sif. Bytes of a name that a terminal would act on are shown as
    escapes such as \\x1b; a name may be typed as it is.

    With '--record' they are the files that the container, or an ancestor of it whose record it
    holds, had when that record was made.

    \b
    Examples:
      sifprov data ls output.sif
      sifprov data ls -l output.sif /Outputs
      sifprov data ls -R --json output.sif | jq '.entries[].path'
      sifprov data ls -R -l output.sif --record 6b1c3e0e
    """
    if record is not None:
        place = metadata_place(metadata)
        files = recorded_files(container, record, place)
        _show(files, os.fsencode(path), long, recursive, as_json)
        return
    with open_container(container) as (_, fs):
        start = fs.lookup(os.fsencode(path))
        found = _entries(fs, start, recursive)
        if as_json:
            document = {"entries": [_json(fs, n) for n in found], "schema": "sifprov.data-ls/1"}
            click.echo(json.dumps(document, indent=2, ensure_ascii=True, sort_keys=True))
            return
        strip = len(start.path) + 1 if start.path and start.is_dir else 0
        for node in found:
            name = os.fsdecode(node.path[strip:] if recursive else node.name)
            click.echo(_long(fs, node, name) if long else printable(name))


def _show(files: RecordedFiles, path: bytes, long: bool, recursive: bool, as_json: bool) -> None:
    entries = files.below(path, recursive=recursive)
    if as_json:
        document = files.to_json(entries)
        click.echo(json.dumps(document, indent=2, ensure_ascii=True, sort_keys=True))
        return
    for entry in entries:
        name = printable("/" + os.fsdecode(entry.path))
        click.echo(
            f"{_mode(entry)} {_length(entry):>10} {entry.value:12.12} {name}" if long else name
        )


def _mode(entry: Entry) -> str:
    kind = "-" if entry.kind in "fx" else entry.kind
    return kind + stat.filemode(0o777 if entry.mode is None else entry.mode)[1:]


def _length(entry: Entry) -> str:
    return "-" if entry.size is None else size(entry.size)


def _entries(fs: FileSystem, start: Node, recursive: bool) -> Iterator[Node]:
    if not start.is_dir:
        return iter([start])
    return fs.walk(start) if recursive else iter(fs.children(start))


def _long(fs: FileSystem, node: Node, name: str) -> str:
    moment = datetime.fromtimestamp(0)
    with suppress(OverflowError, ValueError, OSError):
        moment = datetime.fromtimestamp(node.mtime_ns // 10**9)
    numbers = f"{os.major(node.rdev)}, {os.minor(node.rdev)}"
    length = numbers if _type(node) in ("block", "character") else size(node.size)
    shown = printable(name)
    if node.is_link:
        shown += " -> " + printable(os.fsdecode(fs.readlink(node)))
    return (
        f"{stat.filemode(node.mode)} {_user(node.uid):8} {length:>10} {moment:%Y-%m-%d %H:%M} "
        f"{shown}"
    )


def _user(uid: int) -> str:
    import pwd

    try:
        return printable(pwd.getpwuid(uid).pw_name)
    except (KeyError, OverflowError):
        return str(uid)


def _type(node: Node) -> str:
    return _TYPES[stat.S_IFMT(node.mode)]


def _json(fs: FileSystem, node: Node) -> Json:
    return {
        "gid": node.gid,
        "inode": node.ino,
        "mode": f"{stat.S_IMODE(node.mode):04o}",
        "mtime": from_ns(node.mtime_ns) if 0 <= node.mtime_ns < 253402300800 * 10**9 else None,
        "path": text_to_json("/" + os.fsdecode(node.path)),
        "size": node.size if node.is_file or node.is_link else None,
        "target": text_to_json(os.fsdecode(fs.readlink(node))) if node.is_link else None,
        "type": _type(node),
        "uid": node.uid,
    }
