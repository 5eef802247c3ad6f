"""`sifprov catalog status`"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import click

from sifprov.catalog.status import Status, status
from sifprov.catalog.store import open_catalog
from sifprov.commands.answers import catalog_option
from sifprov.model.canonical import Json, text_to_json
from sifprov.model.timestamp import from_ns
from sifprov.render.clock import local_time
from sifprov.terminal import printable, size

SCHEMA = "sifprov.catalog-status/1"


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@catalog_option
def command(as_json: bool, catalog: str | None) -> None:
    """Show where the catalog is, what it holds and how large it is.

    \b
    Examples:
      sifprov catalog status
      sifprov catalog status --catalog postgresql://user7@db.site.org/sifprov
      sifprov catalog status --json | jq .records
    """
    with open_catalog(catalog) as opened:
        found = status(opened)
    if as_json:
        click.echo(json.dumps(_to_json(found), indent=2, sort_keys=True))
        return
    for label, text in _lines(found):
        click.echo(f"{label:<10} {text}")


def _lines(found: Status) -> Iterator[tuple[str, str]]:
    yield "catalog", printable(found.name)
    mode = ", in safe mode: other machines may open the file too" if found.is_safe_mode else ""
    yield "database", f"{found.database}, schema version {found.version}{mode}"
    if found.size is not None:
        yield "size", size(found.size)
    yield "records", str(found.records)
    yield "runs", _counted(found.runs)
    yield "images", str(found.images)
    yield "files", _counted(found.files)
    for label, moment in (("newest", found.newest_us), ("indexed", found.indexed_us)):
        if moment is not None and moment >= 0:
            yield label, local_time(from_ns(moment * 1000))


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts[name]} {name}" for name in sorted(counts)) or "none"


def _to_json(found: Status) -> Json:
    return {
        "catalog": text_to_json(found.name),
        "created_us": found.created_us,
        "database": found.database,
        "files": dict(found.files),
        "images": found.images,
        "indexed_us": found.indexed_us,
        "newest_us": found.newest_us,
        "records": found.records,
        "runs": dict(found.runs),
        "safe_mode": found.is_safe_mode,
        "schema": SCHEMA,
        "size": found.size,
        "version": found.version,
    }
