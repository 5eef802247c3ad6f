"""`sifprov log`"""

from __future__ import annotations

import sys
from typing import NamedTuple

import click

from sifprov.applog import read_log
from sifprov.commands.answers import answer_options, only_one, show
from sifprov.commands.following import following, tell_lost
from sifprov.commands.place import ContainerPath, record_meant
from sifprov.errors import Exit
from sifprov.model.log import STREAMS, Chunk
from sifprov.settings import metadata_place
from sifprov.terminal import printable
from sifprov.terminal import size as size_of

# Of a table for people.
_ROWS = 20


@click.command("log")
@click.argument("container", metavar="[OUT]", type=ContainerPath(), required=False)
@click.option(
    "--record", metavar="ID",
    help="The run: its record's id, or how that begins [default: the newest that kept a log].",
)  # fmt: skip
@click.option("--stream", type=click.Choice(sorted(STREAMS)), help="Show this one alone.")
@click.option(
    "--telemetry", is_flag=True,
    help="Print what the run used over time instead, where '--telemetry' measured it.",
)  # fmt: skip
@click.option(
    "--metadata", metavar="PATH", type=click.Path(exists=True),
    help="The metadata container that has the record [default: $SIFPROV_METADATA, or the setting].",
)  # fmt: skip
@click.option("--failed", is_flag=True, help="Without OUT: only runs that did not end well.")
@click.option("--since", metavar="TIME", help="Without OUT: only runs that began then or later.")
@click.option("--user", metavar="NAME", help="Without OUT: only runs of this user.")
@click.option("-n", "number", metavar="N", type=click.IntRange(1), help="As --limit.")
@answer_options
def command(
    container: str | None,
    record: str | None,
    stream: str | None,
    telemetry: bool,
    metadata: str | None,
    failed: bool,
    since: str | None,
    user: str | None,
    number: int | None,
    limit: int | None,
    as_json: bool,
    as_csv: bool,
    catalog: str | None,
) -> int:
    """List the runs that have ended; of a container OUT, print what its application printed.

    Without OUT: the runs that the catalog knows, the newest first, with those that only reported
    their end ('live = yes'), in a table 20 of them. A lost one ended, and nobody was left to tell
    how. Times are 2026-05-28, yesterday, or how long ago: 7d.

    With OUT: what the application of a recorded run printed, where '--log' kept it. On a terminal,
    characters that could act on it are shown as escapes. Elsewhere the bytes come as they were.
    Where some were not kept, a line on standard error says so in their place.

    --telemetry prints a table of processor, memory, disk and network; with --csv or --json, the
    numbers as they were counted.

    \b
    Examples:
      sifprov log
      sifprov log --failed --since 7d
      sifprov log --user user7 -n 100 --csv
      sifprov log output.sif
      sifprov log output.sif --stream stderr > errors.txt
      sifprov log output.sif --telemetry
      sifprov log output.sif --telemetry --csv > used.csv
    """
    only_one(json=as_json, csv=as_csv)
    only_one(stream=bool(stream), telemetry=telemetry)
    of_runs = {
        "--failed": failed, "--since": since, "--user": user, "-n": number, "--limit": limit,
        "--catalog": catalog,
    }  # fmt: skip
    of_one = {
        "--record": record, "--stream": stream, "--telemetry": telemetry, "--metadata": metadata
    }  # fmt: skip
    for name, value in (of_one if container is None else of_runs).items():
        if value:
            which = "wants a container" if container is None else "goes without a container"
            raise click.UsageError(f"{name} {which}")
    if container is None:
        wanted = _Which(failed, since, user, number or limit)
        return _list(wanted, as_json=as_json, as_csv=as_csv, place=catalog)
    place = metadata_place(metadata)
    if telemetry:
        _show_measured(container, record_meant(record), place, as_json=as_json, as_csv=as_csv)
        return Exit.OK
    if as_json or as_csv:
        raise click.UsageError("--json and --csv of a container go with --telemetry")
    _, log = read_log(container, record_meant(record), place)
    _show(log.head, stream)
    if log.cut:
        sys.stdout.flush()
        click.echo(f"sifprov: {size_of(log.cut)} were not kept here", err=True)
    _show(log.tail, stream)
    return Exit.OK


class _Which(NamedTuple):
    """Which runs are listed."""

    failed: bool
    since: str | None
    user: str | None
    limit: int | None


def _list(which: _Which, *, as_json: bool, as_csv: bool, place: str | None) -> int:
    from sifprov.catalog.conditions import moment
    from sifprov.catalog.ended import SHOWN, ended

    try:
        since_us = moment(which.since) if which.since else None
    except ValueError as error:
        raise click.UsageError(f"--since {which.since}: not {error}") from None
    limit = which.limit or (None if as_json or as_csv else _ROWS)
    with following(place) as follow:
        _, lost = follow.look()
        with follow.catalog.reading() as connection:
            answer = ended(
                connection, failed=which.failed, since_us=since_us, user=which.user, limit=limit
            )
    tell_lost(lost)
    return show(answer, as_json=as_json, as_csv=as_csv, columns=SHOWN)


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
