"""`sifprov data create`"""

from __future__ import annotations

import json
import re

import click

from sifprov.commands.progress import steps
from sifprov.create import EXT3, SQUASHFS, create_data
from sifprov.errors import SifprovError
from sifprov.layouts import find_layout
from sifprov.model.record import INPUT, OUTPUT
from sifprov.sif.write import DESCRIPTORS
from sifprov.sizes import parse_size
from sifprov.terminal import counted, printable, size


@click.command("create")
@click.argument("out", metavar="OUT.sif", type=click.Path())
@click.option(
    "--from",
    "source",
    metavar="DIR",
    type=click.Path(),
    help="Fill it with the content of this folder.",
)
@click.option("--layout", "layout_name", metavar="NAME|FILE",
    help="Start from a layout: see 'sifprov data layouts'. Other options count more.",
)  # fmt: skip
@click.option("--mount", metavar="PATH", help="Where runs bind it, such as /Inputs.")
@click.option("--free", metavar="SIZE", help="Room for what runs write: 512K, 8M, 1.5G.")
@click.option(
    "--role", type=click.Choice([INPUT, OUTPUT]),
    help="What it is for [default: input with --from, else output].",
)  # fmt: skip
@click.option(
    "--fs", type=click.Choice([EXT3, SQUASHFS]),
    help="ext3 can be written by runs; squashfs is sealed and compressed [default: ext3].",
)  # fmt: skip
@click.option("--owner", metavar="UID:GID", help="Whose the files are [default: yours].")
@click.option(
    "--reproducible", is_flag=True, help="The same files give the same bytes: see the reference."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all went well.")
def command(
    out: str,
    source: str | None,
    layout_name: str | None,
    mount: str | None,
    free: str | None,
    role: str | None,
    fs: str | None,
    owner: str | None,
    reproducible: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make the data container OUT.sif and print the bind to type.

    Files keep their modes, times, links and names; they belong to you. OUT.sif must not exist,
    and appears only when it is whole. A container made --from a folder carries an origin record.

    \b
    Examples:
      sifprov data create input.sif --from ./data --mount /Inputs
      sifprov data create output.sif --free 8M --mount /Outputs
      sifprov data create archive.sif --from ./data --layout archive
      sifprov data create same.sif --from ./data --layout input --reproducible
    """
    layout = find_layout(layout_name) if layout_name else None
    if layout:
        mount, role, fs = mount or layout.mount, role or layout.role, fs or layout.fs
        # What is sealed has no room, whatever the layout of another file system says.
        free = free or (layout.free if fs == EXT3 else "0")
    if not mount:
        raise click.UsageError("say where runs bind it: --mount PATH, or --layout NAME")
    with steps() as show:
        made = create_data(
            out,
            mount=mount,
            role=role,
            source=source,
            free=parse_size(free or "0"),
            fs=fs or EXT3,
            owner=_owner(owner) if owner else None,
            descriptors=layout.descriptors if layout else DESCRIPTORS,
            block_size=layout.block_size if layout else None,
            reproducible=reproducible,
            on_step=show,
        )
    declared = made.declaration
    bind = f"{out}:{declared.mount}:image-src={declared.mount}"
    if as_json:
        document = {
            "bind": bind,
            "digest": made.tree.digest,
            "fs": fs or EXT3,
            "mount": declared.mount,
            "partition_bytes": made.partition.size,
            "path": out,
            "role": declared.role,
            "uuid": str(made.uuid),
        }
        click.echo(json.dumps(document, indent=2, sort_keys=True))
    elif not quiet:
        files = sum(1 for e in made.tree.entries if e.kind in "fx")
        click.echo(
            f"made {printable(out)}: {declared.role} container, {counted(files, 'file')}, "
            f"{size(made.tree.size)} in a partition of {size(made.partition.size)}"
        )
        click.echo(f"bind it with -B {printable(bind)}")


def _owner(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,10}):(\d{1,10})", text, re.ASCII)
    uid, gid = (int(match[1]), int(match[2])) if match else (2**32, 2**32)
    # 2^32-1 stands for "unchanged" in chown(2) and belongs to nobody.
    if max(uid, gid) >= 2**32 - 1:
        raise SifprovError(f"{text!r} is no owner", hint="write numbers: --owner 1000:1000")
    return uid, gid
