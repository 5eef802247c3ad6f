"""What `sifprov exec`, `run` and `shell` share: their options are described here, and taken out
by the wrapper, which alone knows where the runtime's begin and end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from sifprov.errors import Exit, SifprovError
from sifprov.wrapper.main import run, wants_help


class WrappedCommand(click.Command):
    """A command that hands its arguments on as they are, but for `--help`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if wants_help(args):
            return super().parse_args(ctx, ["--help"])
        ctx.args = list(args)
        return ctx.args

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return run(self.name or "", ctx.args)
        except SifprovError as error:
            error.exit_code = Exit.NOT_STARTED
            raise


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--runtime",
        metavar="PROGRAM",
        help="The singularity or apptainer to use [default: $SIFPROV_RUNTIME, then PATH].",
    ),
    click.option(
        "--in",
        "inputs",
        multiple=True,
        type=click.Path(),
        metavar="DATA.sif[:FOLDER]",
        help="Bind a data container read-only, where it says or at FOLDER (may be repeated).",
    ),
    click.option(
        "--out",
        "outputs",
        multiple=True,
        type=click.Path(),
        metavar="RESULT.sif[:FOLDER]",
        help="Bind a data container for writing; makes it when it is not there. A plain folder gets"
        " its record beside it (may be repeated).",
    ),
    click.option(
        "--size",
        multiple=True,
        metavar="SIZE",
        help="How much a container that --out makes can take during the run: once for all of them,"
        " or once for each [default: 1G].",
    ),
    click.option(
        "--atomic",
        is_flag=True,
        help="Give what --out makes its name only when the command ended with 0 and the record is"
        " in it; else it is RESULT.failed.sif.",
    ),
    click.option(
        "--verbose", is_flag=True, help="Print the runtime's command line before it runs."
    ),
    click.option(
        "--metadata",
        metavar="PATH",
        help="Put the records there, not into the outputs [default: $SIFPROV_METADATA, or the"
        " setting].",
    ),
    click.option(
        "--digest",
        metavar="full|fast|none",
        help="Read everything, or only what changed, or no input [default: $SIFPROV_DIGEST, or the"
        " setting].",
    ),
    click.option(
        "--log", is_flag=True, help="Keep what the application prints, see 'sifprov log'."
    ),
    click.option(
        "--telemetry",
        is_flag=False,
        flag_value="yes",
        metavar="[=INTERVAL]",
        help="Measure what the run uses over time, each second or INTERVAL (0.5s, 1m), see 'sifprov"
        " log --telemetry'.",
    ),
    click.option("--note", multiple=True, metavar="TEXT", help="A note for the record."),
    click.option("--tag", multiple=True, metavar="KEY=VALUE", help="A tag for the record."),
    click.option(
        "--metric", multiple=True, metavar="NAME=NUMBER", help="A number for the record, r2=0.93."
    ),
    click.argument(
        "rest", nargs=-1, type=click.Path(), metavar="[RUNTIME OPTIONS] IMAGE [ARGS]..."
    ),
)


def wrapped(name: str) -> Callable[[Callable[..., None]], click.Command]:
    """Makes a command of a function whose text is its help."""

    def make(function: Callable[..., None]) -> click.Command:
        for option in reversed(_OPTIONS):
            function = option(function)
        command: click.Command = click.command(name, cls=WrappedCommand)(function)
        return command

    return make
