"""Groups whose verbs are imported when they are used: start-up is on the user's clock."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from sifprov.errors import EXIT_CODES


def exit_code_table() -> str:
    """Returns the one table of exit codes as `--help` shows it."""
    rows = "\n".join(f"  {code.value:>3}  {meaning}" for code, meaning in EXIT_CODES.items())
    return "\b\nExit codes:\n" + rows


class LazyGroup(click.Group):
    """A group of `verbs`: name to (module with an object `command`, its line in `--help`)."""

    def __init__(self, *args: Any, verbs: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **{"epilog": exit_code_table(), **kwargs})
        self._verbs = dict(verbs)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._verbs:
            return None
        command: click.Command = import_module(self._verbs[cmd_name][0]).command
        command.epilog = exit_code_table()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, text) for verb, (_, text) in sorted(self._verbs.items())])
