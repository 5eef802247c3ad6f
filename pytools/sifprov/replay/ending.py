"""How an application ended, then and now. Pure."""

from __future__ import annotations

from sifprov.model.record import EXITED, NOT_STARTED, SIGNALED, UNKNOWN, Run
from sifprov.model.request import CaptureEnd


def as_recorded(run: Run, end: Run | CaptureEnd) -> bool:
    """Whether an application ended as the record of `run` says, as far as that does."""
    if run.outcome in (UNKNOWN, NOT_STARTED):
        return run.outcome == UNKNOWN or end.outcome == NOT_STARTED
    return code_of(run) == code_of(end)


def code_of(end: Run | CaptureEnd) -> int:
    """Returns its exit code, as a shell gives it."""
    return 128 + end.signal if end.signal else end.exit_code or 0


def words_for(end: Run | CaptureEnd) -> str:
    """Returns how an application ended, as in `ended with 1` and `did not start`."""
    if end.outcome == NOT_STARTED:
        return "did not start"
    if end.outcome == SIGNALED:
        return f"ended by signal {end.signal}"
    return f"ended with {end.exit_code}" if end.outcome == EXITED else "ended nobody knows how"
