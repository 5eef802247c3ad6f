"""`sifprov data grow`"""

from __future__ import annotations

import json
import time

import click

from sifprov.commands.progress import steps
from sifprov.grow import grow
from sifprov.sizes import parse_size
from sifprov.terminal import printable, size


@click.command("grow")
@click.argument("out", metavar="OUT.sif", type=click.Path())
@click.option(
    "--to", "wanted", required=True, metavar="SIZE", help="The partition's new size: 512M, 20G."
)
@click.option(
    "--break-signatures", is_flag=True, help="Grow although a signature covers the partition."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all went well.")
def command(out: str, wanted: str, break_signatures: bool, as_json: bool, quiet: bool) -> None:
    """Enlarge the partition of OUT.sif, and mend its file system's counts.

    OUT.sif keeps its UUID, records and every file. Nobody may be using it. The work is done on a
    copy beside it that takes its name at the end, so the disk needs room for that.

    \b
    Examples:
      sifprov data grow output.sif --to 20G
      sifprov data grow output.sif --to 20G --break-signatures
    """
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
