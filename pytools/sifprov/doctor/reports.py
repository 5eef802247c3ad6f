"""Whether what runs report arrives in the catalog."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sifprov import livereports, settings
from sifprov.doctor.check import Check, ok, warn
from sifprov.errors import MissingError, SifprovError
from sifprov.terminal import counted

_NAME = "reports"
# Seconds for a server to answer.
_PATIENCE = 2


def reports(environ: Mapping[str, str]) -> Iterator[Check]:
    """Yields a check where runs report (the setting `live`), else nothing."""
    found = settings.load_or_default(environ)
    if found.live:
        yield _check(environ)


def _check(environ: Mapping[str, str]) -> Check:
    from sifprov.catalog.place import find_place  # SQLAlchemy: only who wants it pays for it
    from sifprov.catalog.store import version_there

    waiting = f"{counted(livereports.count(), 'report')} waiting"
    try:
        name = find_place(environ=environ).name
    except SifprovError as error:
        return warn(_NAME, f"{waiting}, and {error}", error.hint or "see docs/live.md")
    try:
        version_there(patience=_PATIENCE, environ=environ)
    except MissingError as error:
        if error.hint and "pip" in error.hint:
            return warn(_NAME, f"{waiting}: {error}", error.hint)
        # The first who looks makes it.
        return ok(_NAME, f"{waiting} for {name}, which is not made yet")
    except SifprovError as error:
        hint = error.hint or "runs go on without it; what they report arrives when it is back"
        return warn(_NAME, f"{waiting}, and {error}", hint)
    return ok(_NAME, f"{waiting} for {name}, which answers")
