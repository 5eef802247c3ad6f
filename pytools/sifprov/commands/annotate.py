"""`sifprov annotate`"""

from __future__ import annotations

import click

from sifprov.annotate import annotate
from sifprov.commands.place import ContainerPath, record_meant
from sifprov.commands.warning import warn_of_writers
from sifprov.errors import Exit
from sifprov.model.annotation import make
from sifprov.settings import metadata_place


@click.command("annotate")
@click.argument("container", metavar="OUT.sif", type=ContainerPath())
@click.option("--note", "notes", multiple=True, metavar="TEXT", help="A note (may be repeated).")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag (may be repeated).")
@click.option(
    "--metric", "metrics", multiple=True, metavar="NAME=NUMBER",
    help="A result as a number, such as r2=0.93 (may be repeated).",
)  # fmt: skip
@click.option(
    "--record", metavar="ID",
    help="The record that this is about: its id, or how that begins [default: the newest run].",
)  # fmt: skip
@click.option(
    "--metadata", metavar="PATH", type=click.Path(exists=True),
    help="The metadata container or sidecar that has the record [default: $SIFPROV_METADATA, or"
    " the setting].",
)  # fmt: skip
def command(
    container: str,
    notes: tuple[str, ...],
    tags: tuple[str, ...],
    metrics: tuple[str, ...],
    record: str | None,
    metadata: str | None,
) -> int:
    """Add notes, tags and metrics to a record of OUT.sif.

    They are written as a record of their own; earlier records stay as they are, byte for byte.
    'sifprov trail' shows them with the record that they are about.

    \b
    Examples:
      sifprov annotate output.sif --note 'detector 3 was off'
      sifprov annotate output.sif --record 1f0c --tag paper=draft-2 --metric r2=0.93
    """
    place = metadata_place(metadata)
    words = make(notes, tags, metrics)
    warn_of_writers(container)
    done = annotate(container, words, record_meant(record), place)
    what = "run" if done.about.run else "making"
    click.echo(f"noted about the {what} {done.about.id}")
    return Exit.OK
