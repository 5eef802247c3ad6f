"""`sifprov find`"""

from __future__ import annotations

import click

from sifprov.catalog.conditions import NAMED, WORDS, parse_all
from sifprov.commands.answers import (
    answer_options,
    asking,
    limit_of,
    only_one,
    show,
    show_lines,
)
from sifprov.terminal import printable


@click.command("find")
@click.argument("conditions", metavar="[WORD=VALUE]…", nargs=-1)
@click.option("-q", "--ids", is_flag=True, help="Print the runs' ids alone, one a line.")
@click.option(
    "--containers", is_flag=True,
    help="Print the paths of the files that hold what the runs left, one a line.",
)  # fmt: skip
@click.option("--words", is_flag=True, help="List the words that conditions are made of.")
@answer_options
def command(
    conditions: tuple[str, ...],
    ids: bool,
    containers: bool,
    words: bool,
    limit: int | None,
    as_json: bool,
    as_csv: bool,
    catalog: str | None,
) -> int:
    """Find runs in the catalog: those that fulfil all conditions, newest first.

    A condition is WORD=VALUE; besides = there are !=, <, <=, > and >=, and ~ for a pattern with *
    and ?. 'sifprov find --words' lists all words. A container may be given by name, UUID, content
    digest (or how that begins) or path. Times are 2026-05-28, yesterday, or how long ago: 7d. What
    has < or > in it wants quotes.

    An id may stand for a container in every other command.

    \b
    Examples:
      sifprov find app=gnuplot.sif since=7d
      sifprov find input=raw.sif 'exit!=0' --json
      sifprov find workflow=surrogate 'metric.r2>0.9' tag.paper=draft-2
      sifprov find -q digest=tree-v1:18b4e1 | xargs -n 1 sifprov trail
      sifprov find --containers user=user7 since=yesterday | xargs -d '\\n' -n 1 sifprov verify
    """
    only_one(ids=ids, containers=containers, json=as_json, csv=as_csv)
    if words:
        return _show_words()
    wanted = parse_all(conditions)
    with asking(catalog) as opened, opened.reading() as connection:
        from sifprov.catalog import find

        if ids:
            return show_lines(find.uuids(connection, wanted, limit), asked=find.in_words(wanted))
        if containers:
            return show_lines(find.files(connection, wanted, limit), asked=find.in_words(wanted))
        answer = find.find(connection, wanted, limit_of(limit, is_table=not (as_json or as_csv)))
    return show(answer, as_json=as_json, as_csv=as_csv, columns=find.SHOWN)


def _show_words() -> int:
    rows = [(word, *about) for word, about in WORDS.items()]
    rows += [(f"{word}.NAME", *about) for word, about in NAMED.items()]
    for word, kind, text in sorted(rows, key=lambda row: row[0]):
        click.echo(printable(f"{word:<13} {' '.join(kind.operators):<16} {text}: {kind.what}"))
    return 0
