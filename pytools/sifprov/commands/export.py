"""`sifprov export`"""

from __future__ import annotations

import os

import click

from sifprov.commands.progress import steps
from sifprov.errors import Exit
from sifprov.exportformats import FORMATS, Wishes, export, format_named
from sifprov.settings import metadata_place
from sifprov.trail import read_trail


@click.command("export")
@click.argument("container", metavar="OUT", type=click.Path())
@click.option(
    "--format", "format_", required=True, type=click.Choice(sorted(FORMATS)), help="What to write.",
)  # fmt: skip
@click.option(
    "-o", "--output", metavar="PATH", type=click.Path(),
    help="Write to PATH [default: standard output].",
)  # fmt: skip
@click.option(
    "--record", metavar="ID", default="", help="The run or making, by its id. [in-toto, oci]"
)
@click.option(
    "--license", "license_", metavar="TEXT|URL", default="",
    help="Under which terms others may use it; no record says so. [oci, ro-crate]",
)  # fmt: skip
@click.option(
    "--with-data", is_flag=True, help="Copy the containers that are found into it. [ro-crate]"
)
@click.option(
    "--key", metavar="FILE", default="", type=click.Path(dir_okay=False),
    help="Sign it with this private key, a PEM file: Ed25519 or ECDSA P-256. [in-toto]",
)  # fmt: skip
@click.option("--file-digest", is_flag=True, help="Speak of the bytes of OUT's file too. [in-toto]")
@click.option(
    "--search", multiple=True, metavar="DIR", type=click.Path(file_okay=False, exists=True),
    help="Look for ancestors below this folder too (may be repeated).",
)  # fmt: skip
@click.option(
    "--metadata", metavar="PATH", type=click.Path(exists=True),
    help="The metadata container or sidecar that has records [default: $SIFPROV_METADATA, or the"
    " setting].",
)  # fmt: skip
def command(
    container: str,
    format_: str,
    output: str | None,
    record: str,
    license_: str,
    with_data: bool,
    key: str,
    file_digest: bool,
    search: tuple[str, ...],
    metadata: str | None,
) -> int:
    """Write what made OUT for other programs: a package, a statement, or annotations.

    OUT is a container, a folder with a sidecar, a sidecar, or a metadata container. A crate tells
    the whole trail, as far as it is at hand; a statement and annotations tell of one run or making,
    by default of the one that left OUT as it stands. 'sifprov verify --attestation' checks a
    statement. The same trail gives the same bytes.

    \b
    Examples:
      sifprov export output.sif --format ro-crate -o crate.zip
      sifprov export output.sif --format ro-crate --with-data -o crate
      sifprov export output.sif --format in-toto --key key.pem -o output.intoto.json
      sifprov export output.sif --format oci -o annotations.json
      oras push registry/results:1 --annotation-file annotations.json output.sif
    """
    wishes = Wishes(
        record=record,
        license=license_,
        with_data=with_data,
        key=key,
        passphrase=os.environ.get("SIFPROV_KEY_PASSPHRASE", "") if key else "",
        file_digest=file_digest,
    )
    # Before anything is read.
    format_named(format_, wishes)
    with steps() as step:
        trail = read_trail(container, search, metadata_place(metadata), on_step=step)
        text = export(trail, format_, wishes, output)
    if text is not None:
        click.echo(text, nl=False)
    return Exit.OK
