"""`sifprov log`"""

from __future__ import annotations

import sys

import click

from sifprov.applog import read_log
from sifprov.errors import Exit
from sifprov.model.log import STREAMS, Chunk
from sifprov.settings import metadata_place
from sifprov.terminal import printable
from sifprov.terminal import size as size_of


@click.command("log")
@click.argument("container", metavar="OUT", type=click.Path())
@click.option(
    "--record", metavar="ID",
    help="The run: its record's id, or how that begins [default: the newest that kept a log].",
)  # fmt: skip
@click.option("--stream", type=click.Choice(sorted(STREAMS)), help="Show this one alone.")
@click.option(
    "--telemetry", is_flag=True,
    help="Print what the run used over time instead, where '--telemetry' measured it.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="As JSON. [--telemetry]")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV. [--telemetry]")
@click.option(
    "--metadata", metavar="PATH", type=click.Path(exists=True),
    help="The metadata container that has the record [default: $SIFPROV_METADATA, or the setting].",
)  # fmt: skip
def command(
    container: str,
    record: str | None,
    stream: str | None,
    telemetry: bool,
    as_json: bool,
    as_csv: bool,
    metadata: str | None,
) -> int:
    """Print what the application of a recorded run printed, where '--log' kept it; or what the run
    used over time.

    On a terminal, characters that could act on it are shown as escapes. Elsewhere the bytes come as
    they were. Where some were not kept, a line on standard error says so in their place.

    --telemetry prints a table of processor, memory, disk and network; with --csv or --json, the
    numbers as they were counted.

    \b
    Examples:
      sifprov log output.sif
      sifprov log output.sif --stream stderr > errors.txt
      sifprov log output.sif --telemetry
      sifprov log output.sif --telemetry --csv > used.csv
    """
    _check_together(stream=stream, telemetry=telemetry, as_json=as_json, as_csv=as_csv)
    place = metadata_place(metadata)
    if telemetry:
        _show_measured(container, record, place, as_json=as_json, as_csv=as_csv)
        return Exit.OK
    _, log = read_log(container, record, place)
    _show(log.head, stream)
    if log.cut:
        sys.stdout.flush()
        click.echo(f"sifprov: {size_of(log.cut)} were not kept here", err=True)
    _show(log.tail, stream)
    return Exit.OK


def _check_together(*, stream: str | None, telemetry: bool, as_json: bool, as_csv: bool) -> None:
    """Raises UsageError for options that do not go together."""
    if stream and telemetry:
        raise click.UsageError("--stream and --telemetry do not go together")
    if as_json and as_csv:
        raise click.UsageError("--json and --csv do not go together")
    if (as_json or as_csv) and not telemetry:
        raise click.UsageError("--json and --csv print numbers: they go with --telemetry")


def _show_measured(
    container: str, record: str | None, metadata: str, *, as_json: bool, as_csv: bool
) -> None:
    from sifprov.measured import read_measured  # only who wants it pays for it
    from sifprov.render.telemetry import table, to_csv, to_json

    about, found = read_measured(container, record, metadata)
    if as_json:
        click.echo(to_json(about, found))
    elif as_csv:
        click.echo(to_csv(found))
    else:
        for line in table(about, found):
            click.echo(line)


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
