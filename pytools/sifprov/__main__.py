"""The way in. Runs of a container go straight to the wrapper: what `sifprov` imports for its other
verbs would double its cost, which is on the user's clock."""

from __future__ import annotations

import sys

_WRAPPED = ("exec", "run", "shell")


def entry() -> None:
    """Runs the program."""
    if len(sys.argv) > 2 and sys.argv[1] in _WRAPPED:
        import gc

        # A process of one run, and nearly all that it makes lives to its end.
        gc.disable()
        from sifprov.wrapper.main import run_or_help

        run_or_help(sys.argv[1], sys.argv[2:])
    from sifprov.cli import entry

    entry()


if __name__ == "__main__":
    entry()
