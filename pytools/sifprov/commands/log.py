"""`sifprov log`"""

from __future__ import annotations

import sys

import click

from sifprov.applog import read_log
from sifprov.commands.place import ContainerPath, record_meant
from sifprov.errors import Exit
from sifprov.model.log import STREAMS, Chunk
from sifprov.settings import metadata_place
from sifprov.terminal import printable
from sifprov.terminal import size as size_of


@click.command("log")
@click.argument("container", metavar="OUT", type=ContainerPath())
@click.option(
    "--record", metavar="ID",
    help="The run: its record's id, or how that begins [default: the newest that kept a log].",
)  # fmt: skip
@click.option("--stream", type=click.Choice(sorted(STREAMS)), help="Show this one alone.")
@click.option(
    "--metadata", metavar="PATH", type=click.Path(exists=True),
    help="The metadata container that has the record [default: $SIFPROV_METADATA, or the setting].",
)  # fmt: skip
def command(container: str, record: str | None, stream: str | None, metadata: str | None) -> int:
    """Print what the application of a recorded run printed, where '--log' kept it.

    On a terminal, characters that could act on it are shown as escapes. Elsewhere the bytes come as
    they were. Where some were not kept, a line on standard error says so in their place.

    \b
    Examples:
      sifprov log output.sif
      sifprov log output.sif --stream stderr > errors.txt
    """
    place = metadata_place(metadata)
    _, log = read_log(container, record_meant(record), place)
    _show(log.head, stream)
    if log.cut:
        sys.stdout.flush()
        click.echo(f"sifprov: {size_of(log.cut)} were not kept here", err=True)
    _show(log.tail, stream)
    return Exit.OK


def _show(chunks: tuple[Chunk, ...], stream: str | None) -> None:
    terminal = sys.stdout.isatty()
    for name, data in chunks:
        if stream in (None, name):
            if terminal:
                text = data.decode("utf-8", "surrogateescape")
                # Line by line: these controls lay text out, and do no more.
                lines = (printable(line).replace("\\x09", "\t") for line in text.split("\n"))
                sys.stdout.write("\n".join(lines))
            else:
                sys.stdout.buffer.write(data)
    sys.stdout.flush()
