"""`sifprov impact`"""

from __future__ import annotations

import os

import click

from sifprov.catalog.conditions import parse_all
from sifprov.commands.answers import (
    answer_options,
    asking,
    limit_of,
    only_one,
    show,
    show_lines,
)


@click.command("impact")
@click.argument(
    "things", metavar="FILE|DIGEST|UUID|NAME…", type=click.Path(), nargs=-1, required=True
)
@click.option(
    "--where", metavar="WORD=VALUE", multiple=True,
    help="Show what runs made of which this holds, as for 'sifprov find' (may be repeated).",
)  # fmt: skip
@click.option("--depth", metavar="N", type=click.IntRange(1), help="Go down N runs at most.")
@click.option(
    "--copies/--no-copies", default=True, show_default=True,
    help="Begin also with other containers that hold the same content.",
)  # fmt: skip
@click.option("-q", "--ids", is_flag=True, help="Print the ids of the runs alone, one a line.")
@click.option("--files", is_flag=True, help="Print the paths of the files that are there alone.")
@answer_options
def command(
    things: tuple[str, ...],
    where: tuple[str, ...],
    depth: int | None,
    copies: bool,
    ids: bool,
    files: bool,
    limit: int | None,
    as_json: bool,
    as_csv: bool,
    catalog: str | None,
) -> int:
    """List everything that was derived from a container, to any depth.

    Of a data container these are the results of the runs that read it, of those that read these,
    and so on; of an application those of all its runs; of a run's id what it left. Each has its
    depth, the run that made it, how that ended, and where the file is now: 'gone on' is one that
    later runs wrote into, 'vanished' one that was no longer there, 'not indexed' one that only
    records of others tell of.

    \b
    Examples:
      sifprov impact broken.sif
      sifprov impact tree-v1:18b4e12054cae1a3 --depth 1 --csv
      sifprov find -q activity=align | xargs sifprov impact --where activity=mean
      sifprov impact gnuplot.sif --files | xargs -d '\\n' -n 1 sifprov verify
    """
    only_one(ids=ids, files=files, json=as_json, csv=as_csv)
    is_table = not (as_json or as_csv or ids or files)
    # A file here is meant before others of its name.
    things = tuple(os.path.abspath(t) if os.path.lexists(t) else t for t in things)
    with asking(catalog) as opened, opened.reading() as connection:
        from sifprov.catalog.impact import SHOWN, impact

        answer = impact(
            connection, things, where=parse_all(where), depth=depth, copies=copies,
            limit=limit_of(limit, is_table=is_table),
        )  # fmt: skip
    if ids or files:
        names = ("run",) if ids else ("path", "status")
        rows = zip(*(answer.column(name) for name in names), strict=True)
        found = (str(first) for first, *rest in rows if first and rest != ["vanished"])
        return show_lines(dict.fromkeys(found), asked=answer.asked)
    return show(answer, as_json=as_json, as_csv=as_csv, columns=SHOWN)
