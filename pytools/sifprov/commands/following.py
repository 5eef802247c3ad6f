"""What `ps` and `log` share, and every other reader of the catalog: reports that wait are taken in
first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from sifprov import livereports
from sifprov.errors import SifprovError
from sifprov.terminal import counted, printable

if TYPE_CHECKING:
    from sifprov.catalog.running import Machine
    from sifprov.catalog.store import Catalog


class Following:
    """A catalog that is looked at once or again and again."""

    def __init__(self, catalog: Catalog, *, own: bool) -> None:
        self.catalog, self._own = catalog, own

    def look(self) -> tuple[Machine, tuple[str, ...]]:
        """Takes in what waits, and notes which runs of this machine are lost; returns the machine,
        and their ids. What the catalog does not let us write is one line on standard error."""
        from sifprov.catalog.running import settle, this_machine

        machine = this_machine()
        try:
            if self._own:
                take(self.catalog)
            return machine, settle(self.catalog, machine)
        except SifprovError as error:
            warn(f"what runs report is not taken in: {error}")
        return machine, ()


@contextmanager
def following(place: str | None) -> Iterator[Following]:
    """Yields the catalog at `place`; the user's own is made where there is none. Reports go into
    that one alone. Raises MissingError, FileError."""
    from sifprov.catalog.store import open_catalog

    with open_catalog(place, create=place is None) as catalog:
        yield Following(catalog, own=place is None)


def take(catalog: Catalog) -> int:
    """Takes in what waits and says what went wrong with it; returns how many reports that were.
    Raises FileError where the catalog fails."""
    from sifprov.catalog.live import take_in

    taken = take_in(catalog)
    for text in taken.warnings:
        warn(text)
    return taken.reports


def take_before(place: str | None) -> None:
    """Takes what waits into the user's own catalog, before it is read. Who names another one, or
    has no reports, pays nothing. What goes wrong is one line on standard error."""
    if place is not None or not livereports.count():
        return
    from sifprov.catalog.store import open_catalog

    try:
        with open_catalog(create=True) as catalog:
            take(catalog)
    except SifprovError as error:
        warn(f"what runs report is not taken in: {error}")


def tell_lost(ids: Sequence[str]) -> None:
    """Says of which runs nobody will tell the end, and what may still be had of them."""
    if not ids:
        return
    kept = spooled() & set(ids)
    runs = ", ".join(ident[:8] for ident in ids[:8]) + (", …" if len(ids) > 8 else "")
    warn(f"lost, for nobody was left to tell how they ended: {counted(len(ids), 'run')} ({runs})")
    if kept:
        warn(f"{counted(len(kept), 'record')} of them can be made: 'sifprov flush'")


def spooled() -> frozenset[str]:
    """Returns the ids of the runs whose records, or requests for one, wait in the spool."""
    from sifprov.spool import ids

    try:
        return frozenset(ids())
    except SifprovError:
        return frozenset()


def warn(text: str) -> None:
    """Prints one line."""
    click.echo(f"sifprov: warning: {printable(text)}", err=True)
