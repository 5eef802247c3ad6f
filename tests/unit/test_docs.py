"""Every verb is documented, helps with examples, and shows the one table of exit codes."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sifprov.cli import main
from sifprov.errors import EXIT_CODES

REFERENCE = Path(__file__).parents[2] / "docs" / "reference.md"


def verbs() -> list[str]:
    """Every command of the program, as one types it."""
    found = []

    def walk(group: click.Group, words: list[str]) -> None:
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                walk(command, [*words, name])
            else:
                found.append(" ".join([*words, name]))

    walk(main, ["sifprov"])
    return found


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_is_in_the_reference(verb: str) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    assert f"\n## {verb}\n" in text


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_helps_with_examples_and_the_exit_codes(verb: str) -> None:
    done = CliRunner().invoke(main, [*verb.split()[1:], "--help"])
    assert done.exit_code == 0
    shown = done.output
    assert "Example" in shown
    assert all(meaning in shown for meaning in EXIT_CODES.values())


def test_the_reference_has_the_table_of_exit_codes() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    for code, meaning in EXIT_CODES.items():
        assert f"| {code.value} | {meaning} |" in text
