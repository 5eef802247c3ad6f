"""What a record says of the run itself."""

from __future__ import annotations

from sifprov.capture.facts import collect
from sifprov.model.record import NOT_STARTED, Run
from sifprov.model.redact import redact, redact_text, secret_name
from sifprov.model.request import CaptureEnd, CaptureRequest
from sifprov.runtime.argv import parse


def describe_run(request: CaptureRequest, end: CaptureEnd) -> Run:
    argv, redacted = redact(request.argv or ())
    command, _ = redact(request.command)
    parsed = parse(request.argv or ())
    action = parsed.action if parsed else "instance" if "instance" in argv[:6] else "unknown"
    started = end.outcome != NOT_STARTED
    return Run(
        action=action,
        argv=argv,
        command=command,
        redacted=redacted,
        cwd=request.cwd,
        started=request.started,
        ended=end.ended,
        outcome=end.outcome,
        exit_code=end.exit_code if started else None,
        signal=end.signal if started else None,
        environment=tuple(
            (name, redact_text(value))
            for name, value in request.environment
            if not secret_name(name)
        ),
        runtime_name=request.runtime_name,
        runtime_version=request.runtime_version,
        facts=collect(request, end),
    )
