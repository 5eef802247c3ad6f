"""`sifprov verify`"""

from __future__ import annotations

import json

import click

from sifprov.commands.place import ContainerPath
from sifprov.commands.progress import steps
from sifprov.exportformats import attested
from sifprov.render.verify import render
from sifprov.settings import metadata_place
from sifprov.terminal import printable
from sifprov.verify import Verdict, verify

_COLOURS = {
    Verdict.GOOD: "green",
    Verdict.BROKEN: "red",
    Verdict.MISSING: "yellow",
    Verdict.NOT_CHECKED: None,
}


@click.command("verify")
@click.argument("container", metavar="OUT", type=ContainerPath())
@click.option(
    "--search", multiple=True, metavar="DIR", type=click.Path(file_okay=False, exists=True),
    help="Look for ancestors below this folder too (may be repeated).",
)  # fmt: skip
@click.option("--full", is_flag=True, help="Read the content of all ancestors and the application.")
@click.option("--signed", is_flag=True, help="Demand valid signatures on all records and the data.")
@click.option(
    "--key", metavar="FILE", type=click.Path(exists=True, dir_okay=False),
    help="The public key of the signatures, a PEM file [default: your key ring].",
)  # fmt: skip
@click.option(
    "--attestation", metavar="FILE", type=click.Path(exists=True, dir_okay=False),
    help="Check this statement about OUT too ('sifprov export --format in-toto').",
)  # fmt: skip
@click.option(
    "--public-key", metavar="FILE", type=click.Path(exists=True, dir_okay=False),
    help="The public key that signed the attestation, a PEM file.",
)  # fmt: skip
@click.option("--runtime", metavar="PROGRAM", help="Use this singularity or apptainer.")
@click.option(
    "--metadata", metavar="PATH", type=click.Path(exists=True),
    help="The metadata container or sidecar that has records [default: $SIFPROV_METADATA, or the"
    " setting].",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print only what is not good.")
@click.option("-v", "--verbose", is_flag=True, help="Print all that was found.")
def command(
    container: str,
    search: tuple[str, ...],
    full: bool,
    signed: bool,
    key: str | None,
    attestation: str | None,
    public_key: str | None,
    runtime: str | None,
    metadata: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Check OUT against all that its records say, and print each check with its verdict.

    OUT is a container, a folder with a sidecar, a sidecar, or a metadata container. Its content is
    read; of its ancestors only headers, records and times, unless --full is given. Exits with 0
    when all is good, with 1 when anything is broken, with 3 when nothing is wrong, but something
    that would prove it is missing.

    \b
    Examples:
      sifprov verify output.sif
      sifprov verify --full --search /archive output.sif
      sifprov verify --signed output.sif && echo all of it is signed
      sifprov verify --attestation output.intoto.json --public-key public.pem output.sif
      sifprov verify --json output.sif | jq '.checks[] | select(.verdict == "broken")'
    """
    place = metadata_place(metadata)
    if public_key and not attestation:
        raise click.UsageError("--public-key needs --attestation")
    with steps() as on_step:
        report = verify(
            container,
            search,
            full,
            signed=signed,
            metadata=place,
            runtime=runtime,
            key=key,
            on_step=lambda text: on_step(printable(text)),
        )
        if attestation:
            on_step("checking the attestation")
            report = attested(
                report, container, attestation, public_key, search, metadata=place, full=full
            )
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2, ensure_ascii=True, sort_keys=True))
        return report.exit_code
    for line in render(report, quiet=quiet, verbose=verbose, style=_styled):
        click.echo(line)
    return report.exit_code


def _styled(verdict: Verdict, text: str) -> str:
    return click.style(text, _COLOURS[verdict])
