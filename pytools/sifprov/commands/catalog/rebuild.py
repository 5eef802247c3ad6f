"""`sifprov catalog rebuild`"""

from __future__ import annotations

import click

from sifprov.catalog.rebuild import rebuild
from sifprov.catalog.store import open_catalog
from sifprov.commands.answers import catalog_option
from sifprov.commands.index import JOBS, show_summary
from sifprov.commands.progress import steps
from sifprov.errors import Exit


@click.command("rebuild")
@JOBS
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but what could not be read.")
@catalog_option
def command(jobs: int | None, quiet: bool, catalog: str | None) -> int:
    """Read all containers that the catalog knows again, as if it were new.

    What stands in containers is forgotten first. Where they are is kept, and what was reported of
    runs that have no record yet. Files on other machines' own disks are read again by the next
    index there.

    \b
    Examples:
      sifprov catalog rebuild
    """
    with open_catalog(catalog) as opened:
        with steps() as step:
            summary = rebuild(opened, jobs=jobs, on_step=step)
        show_summary(summary, opened.name, quiet=quiet)
    return Exit.OK
