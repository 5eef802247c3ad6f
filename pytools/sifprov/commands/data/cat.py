"""`sifprov data cat`"""

from __future__ import annotations

import os
import sys

import click

from sifprov.commands.place import ContainerPath
from sifprov.errors import FileError
from sifprov.filesystem.opening import open_container


@click.command("cat")
@click.argument("container", metavar="OUT.sif", type=ContainerPath())
@click.argument("path", metavar="PATH")
def command(container: str, path: str) -> None:
    """Print a file of a data container as it is, without mounting it.

    PATH is a path inside OUT.sif; symbolic links are followed inside the container only.

    \b
    Examples:
      sifprov data cat output.sif /Outputs/result.csv
      sifprov data cat output.sif /Outputs/plot.png > plot.png
    """
    with open_container(container) as (_, fs):
        node = fs.lookup(os.fsencode(path))
        if not node.is_file:
            what = "a folder" if node.is_dir else "no regular file"
            raise FileError(
                f"{container}: {path} is {what}",
                hint="'sifprov data ls' lists it" if node.is_dir else None,
            )
        for chunk in fs.content(node):
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
