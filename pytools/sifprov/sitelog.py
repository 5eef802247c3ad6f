"""The site log: one line of JSON for each run, for those who administer the machine.

Off unless the plugin's configuration, which is root's, names a place (docs/formats.md, Site log).
The helper has the user's rights and no more, so the place decides what a line is worth. A socket
(`/dev/log`) is the sound one: the log daemon knows the sender's user id from the kernel. A file is
appended to only where it is there already, is root's, and has no second name.

A line that cannot be written is dropped: no run ends otherwise for it, and its user could not help.
"""

from __future__ import annotations

import json
import os
import stat
import time

from sifprov.errors import RecordError
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json, loads, text_to_json
from sifprov.model.reader import Reader
from sifprov.model.redact import redact
from sifprov.model.request import CaptureEnd, CaptureRequest

SCHEMA = "sifprov.site-log/1"
# Log daemons cut what is longer (rsyslog's default), and a line that is cut is no JSON.
MAX_LINE = 8000
# What a line keeps of one text.
_MAX_TEXT = 1024
# Facility user, severity info (syslog(3)).
_PRIORITY = 1 << 3 | 6
# How long a log daemon that takes nothing may keep the user waiting.
_PATIENCE = 1.0


@dataclass(frozen=True)
class SiteLog:
    """Where to, an absolute path (empty: no log), and whether with the (redacted) command line."""

    to: str
    argv: bool

    @classmethod
    def from_json(cls, value: Json, path: str) -> SiteLog:
        """Reads it from a capture request or a configuration. Raises RecordError."""
        r = Reader(value, path)
        made = cls(r.text("to"), r.flag("argv"))
        r.end()
        if made.to and (not os.path.isabs(made.to) or os.path.normpath(made.to) != made.to):
            raise RecordError(r.path("to"), "no absolute path")
        return made

    def to_json(self) -> Json:
        """Returns it as the plugin's configuration holds it: null for no log."""
        return {"argv": self.argv, "to": self.to} if self.to else None


def wanted(line: bytes) -> SiteLog | None:
    """Returns what the first line of a capture request says of the site log. Raises RecordError."""
    r = Reader(loads(line), "")
    if not r.has("site_log"):
        return None
    return r.optional("site_log", lambda name: SiteLog.from_json(r.json(name), name))


def log_run(log: SiteLog, request: CaptureRequest, end: CaptureEnd) -> bool:
    """Writes the line of a run that has ended. Returns whether somebody took it."""
    try:
        return _write(log.to, to_line(log, request, end))
    except (OSError, ValueError):
        return False


def to_line(log: SiteLog, request: CaptureRequest, end: CaptureEnd) -> bytes:
    """Returns the line, ASCII without its newline, of at most MAX_LINE bytes."""
    # Imported here: only who wants this log pays for it.
    from sifprov.capture.facts.who import batch, user

    who = user().value
    assert isinstance(who, dict)  # noqa: S101 - for mypy
    document: dict[str, Json] = {
        "argv": _argv(log, request),
        "batch": batch(dict(request.variables), host=True).value,
        "ended": end.ended,
        "exit_code": end.exit_code,
        "host": os.uname().nodename,
        "image": _text(request.image),
        "image_uuid": _uuid(request.image),
        "outcome": end.outcome,
        "runtime": f"{request.runtime_name} {request.runtime_version}",
        "schema": SCHEMA,
        "signal": end.signal,
        "started": request.started,
        "uid": who["uid"],
        "user": who.get("name"),
    }
    line = _dump(document)
    return line if len(line) <= MAX_LINE else _dump({**document, "argv": None})


def _argv(log: SiteLog, request: CaptureRequest) -> Json:
    if not log.argv or request.argv is None:
        return None
    return [text_to_json(word) for word in redact(request.argv)[0]]


def _dump(document: dict[str, Json]) -> bytes:
    # ASCII alone: a name with control characters is to reach no administrator's terminal.
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


def _text(value: str) -> Json:
    return text_to_json(value[:_MAX_TEXT])


def _uuid(image: str) -> str | None:
    from sifprov.identity import identify

    uuid = identify(image).uuid if os.path.isfile(image) else None
    return str(uuid) if uuid else None


def _write(place: str, line: bytes) -> bool:
    if stat.S_ISSOCK(os.stat(place).st_mode):
        return _send(place, line)
    return _append(place, line + b"\n")


def _send(place: str, line: bytes) -> bool:
    import socket

    when = time.strftime("%b %e %H:%M:%S").encode("ascii", "replace")
    message = b"<%d>%s sifprov[%d]: %s" % (_PRIORITY, when, os.getpid(), line)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.settimeout(_PATIENCE)
        to.connect(place)
        return to.send(message) == len(message)


def _append(place: str, line: bytes) -> bool:
    flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    descriptor = os.open(place, flags)
    try:
        found = os.fstat(descriptor)
        # Root runs containers too: in a folder of others, a name could lead to any file.
        if not stat.S_ISREG(found.st_mode) or found.st_uid != 0 or found.st_nlink != 1:
            return False
        # One write, so that lines of several runs do not mix.
        return os.write(descriptor, line) == len(line)
    finally:
        os.close(descriptor)
