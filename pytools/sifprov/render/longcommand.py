"""A command line that binds very many containers, in a few words."""

from __future__ import annotations

from collections.abc import Sequence

from sifprov.terminal import command

# The runtimes' options that bind, each with its value in the next word.
_BINDS = ("-B", "--bind", "--mount", "--data")
# Of more binds, these at the begin and the end are shown.
_MOST, _FIRST, _LAST = 6, 3, 1


def shortened(argv: Sequence[str]) -> str:
    """Returns the command line as `terminal.command` does; of more than six binds one behind the
    other, the first three and the last, and between them how many there are."""
    shown: list[str] = []
    at = 0
    while at < len(argv):
        count = _binds_at(argv, at)
        if count > _MOST:
            shown.append(command(argv[at : at + 2 * _FIRST]))
            shown.append(f"… {count - _FIRST - _LAST:,} more binds …")
            at += 2 * (count - _LAST)
        shown.append(command(argv[at : at + 1]))
        at += 1
    return " ".join(shown)


def _binds_at(argv: Sequence[str], at: int) -> int:
    """How many binds stand one behind the other from there on."""
    end = at
    while end + 1 < len(argv) and argv[end] in _BINDS:
        end += 2
    return (end - at) // 2
