"""What a user must know before something is written into a container."""

from __future__ import annotations

import click

from sifprov.survivors import warning
from sifprov.terminal import printable


def warn_of_writers(path: str) -> None:
    """Prints one line when a process of an earlier run can still write into the container."""
    text = warning(path)
    if text:
        click.echo(f"sifprov: warning: {printable(text)}", err=True)
