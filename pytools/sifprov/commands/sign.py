"""`sifprov sign`"""

from __future__ import annotations

import click

from sifprov.commands.place import ContainerPath
from sifprov.commands.warning import warn_of_writers
from sifprov.errors import Exit
from sifprov.runtime.find import find_runtime
from sifprov.sign import sign


@click.command("sign")
@click.argument("container", metavar="OUT.sif", type=ContainerPath())
@click.option(
    "--key", metavar="N|FILE",
    help="The key: its number in 'key list --secret' of the runtime, or a PEM file.",
)  # fmt: skip
@click.option("--records-only", is_flag=True, help="Sign the records, and nothing else.")
@click.option("--runtime", metavar="PROGRAM", help="Use this singularity or apptainer.")
def command(container: str, key: str | None, records_only: bool, runtime: str | None) -> int:
    """Sign the records of OUT.sif with your own key, through the runtime.

    The data is signed too, so that the runtime's plain 'verify' holds; what is signed already is
    left alone. A passphrase is asked for by the runtime, once for each group of objects.

    \b
    Examples:
      sifprov sign output.sif
      sifprov sign --key 1 output.sif && singularity verify output.sif
    """
    warn_of_writers(container)
    done = sign(container, find_runtime(runtime), key=key, records_only=records_only)
    if done.groups:
        click.echo("signed: group " + ", ".join(map(str, done.groups)))
    else:
        click.echo("nothing to sign: all of it is signed already")
    return Exit.OK
