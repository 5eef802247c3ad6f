"""Which runtime replays a run: the one that the user names, else the one that ran it."""

from __future__ import annotations

import os
import stat

from sifprov.errors import MissingError
from sifprov.model.record import Run
from sifprov.replay.translate import family
from sifprov.runtime.find import ENVIRONMENT, Runtime, identify_once
from sifprov.runtime.program import find_program

_NAMES = ("singularity", "apptainer")


class Runtimes:
    """The runtimes of one replay; each program is asked for its version once, and remembered."""

    def __init__(self, choice: str | None = None) -> None:
        self._choice = choice
        self._known: dict[str | None, Runtime] = {}

    def of(self, run: Run) -> Runtime:
        """Returns the runtime for a recorded run: the user's choice, the program that ran it, where
        it was named by its path and is still there, $SIFPROV_RUNTIME's, one of the same name on
        PATH, or any. Raises MissingError."""
        program = self._choice or _program(run)
        if program or os.environ.get(ENVIRONMENT):
            return self._find(program)
        try:
            return self._find(family(run.runtime_name))
        except MissingError:
            return self._find(None)

    def _find(self, program: str | None) -> Runtime:
        if program not in self._known:
            self._known[program] = identify_once(find_program(program))
        return self._known[program]


def _program(run: Run) -> str | None:
    """The recorded program. A record is no reason to run what anybody may have put there."""
    program = run.argv[0] if run.argv else ""
    if not os.path.isabs(program) or os.path.basename(program) not in _NAMES:
        return None
    try:
        status = os.stat(program)
    except OSError:
        return None
    ours = status.st_uid in (0, os.getuid()) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return program if ours and os.access(program, os.X_OK) else None
