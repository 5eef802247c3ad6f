"""Where the catalog is: `--catalog`, $SIFPROV_CATALOG, the setting, else a file of the user's.

A place is a path or a URL: `sqlite:///PATH`, `postgresql://USER@HOST/DATABASE`, or
`postgresql:///DATABASE?host=/run/postgresql` for a socket.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from sifprov.errors import MissingError, SifprovError
from sifprov.frozen import dataclass
from sifprov.settings import data_folder, load

NAME = "catalog.db"
SQLITE, POSTGRESQL = "sqlite", "postgresql"
_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")


@dataclass(frozen=True)
class Place:
    """A database: `kind`, its URL, and for SQLite the absolute `path`."""

    kind: str
    url: URL
    path: str = ""

    @property
    def name(self) -> str:
        """What to call it in a message: no password, and no option that could hold one."""
        if self.path:
            return self.path
        url = self.url
        bare = URL.create(POSTGRESQL, url.username, None, url.host, url.port, url.database)
        host = url.query.get("host")
        return str(bare) + (f"?host={host}" if isinstance(host, str) else "")


def find_place(where: str | None = None, environ: Mapping[str, str] | None = None) -> Place:
    """Returns the catalog's place; `where` is what was typed. Raises SifprovError for what is
    none."""
    environ = os.environ if environ is None else environ
    where = where or load(environ).catalog or _default(environ)
    if "://" not in where:
        path = os.path.abspath(os.path.expanduser(where))
        return Place(SQLITE, URL.create(SQLITE, database=path), path)
    try:
        url = make_url(where)
    except (ArgumentError, ValueError):
        # The text may hold a password, so it is not shown.
        raise _bad("the catalog's URL cannot be read") from None
    if url.drivername in _POSTGRESQL:
        return Place(POSTGRESQL, url.set(drivername="postgresql+psycopg"))
    if url.drivername == SQLITE and url.database and not url.host:
        path = os.path.abspath(url.database)
        return Place(SQLITE, URL.create(SQLITE, database=path), path)
    raise _bad(f"a catalog cannot be at a URL that begins with {url.drivername}://")


def missing(name: str) -> MissingError:
    """Returns the error that says that there is no catalog."""
    return MissingError(
        f"{name}: there is no catalog yet", hint="fill one: sifprov index FOLDER-WITH-CONTAINERS"
    )


def _default(environ: Mapping[str, str]) -> str:
    folder = data_folder(environ)
    if not folder:
        raise _bad("there is no home folder to keep a catalog in")
    return os.path.join(folder, NAME)


def _bad(message: str) -> SifprovError:
    return SifprovError(
        message,
        hint="name a file, or postgresql://USER@HOST/DATABASE, with --catalog or $SIFPROV_CATALOG",
    )
