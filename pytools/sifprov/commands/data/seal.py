"""`sifprov data seal`"""

from __future__ import annotations

import json

import click

from sifprov.commands.place import ContainerPath
from sifprov.commands.progress import steps
from sifprov.seal import Sealed, seal
from sifprov.terminal import printable, size


@click.command("seal")
@click.argument("container", metavar="OUT.sif", type=ContainerPath())
@click.argument("target", metavar="[NEW.sif]", type=click.Path(), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all went well.")
def command(container: str, target: str | None, as_json: bool, quiet: bool) -> None:
    """Make NEW.sif from OUT.sif: the same files, read-only and compressed, with the whole trail.

    NEW.sif (by default OUT.sealed.sif) has the same tree digest, and a record that says from which
    container it was sealed. OUT.sif is not changed.

    \b
    Examples:
      sifprov data seal output.sif
      sifprov data seal output.sif archive/output-2026.sif
    """
    with steps() as show:
        made = seal(container, target, on_step=show)
    if made.signed:
        click.echo(
            f"sifprov: note: the signatures of {printable(container)} are not carried over: they "
            "sign its objects, not their content elsewhere; 'sifprov sign' signs the new ones",
            err=True,
        )
    if as_json:
        click.echo(json.dumps(_json(made), indent=2, sort_keys=True))
    elif not quiet:
        click.echo(
            f"sealed {printable(container)} ({size(made.original_size)}) as "
            f"{printable(made.path)} ({size(made.size)}): {made.tree.digest}"
        )


def _json(made: Sealed) -> dict[str, object]:
    return {
        "digest": made.tree.digest,
        "partition_bytes": made.partition.size,
        "path": made.path,
        "sealed_from": str(made.original.uuid),
        "uuid": str(made.uuid),
    }
