"""`sifprov diff`"""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from sifprov.commands.place import ContainerPath
from sifprov.errors import Exit
from sifprov.model.canonical import Json, text_to_json
from sifprov.render.clock import local_time
from sifprov.rundiff import (
    DIFFERS,
    SAME,
    SHOWN,
    UNKNOWN,
    Diff,
    Recorded,
    Topic,
    diff_runs,
    read_run,
)
from sifprov.settings import metadata_place
from sifprov.terminal import command as command_line
from sifprov.terminal import printable

SCHEMA = "sifprov.diff/1"
_WORDS = {SAME: "same", DIFFERS: "differs", UNKNOWN: "not known", SHOWN: ""}
_MAX_TEXT = 200


@click.command("diff")
@click.argument("first", metavar="A[@ID]", type=ContainerPath(is_reference=True))
@click.argument(
    "second", metavar="[B[@ID]]", required=False, type=ContainerPath(is_reference=True)
)  # fmt: skip
@click.option(
    "--metadata", metavar="PATH", type=click.Path(exists=True),
    help="The metadata container or sidecar that has records [default: $SIFPROV_METADATA, or the"
    " setting].",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print the verdict alone.")
def command(
    first: str, second: str | None, metadata: str | None, as_json: bool, quiet: bool
) -> int:
    """Tell what is not the same between two recorded runs.

    Each is the newest run recorded in A or B, or the one whose record's id begins with ID. Without
    B, the last two runs of A are compared. Containers are matched by their mount points and
    compared by their content, wherever they were. Resources and circumstances are shown, and do not
    count. The exit code is 0 when all that counts is the same, else 1.

    \b
    Examples:
      sifprov diff output.sif
      sifprov diff output.sif output.rerun-1.sif
      sifprov diff output.sif@3f2a other.sif --json | jq '.topics[] | select(.verdict=="differs")'
    """
    place = metadata_place(metadata)
    if second is None:
        newest = read_run(first, place)
        found = diff_runs(read_run(first, place, before=1), newest)
    else:
        found = diff_runs(read_run(first, place), read_run(second, place))
    if as_json:
        click.echo(json.dumps(_to_json(found), indent=2, sort_keys=True))
    else:
        for line in () if quiet else _lines(found):
            click.echo(line)
        click.echo("same" if found.same else "differs")
    return Exit.OK if found.same else Exit.DIFFERS


def _lines(found: Diff) -> Iterator[str]:
    for name, side in (("first", found.first), ("second", found.second)):
        when = local_time(side.run.started)
        yield f"{name:<6}  {printable(side.path)}  run {when}  {side.record.id}"
        yield f"        $ {command_line(side.run.argv or side.run.command)}"
    for topic in found.topics:
        if topic.verdict == SHOWN and not topic.changes:
            continue
        yield f"{topic.name:<14}{_WORDS[topic.verdict]}".rstrip()
        yield from _changes(topic)


def _changes(topic: Topic) -> Iterator[str]:
    for one in topic.changes:
        what, a, b = _short(one.what), one.first, one.second
        if a is None and b is None:
            yield f"    {what}"
        elif a is None:
            yield f"    {what}: only in the second: {_short(b or '')}"
        elif b is None:
            yield f"    {what}: only in the first: {_short(a)}"
        else:
            yield f"    {what}: {_short(a)} → {_short(b)}"


def _short(text: str) -> str:
    return printable(text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…")


def _to_json(found: Diff) -> Json:
    return {
        "first": _side(found.first),
        "same": found.same,
        "schema": SCHEMA,
        "second": _side(found.second),
        "topics": [
            {
                "changes": [
                    {
                        "first": _text(c.first),
                        "second": _text(c.second),
                        "what": text_to_json(c.what),
                    }
                    for c in topic.changes
                ],
                "name": topic.name,
                "verdict": topic.verdict,
            }
            for topic in found.topics
        ],
    }


def _side(side: Recorded) -> Json:
    return {
        "digest": side.digest,
        "path": text_to_json(side.path),
        "record": str(side.record.id),
        "started": side.run.started,
    }


def _text(value: str | None) -> Json:
    return None if value is None else text_to_json(value)
