"""What a record says of the run itself."""

from __future__ import annotations

from collections.abc import Sequence

from sifprov.capture.facts import collect
from sifprov.model.annotation import Annotation, from_environment, merge
from sifprov.model.fact import Fact
from sifprov.model.record import NOT_STARTED, Run
from sifprov.model.redact import HIDDEN, redact, redact_environment
from sifprov.model.request import CaptureEnd, CaptureRequest
from sifprov.model.workflowpart import part_from_environment
from sifprov.runtime.argv import parse
from sifprov.settings import Settings, load_or_default


def describe_run(
    request: CaptureRequest,
    end: CaptureEnd,
    early: tuple[Fact, ...] = (),
    settings: Settings | None = None,
) -> Run:
    """Returns the run; `early` are the facts that were collected while it went on, `settings` by
    default the user's."""
    hide = (settings or load_or_default()).redact
    argv, redacted = _without_secrets(request.argv or (), hide=hide)
    command, _ = _without_secrets(request.command, hide=hide)
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
        environment=redact_environment(request.environment) if hide else request.environment,
        runtime_name=request.runtime_name,
        runtime_version=request.runtime_version,
        facts=collect(request, end, early),
    )


def _without_secrets(argv: Sequence[str], *, hide: bool) -> tuple[tuple[str, ...], tuple[int, ...]]:
    clean, changed = redact(argv) if hide else (tuple(argv), ())
    # A request that waited in the spool had its secrets hidden before.
    before = {place for place, argument in enumerate(clean) if HIDDEN in argument}
    return clean, tuple(sorted(before.union(changed)))


def word_problems(request: CaptureRequest) -> tuple[str, ...]:
    """Returns a line for each of the user's words in the environment that could not be used."""
    variables = dict(request.variables)
    return (*from_environment(variables)[1], *part_from_environment(variables)[1])


def words_of(request: CaptureRequest) -> Annotation | None:
    """Returns the user's words about the run, None where there are none."""
    words, _ = from_environment(dict(request.variables))
    return merge(words, request.annotation or Annotation()) or None
