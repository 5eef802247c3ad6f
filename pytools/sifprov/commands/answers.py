"""What the verbs that ask the catalog share: their options, and how an answer is printed."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sifprov.errors import Exit
from sifprov.model.answer import Answer
from sifprov.render.rows import csv_text, table
from sifprov.terminal import printable

if TYPE_CHECKING:
    from sifprov.catalog.store import Catalog

SCHEMA = "sifprov.answer/1"
# So many rows of a table people may still look through.
TABLE_ROWS = 1000
_F = TypeVar("_F", bound=Callable[..., Any])

catalog_option = click.option(
    "--catalog", metavar="PLACE",
    help="The catalog: a file, or postgresql://USER@HOST/DATABASE [default: $SIFPROV_CATALOG, the"
    " setting, or your own].",
)  # fmt: skip
_LIMIT = click.option(
    "--limit", metavar="N", type=click.IntRange(1),
    help=f"At most N rows [default: {TABLE_ROWS} in a table, else all].",
)  # fmt: skip
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_CSV = click.option("--csv", "as_csv", is_flag=True, help="Print CSV, for a spreadsheet.")


def answer_options(command: _F) -> _F:
    """Adds --limit, --json, --csv and --catalog."""
    for option in (catalog_option, _CSV, _JSON, _LIMIT):
        command = option(command)
    return command


@contextmanager
def asking(place: str | None) -> Iterator[Catalog]:
    """Yields the catalog, to read from. What runs have reported is taken in before. Raises
    MissingError, FileError."""
    from sifprov.catalog.store import open_catalog
    from sifprov.commands.following import take_before

    take_before(place)
    with open_catalog(place, read_only=True) as catalog:
        yield catalog


def limit_of(limit: int | None, *, is_table: bool) -> int | None:
    """Returns how many rows to ask for."""
    return limit or (TABLE_ROWS if is_table else None)


def only_one(**given: bool) -> None:
    """Raises UsageError for options that ask for two forms at once."""
    names = [f"--{name}" for name, is_given in given.items() if is_given]
    if len(names) > 1:
        raise click.UsageError(f"{' and '.join(names)} do not go together")


def show(
    answer: Answer, *, as_json: bool, as_csv: bool, columns: Sequence[str] | None = None
) -> int:
    """Prints an answer; `columns` are those of a table for people. Returns the exit code."""
    only_one(json=as_json, csv=as_csv)
    if as_json:
        click.echo(json.dumps(answer.to_json(SCHEMA), indent=2, sort_keys=True))
    elif as_csv:
        click.echo(csv_text(answer).encode("utf-8"), nl=False)
    elif answer.rows:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        for line in table(answer.only(columns) if columns else answer, width):
            click.echo(line)
    else:
        click.echo(f"nothing found: {printable(answer.asked)}", err=True)
    if answer.more and not as_json:
        count = len(answer.rows)
        click.echo(f"sifprov: these are {count}, and there are more: --limit N shows N", err=True)
    return Exit.OK


def show_lines(lines: Iterable[str], *, asked: str) -> int:
    """Prints a line for each of `lines`, for `xargs`. On a terminal they are harmless."""
    is_terminal = sys.stdout.isatty()
    found = False
    for line in lines:
        found = True
        click.echo(printable(line) if is_terminal else line)
    if not found:
        click.echo(f"nothing found: {printable(asked)}", err=True)
    return Exit.OK
