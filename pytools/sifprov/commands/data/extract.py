"""`sifprov data extract`"""

from __future__ import annotations

import os

import click

from sifprov.commands.place import ContainerPath
from sifprov.commands.progress import steps
from sifprov.extract import extract
from sifprov.sizes import parse_size
from sifprov.terminal import counted, printable, size

_SHOWN = 5


@click.command("extract")
@click.argument("container", metavar="OUT.sif", type=ContainerPath())
@click.argument("target", metavar="DIR", type=click.Path())
@click.option(
    "--path", "subtree", default="/", metavar="SUBTREE",
    help="Copy the content of this folder of the container, or this file.",
)  # fmt: skip
@click.option(
    "--max-size", metavar="SIZE",
    help="Stop at files of more than this together [default: 64 times the partition, at least 1G].",
)  # fmt: skip
@click.option(
    "--max-files", metavar="N", type=click.IntRange(min=0),
    help="Stop at more files and folders [default: one for 256 bytes of the partition, at least "
    "1000000].",
)  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all went well.")
def command(
    container: str,
    target: str,
    subtree: str,
    max_size: str | None,
    max_files: int | None,
    quiet: bool,
) -> None:
    """Copy the files of a data container into DIR, without mounting it.

    DIR must be new or empty, and appears when it is whole. Modes, times, symbolic and hard links,
    holes and names are kept; the files are yours. Set-user-id and set-group-id bits are dropped;
    devices, FIFOs and sockets are not made.

    \b
    Examples:
      sifprov data extract output.sif results
      sifprov data extract output.sif results --path /Outputs/run-1
    """
    with steps() as show:
        done = extract(
            container,
            target,
            subtree=os.fsencode(subtree),
            max_size=None if max_size is None else parse_size(max_size),
            max_files=max_files,
            on_step=show,
        )
    if done.skipped:
        names = ", ".join(printable("/" + os.fsdecode(p)) for p in done.skipped[:_SHOWN])
        more = f" and {len(done.skipped) - _SHOWN} more" if len(done.skipped) > _SHOWN else ""
        click.echo(
            f"sifprov: note: {len(done.skipped)} devices, FIFOs or sockets were not made: "
            f"{names}{more}",
            err=True,
        )
    if not quiet:
        click.echo(
            f"extracted {counted(done.files, 'file')}, {counted(done.folders, 'folder')} and "
            f"{counted(done.links, 'symbolic link')}, {size(done.size)}, to {printable(target)}"
        )
