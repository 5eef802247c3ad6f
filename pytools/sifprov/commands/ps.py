"""`sifprov ps`"""

from __future__ import annotations

import sys
import time

import click

from sifprov.commands.answers import answer_options, limit_of, show
from sifprov.commands.following import following, tell_lost

# Seconds between two looks.
_EVERY = 2.0
# Clears a terminal (ECMA-48: CUP, ED).
_CLEAR = "\x1b[H\x1b[J"


@click.command("ps")
@click.option("-a", "--all", "everybody", is_flag=True, help="Show the runs of all users.")
@click.option("--user", metavar="NAME", help="Show the runs of this user [default: you].")
@click.option("-w", "--watch", is_flag=True, help="Show it anew every 2 s, until interrupted.")
@answer_options
def command(
    everybody: bool,
    user: str | None,
    watch: bool,
    limit: int | None,
    as_json: bool,
    as_csv: bool,
    catalog: str | None,
) -> int:
    """Show the runs that go on, as they report it: the newest first.

    Runs report with the setting 'live = yes', or SIFPROV_LIVE=1. A run is 'running', or 'ending'
    while its record is written; 'unwatched' where nobody is left to tell its end; and 'not heard
    of' where it is on another machine and has not said for half an hour that it goes on. One that
    ended without a word is lost: 'sifprov log' has it.

    \b
    Examples:
      sifprov ps
      sifprov ps --all --watch
      sifprov ps --user user7 --json
    """
    if everybody and user is not None:
        raise click.UsageError("--all and --user exclude each other")
    if watch and (as_json or as_csv):
        raise click.UsageError("--watch shows a table: leave out --json and --csv")
    with following(catalog) as follow:
        from sifprov.catalog.running import SHOWN, me, running

        whose = None if everybody else user or me()
        while True:
            machine, lost = follow.look()
            with follow.catalog.reading() as connection:
                rows = limit_of(limit, is_table=not (as_json or as_csv))
                answer = running(connection, machine, user=whose, limit=rows)
            if watch and sys.stdout.isatty():
                click.echo(_CLEAR, nl=False)
            tell_lost(lost)
            code = show(answer, as_json=as_json, as_csv=as_csv, columns=SHOWN)
            if not watch:
                break
            sys.stdout.flush()
            time.sleep(_EVERY)
    if not answer.rows:
        _hint()
    return code


def _hint() -> None:
    from sifprov.settings import load_or_default

    if not load_or_default().live:
        click.echo("sifprov: hint: runs report with 'live = yes' or SIFPROV_LIVE=1", err=True)
