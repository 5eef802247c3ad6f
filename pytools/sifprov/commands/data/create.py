"""`sifprov data create`"""

from __future__ import annotations

import json

import click

from sifprov.commands.progress import steps
from sifprov.create import create_data
from sifprov.model.record import INPUT, OUTPUT
from sifprov.sizes import parse_size
from sifprov.terminal import printable, size


@click.command("create")
@click.argument("out", metavar="OUT.sif", type=click.Path())
@click.option(
    "--from",
    "source",
    metavar="DIR",
    type=click.Path(),
    help="Fill it with the content of this folder.",
)
@click.option("--mount", required=True, metavar="PATH", help="Where runs bind it, such as /Inputs.")
@click.option(
    "--free", default="0", metavar="SIZE", help="Room for what runs write: 512K, 8M, 1.5G."
)
@click.option(
    "--role", type=click.Choice([INPUT, OUTPUT]),
    help="What it is for [default: input with --from, else output].",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all went well.")
def command(
    out: str,
    source: str | None,
    mount: str,
    free: str,
    role: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make the data container OUT.sif and print the bind to type.

    Files keep their modes, times, links and names; they belong to you. OUT.sif must not exist,
    and appears only when it is whole. A container made --from a folder carries an origin record.

    \b
    Examples:
      sifprov data create input.sif --from ./data --mount /Inputs
      sifprov data create output.sif --free 8M --mount /Outputs
    """
    with steps() as show:
        made = create_data(
            out, mount=mount, role=role, source=source, free=parse_size(free), on_step=show
        )
    declared = made.declaration
    bind = f"{out}:{declared.mount}:image-src={declared.mount}"
    if as_json:
        document = {
            "bind": bind,
            "digest": made.tree.digest,
            "mount": declared.mount,
            "partition_bytes": made.partition.size,
            "path": out,
            "role": declared.role,
            "uuid": str(made.uuid),
        }
        click.echo(json.dumps(document, indent=2, sort_keys=True))
    elif not quiet:
        files = sum(1 for e in made.tree.entries if e.kind in "fx")
        click.echo(
            f"made {printable(out)}: {declared.role} container, {files} files, "
            f"{size(made.tree.size)} in a partition of {size(made.partition.size)}"
        )
        click.echo(f"bind it with -B {printable(bind)}")
