"""`sifprov flush`"""

from __future__ import annotations

import json

import click

from sifprov.commands.following import take_before
from sifprov.commands.progress import steps
from sifprov.commands.warning import warn_of_writers
from sifprov.errors import Exit
from sifprov.flush import SCHEMA, Delivered, Item, drop, flush, listing
from sifprov.model.canonical import Json, text_to_json
from sifprov.render.clock import local_time
from sifprov.spool import folder
from sifprov.terminal import command as command_line
from sifprov.terminal import printable


@click.command("flush")
@click.option("--list", "list_only", is_flag=True, help="Show what waits; deliver nothing.")
@click.option(
    "--search", multiple=True, metavar="DIR", type=click.Path(file_okay=False, exists=True),
    help="Look for moved containers, and for what waits outside of the spool, here too (may be"
    " repeated).",
)  # fmt: skip
@click.option(
    "--drop", "dropped", multiple=True, metavar="ID",
    help="Delete what waits under ID without delivering it (may be repeated).",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option("-q", "--quiet", is_flag=True, help="Print only what could not be delivered.")
def command(
    list_only: bool, search: tuple[str, ...], dropped: tuple[str, ...], as_json: bool, quiet: bool
) -> int:
    """Deliver the records that could not be written into their container at the time.

    A container that was read-only, full, locked or gone leaves its record in
    ~/.local/state/sifprov/spool. What still cannot be delivered stays there. What runs have
    reported ('live = yes') is taken into the catalog, too.

    \b
    Examples:
      sifprov flush
      sifprov flush --search /archive/results
      sifprov flush --list
      sifprov flush --drop 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed
    """
    if list_only and dropped:
        raise click.UsageError("--list and --drop exclude each other")
    if list_only:
        _show_list(listing(search), as_json)
        return Exit.OK
    done: list[Delivered] = []
    with steps() as step:
        for one in drop(dropped, search) if dropped else flush(search):
            done.append(one)
            step(f"{len(done)} of what waits")
    if as_json:
        click.echo(json.dumps(_to_json(done), indent=2, sort_keys=True))
    else:
        _show(done, quiet)
    if not dropped:
        take_before(None)
    return Exit.MISSING if any(one.error for one in done) else Exit.OK


def _show(done: list[Delivered], quiet: bool) -> None:
    for one in done:
        if one.error:
            which = f"{one.id}: " if one.id else ""
            click.echo(f"sifprov: kept: {which}{printable(one.error)}", err=True)
        elif quiet:
            continue
        elif one.dropped:
            click.echo(f"dropped {printable(one.path)}")
        elif not one.targets:
            click.echo(f"nothing to record for {one.id}: its run changed no container")
        for target in one.targets:
            warn_of_writers(target)
            if not quiet:
                click.echo(f"recorded in {printable(target)}")
    if not done and not quiet:
        click.echo(f"nothing waits in {printable(folder())}")


def _show_list(items: list[Item], as_json: bool) -> None:
    if as_json:
        document: Json = {"schema": SCHEMA, "waiting": [item.to_json() for item in items]}
        click.echo(json.dumps(document, indent=2, sort_keys=True))
        return
    for item in items:
        click.echo(item.id or "unreadable")
        if item.targets:
            click.echo(f"  for {', '.join(map(printable, item.targets))}")
        if item.started:
            since = f", waits since {local_time(item.since)}" if item.since else ""
            click.echo(f"  run {local_time(item.started)}{since}")
        if item.command:
            click.echo(f"  $ {command_line(item.command)}")
        for text in (item.reason, item.error):
            if text:
                click.echo(f"  {printable(text)}")
    if not items:
        click.echo(f"nothing waits in {printable(folder())}")


def _to_json(done: list[Delivered]) -> Json:
    return {
        "delivered": [
            {"id": d.id, "targets": [text_to_json(t) for t in d.targets]}
            for d in done
            if not d.error and not d.dropped
        ],
        "dropped": [d.id for d in done if d.dropped],
        "schema": SCHEMA,
        "waiting": [
            {"error": text_to_json(d.error), "id": d.id or None, "path": text_to_json(d.path)}
            for d in done
            if d.error
        ],
    }
