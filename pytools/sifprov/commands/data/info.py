"""`sifprov data info`"""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from sifprov.changes import CHANGED, IN_USE, WAS_PROVISIONAL
from sifprov.commands.place import ContainerPath
from sifprov.embedded import Embedded
from sifprov.info import APPLICATION, METADATA, OTHER, Info, Volume, read_info
from sifprov.model.timestamp import to_ns
from sifprov.render.clock import local_time
from sifprov.render.treetext import outcome
from sifprov.terminal import command as shown_command
from sifprov.terminal import printable, size

_CONTENT = {
    CHANGED: "changed after its newest record, by no recorded run",
    IN_USE: "in use: a run, or a process that outlived one, can write into it",
    WAS_PROVISIONAL: "recorded while a process still wrote; 'sifprov trail' reads it again",
}


@click.command("info")
@click.argument("container", metavar="OUT.sif", type=ContainerPath())
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(container: str, as_json: bool) -> None:
    """Show what a container is: role, bind to type, room, records and signatures.

    It reads no file of the container, so it is quick for any size. The free room of an ext3
    container in use is that of its last writing back.

    \b
    Examples:
      sifprov data info output.sif
      sifprov data info --json output.sif | jq .partition.free_bytes
    """
    info = read_info(container)
    if as_json:
        click.echo(json.dumps(info.to_json(), indent=2, ensure_ascii=True, sort_keys=True))
        return
    for label, text in _lines(info):
        click.echo(f"{label:<10} {text}")


def _lines(info: Info) -> Iterator[tuple[str, str]]:
    who, declared = info.identity, info.identity.declaration
    yield "container", f"{printable(who.path)} ({size(info.size)})"
    yield "kind", _kind(info)
    yield "UUID", str(who.uuid)
    for label, moment in (("created", who.created), ("modified", who.modified)):
        if moment:
            yield label, local_time(moment)
    if declared and info.bind:
        yield "role", f"{declared.role}, at {printable(declared.mount)}"
        yield "bind", f"-B {printable(info.bind)}"
    if info.volume:
        yield "partition", _partition(info.volume)
        if info.volume.inodes_free is not None:
            yield "inodes", f"{info.volume.inodes_free} of {info.volume.inodes} free"
        if info.volume.busy:
            yield "in use", "a run has it open for writing, or it was not unmounted (e2fsck)"
    yield "objects", f"{info.objects}, {info.slots - info.objects} of {info.slots} slots free"
    yield "records", _records(info)
    if info.embedded.objects or info.embedded.errors:
        yield "lineage", _lineage(info.embedded)
    if info.content in _CONTENT:
        yield "content", _CONTENT[info.content]
    run = info.newest_run
    if run and run.run:
        took = _seconds(run.run.started, run.run.ended)
        yield "newest run", f"{local_time(run.run.started)}{took}, {outcome(run.run)}"
        yield "", "$ " + shown_command(run.run.argv or run.run.command)
    if info.signatures:
        groups = ", ".join(str(g) for g in info.signed_groups if g)
        yield "signatures", f"{info.signatures}" + (f", of group {groups}" if groups else "")
    else:
        yield "signatures", "none"


def _kind(info: Info) -> str:
    if info.kind == APPLICATION:
        return "application container (it runs)"
    if info.kind == METADATA:
        return "metadata container, with records of others"
    if info.kind == OTHER:
        return "neither an application nor a data container"
    if info.volume and info.volume.fs == "squashfs":
        return "data container, sealed"
    return "data container"


def _partition(volume: Volume) -> str:
    if volume.error:
        return f"{volume.fs}, {size(volume.size)}, unreadable: {printable(volume.error)}"
    text = f"{volume.fs}, {size(volume.size)}"
    if volume.compressor:
        text += f", compressed with {volume.compressor}"
    if volume.free is not None:
        text += f", {size(max(volume.size - volume.free, 0))} used, {size(volume.free)} free"
    return f"{text}, blocks of {size(volume.block_size)}" if volume.block_size else text


def _records(info: Info) -> str:
    broken = sum(1 for s in info.records if s.error)
    return f"{len(info.records)}" + (f", {broken} of them broken" if broken else "")


def _lineage(embedded: Embedded) -> str:
    text = (
        f"{len(embedded.documents)} documents of {size(embedded.size)}, "
        f"stored in {embedded.objects} objects of {size(embedded.stored)}"
    )
    return text + (f", {len(embedded.errors)} more are broken" if embedded.errors else "")


def _seconds(started: str, ended: str | None) -> str:
    return f", {(to_ns(ended) - to_ns(started)) / 1e9:.2f} s" if ended else ""
