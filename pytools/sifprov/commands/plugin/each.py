"""Doing the same to several runtimes: what fails for one does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from sifprov.errors import Exit, SifprovError
from sifprov.pluginadmin import Place
from sifprov.terminal import printable


def on_each(places: Sequence[Place], work: Callable[[Place], Exit]) -> Exit:
    """Returns the highest exit code; an error about the only place is raised."""
    codes = [Exit.OK]
    for place in places:
        try:
            codes.append(work(place))
        except SifprovError as error:
            if len(places) == 1:
                raise
            click.echo(f"sifprov: error: {printable(f'{place.runtime.path}: {error}')}", err=True)
            if error.hint:
                click.echo(f"sifprov: hint: {printable(error.hint)}", err=True)
            codes.append(error.exit_code)
    return max(codes)
