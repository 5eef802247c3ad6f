"""`sifprov compare`"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

import click

from sifprov.commands.place import ContainerPath
from sifprov.commands.progress import steps
from sifprov.compare import DIFFERS, ONLY_FIRST, ONLY_SECOND, SAME
from sifprov.comparison import ALIKE, Comparison, FileComparison, Side, compare_contents
from sifprov.content import Entry
from sifprov.errors import Exit, SifprovError
from sifprov.filediff import in_words
from sifprov.model.canonical import Json, text_to_json
from sifprov.render.difference import details, difference_to_json
from sifprov.terminal import counted, printable, size

SCHEMA = "sifprov.compare/1"
_WORDS = {
    SAME: "same",
    ALIKE: "alike",
    DIFFERS: "differs",
    ONLY_FIRST: "only in the first",
    ONLY_SECOND: "only in the second",
}
_KINDS = {
    "f": "file", "x": "executable file", "d": "folder", "l": "link",
    "p": "FIFO", "s": "socket", "b": "block device", "c": "character device",
}  # fmt: skip


@click.command("compare")
@click.argument("first", metavar="A[@ID]", type=ContainerPath(is_reference=True))
@click.argument("second", metavar="B[@ID]", type=ContainerPath(is_reference=True))
@click.option(
    "--tolerance", metavar="T",
    help="Numbers that differ by at most T · max(1, |a|, |b|) count as the same, as in 1e-6.",
)  # fmt: skip
@click.option(
    "--lines", metavar="N", type=click.IntRange(0), default=10, show_default=True,
    help="Print at most N lines of how a text differs.",
)  # fmt: skip
@click.option("-a", "--all", "show_all", is_flag=True, help="List the files that are the same too.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print the verdict alone.")
def command(
    first: str,
    second: str,
    tolerance: str | None,
    lines: int,
    show_all: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Compare the files of two data containers: which are the same, differ, or are only in one.

    A and B are data containers or plain folders; A@ID is what A held behind the record whose id
    begins with ID, of which only the list of files is known. Where their mount points are not the
    same, files are compared by their paths below them. Of tables and other text that differs in
    numbers alone, the numbers are compared; of other text, lines; of PNG pictures, pixels. What has
    other bytes and is equal by its kind is alike. The exit code is 0 when all is the same or alike,
    else 1.

    \b
    Examples:
      sifprov compare output.sif output.rerun-1.sif
      sifprov compare output.sif published/ --tolerance 1e-9
      sifprov compare a.sif b.sif --json | jq '.files[] | select(.verdict != "same").path'
    """
    limit = parse_tolerance(tolerance)
    with steps() as step:
        found = compare_contents(first, second, tolerance=limit, lines=lines, on_step=step)
    if as_json:
        click.echo(json.dumps(_to_json(found, limit), indent=2, sort_keys=True))
    else:
        for line in () if quiet else _lines(found, show_all):
            click.echo(line)
        click.echo(found.word)
    return Exit.OK if found.same else Exit.DIFFERS


def parse_tolerance(text: str | None) -> Decimal | None:
    """Returns what --tolerance asks for. Raises SifprovError for what is no number from 0 on."""
    if text is None:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite() or value < 0:
        raise SifprovError(
            f"--tolerance {text}: not a number from 0 on", hint="write it as 0.001 or 1e-6"
        )
    return value


def _lines(found: Comparison, show_all: bool) -> Iterator[str]:
    for name, side in (("first", found.first), ("second", found.second)):
        content = f"{counted(side.files, 'file')}, {size(side.tree.size)}"
        yield f"{name:<6}  {printable(side.path)}  {content}"
    for row in found.files:
        if row.verdict == SAME and not show_all and not row.modes:
            continue
        yield f"  {_WORDS[row.verdict]:<18}  {printable(os.fsdecode(row.path))}  {_what(row)}"
        for line in _more(row):
            yield f"      {line}"
    same = sum(row.verdict == SAME for row in found.files)
    if same and not show_all:
        yield f"  {same} of {len(found.files)} entries are the same"


def _what(row: FileComparison) -> str:
    """The kind where that differs, else the sizes."""
    both = [e for e in (row.first, row.second) if e]
    kinds = list(dict.fromkeys(_KINDS[e.kind] for e in both))
    sizes = list(dict.fromkeys(size(e.size) for e in both if e.size is not None))
    return " → ".join(kinds if len(kinds) > 1 or not sizes else sizes)


def _more(row: FileComparison) -> Iterator[str]:
    if row.modes:
        yield f"mode {row.modes[0]:04o} → {row.modes[1]:04o}"
    if row.moved is not None:
        where = "second" if row.verdict == ONLY_FIRST else "first"
        yield f"the {where} has the same content as {printable(os.fsdecode(row.moved))}"
    difference = row.difference
    if (
        row.verdict == DIFFERS
        and row.first
        and row.first.kind == "l" == (row.second or row.first).kind
    ):
        yield "the targets differ"
    if difference is None:
        return
    if not difference.text:
        yield in_words(difference)
    yield from details(difference)


def _to_json(found: Comparison, tolerance: Decimal | None) -> Json:
    return {
        "files": [_row(row) for row in found.files],
        "first": _side(found.first),
        "same": found.same,
        "schema": SCHEMA,
        "second": _side(found.second),
        "tolerance": None if tolerance is None else str(tolerance),
    }


def _side(side: Side) -> Json:
    return {
        "bytes": side.tree.size,
        "digest": side.digest,
        "files": side.files,
        "path": text_to_json(side.path),
    }


def _row(row: FileComparison) -> Json:
    return {
        "difference": difference_to_json(row.difference) if row.difference else None,
        "first": _entry(row.first),
        "moved": None if row.moved is None else text_to_json(os.fsdecode(row.moved)),
        "path": text_to_json(os.fsdecode(row.path)),
        "second": _entry(row.second),
        "verdict": row.verdict,
    }


def _entry(entry: Entry | None) -> Json:
    if entry is None:
        return None
    mode = None if entry.mode is None else f"{entry.mode:04o}"
    return {"kind": _KINDS[entry.kind], "mode": mode, "size": entry.size, "value": entry.value}
