"""`sifprov index`"""

from __future__ import annotations

import json

import click

from sifprov.catalog.index import Summary, index
from sifprov.catalog.store import open_catalog
from sifprov.commands.answers import catalog_option
from sifprov.commands.following import take_before
from sifprov.commands.progress import steps
from sifprov.errors import Exit
from sifprov.model.canonical import Json, text_to_json
from sifprov.terminal import counted, printable

SCHEMA = "sifprov.index/1"
_COUNTS = (
    "new", "changed", "unchanged", "moved", "copied", "vanished", "forgotten", "unreadable",
    "foreign", "records",
)  # fmt: skip
JOBS = click.option(
    "--jobs", type=click.IntRange(1, 64), metavar="N",
    help="How many processes read [default: as many as there are processors, at most 8].",
)  # fmt: skip


@click.command("index")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path())
@JOBS
@click.option("--prune", is_flag=True, help="Forget where the containers were that have vanished.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but what could not be read.")
@catalog_option
def command(
    paths: tuple[str, ...],
    jobs: int | None,
    prune: bool,
    as_json: bool,
    quiet: bool,
    catalog: str | None,
) -> int:
    """Read the records of all containers at and below each PATH into the catalog.

    Of a container only its header and its records are read, and only when it is new or has changed
    since. The catalog is made when it is not there. Containers that have moved are known again.
    What cannot be read is told, and costs nothing else.

    \b
    Examples:
      sifprov index ~/results
      sifprov index /project/data /project/results --prune
      sifprov index . --catalog postgresql://user7@db.site.org/sifprov
      sifprov index . --json | jq .new
    """
    take_before(catalog)
    with open_catalog(catalog, create=True) as opened:
        with steps() as step:
            summary = index(opened, paths, jobs=jobs, prune=prune, on_step=step)
        if as_json:
            click.echo(json.dumps(_to_json(summary, opened.name), indent=2, sort_keys=True))
        else:
            show_summary(summary, opened.name, quiet=quiet)
    return Exit.USAGE if summary.failed else Exit.OK


def show_summary(summary: Summary, name: str, *, quiet: bool) -> None:
    """Prints what an index found."""
    for path, reason in summary.reasons:
        click.echo(f"sifprov: not read: {printable(path)}: {printable(reason)}", err=True)
    if quiet:
        return
    total = summary.new + summary.changed + summary.unchanged + summary.moved + summary.copied
    told = [
        f"{getattr(summary, field)} {field}"
        for field in _COUNTS[:-1]
        if getattr(summary, field) or field in ("new", "changed", "unchanged")
    ]
    click.echo(f"{total} containers and sidecars: {', '.join(told)}")
    click.echo(f"{counted(summary.records, 'new record')} in {printable(name)}")


def _to_json(summary: Summary, name: str) -> Json:
    return {
        **{field: getattr(summary, field) for field in _COUNTS},
        "catalog": text_to_json(name),
        "failed": [text_to_json(path) for path in summary.failed],
        "milliseconds": round(summary.seconds * 1000),
        "schema": SCHEMA,
        "unread": [
            {"path": text_to_json(path), "reason": text_to_json(reason)}
            for path, reason in summary.reasons
        ],
    }
