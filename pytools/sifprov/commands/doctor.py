"""`sifprov doctor`"""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterable
from pathlib import Path

import click

from sifprov.doctor import Check, Level, Report, diagnose
from sifprov.errors import Exit
from sifprov.terminal import printable

_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.BAD: "red", Level.SKIP: None}
_NAME = 16
_WIDTH = 100


@click.command("doctor")
@click.option("--runtime", metavar="PROGRAM", help="Look at this runtime only.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.argument("folder", required=False, type=click.Path(file_okay=False, exists=True))
def command(runtime: str | None, as_json: bool, folder: str | None) -> int:
    """Say what of your runs will be captured, in which way, and what to do where they are not.

    Looks at every runtime that is found, the plugin, the kernel, the programs that sifprov calls,
    your settings, and the locks of the file system of FOLDER [default: the current folder]. Runs no
    container. Exits with 0 when runs are captured in some way, with 1 otherwise.

    \b
    Examples:
      sifprov doctor
      sifprov doctor --runtime /opt/apptainer/bin/apptainer /scratch
      sifprov doctor --json
    """
    report = diagnose(runtime, Path(folder or os.getcwd()))
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2, sort_keys=True))
    else:
        _show(report)
    return Exit.OK if report.captured else Exit.DIFFERS


def _show(report: Report) -> None:
    for found in report.runtimes:
        runtime = found.runtime
        click.secho(f"{runtime.name} {runtime.version}  {printable(runtime.path)}", bold=True)
        _rows(found.checks)
        click.echo()
    click.secho("this machine and you", bold=True)
    _rows(report.checks)
    for found in report.runtimes:
        captured = found.verdict.way != "not"
        mark = click.style("captured    " if captured else "not captured", _verdict(captured))
        click.echo()
        click.echo(f"{mark}  {printable(found.verdict.text)}")
        _hint(found.verdict.hint, 14)


def _verdict(captured: bool) -> str:
    return "green" if captured else "red"


def _rows(checks: Iterable[Check]) -> None:
    for check in checks:
        level = click.style(f"{check.level.value:<4}", _COLOURS[check.level])
        lines = _wrapped(check.text, 2 + 4 + 2 + _NAME)
        click.echo(f"  {level}  {check.name:<{_NAME}}{lines[0]}")
        for line in lines[1:]:
            click.echo(" " * (8 + _NAME) + line)
        _hint(check.hint, 8 + _NAME)


def _hint(hint: str | None, indent: int) -> None:
    for number, line in enumerate(_wrapped(hint or "", indent + 3)):
        if line:
            click.echo(" " * indent + ("-> " if number == 0 else "   ") + line)


def _wrapped(text: str, indent: int) -> list[str]:
    # A path is never broken: it is there to be copied.
    return textwrap.wrap(
        printable(text), _WIDTH - indent, break_long_words=False, break_on_hyphens=False
    ) or [""]
