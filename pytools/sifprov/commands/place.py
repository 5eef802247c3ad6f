"""A container as an argument: a path, or an id of which the catalog knows the file."""

from __future__ import annotations

import os
from typing import Any

import click

from sifprov.catalog.ids import is_id
from sifprov.errors import MissingError

_META = "sifprov.record"


class ContainerPath(click.Path):
    """The path of a container. Where there is no such file and the text looks like a UUID or a
    digest, it is the file that the catalog knows by it. With `is_reference` a run's id becomes
    `PATH@ID`; else `record_meant` tells of it."""

    def __init__(self, *, is_reference: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._is_reference = is_reference

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | bytes | os.PathLike[str]:
        text = os.fspath(value)
        if is_id(text) and not os.path.lexists(text):
            text, record = _located(text)
            if record and self._is_reference:
                return f"{text}@{record}"
            if record and ctx:
                ctx.meta[_META] = record
        return super().convert(text, param, ctx)


def record_meant(record: str | None) -> str | None:
    """Returns the record that was asked for: by an option, else by a run's id in place of the
    container."""
    return record or click.get_current_context().meta.get(_META)


def _located(text: str) -> tuple[str, str | None]:
    from sifprov.catalog.locate import locate
    from sifprov.catalog.store import open_catalog

    try:
        with open_catalog(read_only=True) as catalog, catalog.reading() as connection:
            return locate(connection, text)
    except MissingError as error:
        raise MissingError(f"{text}: no file of this name; {error}", hint=error.hint) from error
