"""`sifprov sql`"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from sifprov.commands.answers import answer_options, asking, limit_of, show
from sifprov.errors import Exit, SifprovError
from sifprov.terminal import printable

_PROMPT, _GO_ON = "sql> ", "...> "


@click.command("sql")
@click.argument("statement", metavar="[SELECT]", required=False)
@click.option("--schema", "is_schema", is_flag=True, help="Print the tables instead.")
@click.option(
    "--seconds", metavar="N", type=click.FloatRange(min=0, min_open=True), default=60.0,
    show_default=True, help="End what runs for longer.",
)  # fmt: skip
@answer_options
def command(
    statement: str | None,
    is_schema: bool,
    seconds: float,
    limit: int | None,
    as_json: bool,
    as_csv: bool,
    catalog: str | None,
) -> int:
    """Ask the catalog in SQL.

    The statement is the argument, else standard input; on a terminal one after the other, each
    ended by a semicolon. Nothing can be changed that way, and no file be read. Times are
    microseconds since 1970 (UTC). 'docs/catalog.md' explains the tables.

    \b
    Examples:
      sifprov sql 'SELECT outcome, count(*) AS runs FROM execution GROUP BY outcome'
      sifprov sql --schema
      sifprov sql --csv < question.sql > answer.csv
    """
    most = limit_of(limit, is_table=not (as_json or as_csv))
    with asking(catalog) as opened:
        from sifprov.catalog.sql import ask_sql, schema

        if is_schema:
            click.echo(schema(opened))
            return Exit.OK
        if statement is not None or not sys.stdin.isatty():
            text = sys.stdin.read() if statement is None else statement
            answer = ask_sql(opened, text, seconds=seconds, limit=most)
            return show(answer, as_json=as_json, as_csv=as_csv)
        for text in _typed():
            try:
                answer = ask_sql(opened, text, seconds=seconds, limit=most)
            except SifprovError as error:
                click.echo(f"sifprov: error: {printable(str(error))}", err=True)
            else:
                show(answer, as_json=as_json, as_csv=as_csv)
    return Exit.OK


def _typed() -> Iterator[str]:
    """Yields statements as they are typed, until the end of input."""
    import readline  # noqa: F401  (so that lines can be edited)

    lines: list[str] = []
    while True:
        try:
            lines.append(input(_GO_ON if lines else _PROMPT))
        except EOFError:
            click.echo()
            return
        if lines[-1].rstrip().endswith(";") or not "".join(lines).strip():
            text, lines = "\n".join(lines), []
            if text.strip():
                yield text
