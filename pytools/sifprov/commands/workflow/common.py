"""What the verbs of workflows share."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import TextIO, TypeVar

import click

from sifprov.errors import SifprovError
from sifprov.render.colour import Palette
from sifprov.runtime.argv import parse
from sifprov.terminal import printable
from sifprov.workflow.load import Loaded, load
from sifprov.workflow.plan import Plan

T = TypeVar("T")
FILE = click.argument("file", metavar="WF.json", type=click.Path())
RUNTIME = click.option(
    "--runtime", metavar="PROGRAM",
    help="The singularity or apptainer to use [default: $SIFPROV_RUNTIME, then PATH].",
)  # fmt: skip
OPTION = click.option(
    "--runtime-option", "options", multiple=True, metavar="OPTION",
    help="An option for the runtime's exec in every step, as --runtime-option=--nv (may be"
    " repeated).",
)  # fmt: skip
_EXECUTOR = click.option("--executor", metavar="NAME", help="Where steps run: local, or slurm.")
_PROFILE = click.option(
    "--profile", metavar="NAME|DIR", help="A profile of Snakemake: executor, account, partition, …"
)
_MORE = click.option(
    "--snakemake-option", "more", multiple=True, metavar="OPTION",
    help="A further option for Snakemake, as --snakemake-option=--slurm-no-account (may be"
    " repeated).",
)  # fmt: skip
JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def snakemake_options(function: Callable[..., T]) -> Callable[..., T]:
    """Adds the options that lead to Snakemake."""
    for option in (_MORE, _PROFILE, _EXECUTOR):
        function = option(function)
    return function


def read_plan(file: str, runtime: str | None, options: tuple[str, ...]) -> Plan:
    """Reads a workflow file; what had to be chosen is told on standard error."""
    loaded = load(file)
    tell(loaded)
    line = parse(["", "exec", *options, "IMAGE"])
    if line is None or line.image != "IMAGE":
        raise SifprovError("--runtime-option: not options of the runtime, each with its value")
    return Plan(loaded.workflow, loaded.folder, runtime=runtime, options=options)


def tell(loaded: Loaded) -> None:
    """Prints what another program's file does not say."""
    for note in loaded.notes:
        click.echo(f"note: {printable(note)}", err=True)


def palette(stream: TextIO) -> Palette:
    """Returns the colours for a stream."""
    return Palette(stream.isatty() and not os.environ.get("NO_COLOR"))


def out(line: str) -> None:
    """Prints a line of the result."""
    click.echo(line, color=True)


def print_json(document: object) -> None:
    """Prints a document."""
    click.echo(json.dumps(document, indent=2, sort_keys=True))


def stdout() -> Palette:
    """Returns the colours for standard output."""
    return palette(sys.stdout)
