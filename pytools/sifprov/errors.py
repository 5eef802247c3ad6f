"""One family of errors, and the one table of exit codes.

Every error that a user can cause or meet is a `SifprovError`: its text is one line that names the
file, the field and, as `hint`, what to do next. `cli` turns it into the exit code of its class.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What the exit code of every verb means."""

    OK = 0
    DIFFERS = 1
    USAGE = 2
    MISSING = 3
    FAILED = 4
    NOT_STARTED = 255


EXIT_CODES: dict[Exit, str] = {
    Exit.OK: "good, the same, or alike",
    Exit.DIFFERS: "differs, broken, or no record",
    Exit.USAGE: "usage error, or unreadable file",
    Exit.MISSING: "something that is needed is missing",
    Exit.FAILED: "the replayed application, or a step of a workflow, failed",
    Exit.NOT_STARTED: "the wrapper could not start",
}


class SifprovError(Exception):
    """Base of all errors: `str()` is one line for the user, `hint` says what to do next."""

    exit_code: Exit = Exit.USAGE

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class FormatError(SifprovError):
    """Bytes that are no valid SIF: `offset` is the place in the file, `field` what stands there."""

    def __init__(self, message: str, *, offset: int, field: str) -> None:
        super().__init__(f"{field} at byte {offset}: {message}")
        self.offset = offset
        self.field = field


class FileError(SifprovError):
    """A file that cannot be opened, read or written; the text names it."""


class RecordError(SifprovError):
    """A JSON document that is no valid record: `path` is the JSON path, as in `inputs[0].uuid`."""

    exit_code = Exit.DIFFERS

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path


class NoRecordError(SifprovError):
    """A good container that carries no record."""

    exit_code = Exit.DIFFERS


class MissingError(SifprovError):
    """A container, a program or a file that is needed is not there."""

    exit_code = Exit.MISSING


class ReplayError(SifprovError):
    """The application of a replay ended with an error."""

    exit_code = Exit.FAILED


class StepError(SifprovError):
    """A step of a workflow failed."""

    exit_code = Exit.FAILED
