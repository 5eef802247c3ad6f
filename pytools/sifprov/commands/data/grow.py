"""`sifprov data grow`"""

from __future__ import annotations

import json
import time

import click

from sifprov.commands.place import ContainerPath
from sifprov.commands.progress import steps
from sifprov.grow import grow
from sifprov.growtable import grow_table
from sifprov.sizes import parse_size
from sifprov.terminal import printable, size


@click.command("grow")
@click.argument("out", metavar="OUT.sif", type=ContainerPath())
@click.option("--to", "wanted", metavar="SIZE", help="The partition's new size: 512M, 20G.")
@click.option(
    "--records",
    type=click.IntRange(min=1),
    metavar="N",
    help="Give the table of objects room for N more; keeps every signature.",
)
@click.option(
    "--break-signatures", is_flag=True, help="Grow although a signature covers the partition."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all went well.")
def command(
    out: str,
    wanted: str | None,
    records: int | None,
    break_signatures: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Enlarge the partition of OUT.sif, and mend its file system's counts; or its table of objects.

    The table is full only when what stands there is signed or not ours, for other records are
    bundled. OUT.sif keeps its UUID, records and every file. Nobody may be using it. The work is
    done on a copy beside it that takes its name at the end, so the disk needs room for that.

    \b
    Examples:
      sifprov data grow output.sif --to 20G
      sifprov data grow output.sif --to 20G --break-signatures
      sifprov data grow output.sif --records 100
    """
    if (wanted is None) == (records is None):
        raise click.UsageError("give one of --to and --records")
    if records is not None:
        _grow_table(out, records, as_json, quiet)
    elif wanted is not None:
        _grow_partition(out, wanted, break_signatures, as_json, quiet)


def _grow_table(out: str, records: int, as_json: bool, quiet: bool) -> None:
    with steps() as show:
        done = grow_table(out, records, now=int(time.time()), on_step=show)
    if as_json:
        document = {
            "objects": done.used,
            "path": out,
            "slots": done.after,
            "slots_before": done.before,
        }
        click.echo(json.dumps(document, indent=2, sort_keys=True))
    elif not quiet:
        click.echo(
            f"{printable(out)} has room for {done.after} objects instead of {done.before}: "
            f"{done.after - done.used} more fit into it"
        )


def _grow_partition(
    out: str, wanted: str, break_signatures: bool, as_json: bool, quiet: bool
) -> None:
    with steps() as show:
        done = grow(
            out,
            parse_size(wanted),
            now=int(time.time()),
            break_signatures=break_signatures,
            on_step=show,
        )
    if as_json:
        document = {
            "broken_groups": list(done.broken),
            "free_bytes": done.free_bytes,
            "free_inodes": done.free_inodes,
            "partition_bytes": done.after,
            "partition_bytes_before": done.before,
            "path": out,
        }
        click.echo(json.dumps(document, indent=2, sort_keys=True))
    elif not quiet:
        click.echo(
            f"{printable(out)} grew from {size(done.before)} to {size(done.after)}: "
            f"{size(done.free_bytes)} and {done.free_inodes} files more fit into it"
        )
    for group in done.broken:
        click.echo(
            f"sifprov: warning: the signature of group {group} does not hold any more; sign again",
            err=True,
        )
