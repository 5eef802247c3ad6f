"""`sifprov exec|run|shell` as a whole."""

from __future__ import annotations

import os
from collections.abc import Sequence

from sifprov.errors import SifprovError
from sifprov.model.environment import asks_for_log
from sifprov.wrapper.line import Ours, Prepared, absolute, prepare, take_out, with_program
from sifprov.wrapper.quick import EXT3, look
from sifprov.wrapper.recorder import Recorder, Run, begun, end_line, keep, warn
from sifprov.wrapper.short import Short, expand, remove, trim_made
from sifprov.wrapper.supervise import Ended, Process, become, end_as, unless_untouched

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sifprov.model.annotation import Annotation
    from sifprov.settings import Settings
    from sifprov.wrapper.tee import Tee

FAILED = 255
# A shell function hands on all that was typed behind the runtime's name (`shell-init`).
LINE = "--line"
# Settings that count before the start.
_SET_HERE = ("SIFPROV_LIVE", "SIFPROV_RO_INPUTS")


def wants_help(args: Sequence[str]) -> bool:
    """Whether `--help` or `-h` stands among the options, where it is not the runtime's."""
    if list(args[:1]) == [LINE]:
        return False
    for at, word in enumerate(args):
        if word in ("--help", "-h"):
            typed = take_out(["", "exec", *args[:at], "image"])
            return typed.line is not None and typed.line.image_at == len(typed.argv) - 1
    return False


def run_or_help(action: str, args: Sequence[str]) -> None:
    """As `run`, with errors told as the whole program tells them. Returns where help is wanted."""
    try:
        if not wants_help(args):
            run(action, args)
    except SifprovError as error:
        warn(f"error: {error}")
        if error.hint:
            warn(f"hint: {error.hint}")
        os._exit(FAILED)


def run(action: str, args: Sequence[str]) -> None:
    """Runs the runtime's `action`, records the run, and ends as the runtime ended.

    Returns only by an exception: SifprovError before anything was started.
    """
    if list(args[:1]) == [LINE] and len(args) > 1:
        typed = take_out(args[1:])
    else:
        typed = take_out(["", action, *args])
    typed = with_program(typed)
    environ = _environment()
    settings = _settings(environ)
    live = settings is not None and settings.live
    short = expand(typed)
    # Whatever goes wrong before the start, nothing new is left behind.
    try:
        prepared = prepare(
            short.typed,
            environ,
            add_ro=settings is None or settings.ro_inputs,
            # A run that writes nowhere has no record, but reports.
            anyway=live or bool(short.folders),
        )
        if prepared is None:
            become(short.typed.argv, environ)
            return
        if typed.ours.last("verbose") is not None:
            _show(prepared)
        _warn_of_writers(prepared)
        words = _words(typed.ours)
        metadata = _metadata(typed.ours)
        digest, telemetry = _digest(typed.ours), _telemetry(typed.ours)
        tee = _tee(typed.ours, environ)
        process = Process(prepared.argv, prepared.environ, tee)
    except BaseException as error:
        remove(short.made)
        if isinstance(error, OSError):
            raise SifprovError(f"{typed.argv[0]}: {error.strerror or error}") from error
        raise
    run = begun(prepared, words, metadata, short.folders)
    log = tee.log if tee else None
    run = run._replace(log=log, digest=digest, telemetry=telemetry, late=short.late, live=live)
    ended = _follow(process, run, short, tee)
    end_as(ended.status)


def _warn_of_writers(prepared: Prepared) -> None:
    """Tells of containers that a process of an earlier run still writes, as the plugin does."""
    if prepared.instance:
        return  # its own processes may
    from sifprov.survivors import warning

    for path in [b.bind.source for b in prepared.binds if not b.read_only]:
        text = warning(path)
        if text:
            warn(text)


def _follow(process: Process, run: Run, short: Short, tee: Tee | None) -> Ended:
    try:
        recorder = Recorder(run, process.pid)
    except OSError as error:
        ended = process.wait()
        keep(run, end_line(ended), f"cannot start the recorder: {error.strerror}")
        return ended
    ended = process.wait()
    if tee and not tee.close():
        warn("the application's output was not kept")
    ended = _surely(ended, run)
    recorded = recorder.finish(ended)
    if short.made and ended.started.started is False:
        remove(short.made)
    elif short.made and recorded and not ended.started.alone:
        for problem in trim_made(short.made):
            warn(problem)
    if short.late and recorded and ended.started.started is not False:
        from sifprov.wrapper.atomic import publish  # few runs ask for it

        for told in publish(short.late, well=ended.status == 0):
            warn(told)
    return ended


def _surely(ended: Ended, run: Run) -> Ended:
    """A container that nobody mounted for writing shows that the runtime refused the run."""
    verdict = ended.started
    if verdict.started or verdict.alone or run.instance:
        return ended
    bound = [absolute(b.bind.source) for b in run.prepared.binds if not b.read_only]
    # The others are mounted without a trace.
    written = [p for p in bound if (q := look(p)) and q.fs == EXT3 and os.access(p, os.W_OK)]
    return unless_untouched(ended, written, run.started_ns)


def _words(ours: Ours) -> Annotation | None:
    """The user's notes, tags and metrics. Raises SifprovError for what cannot be used."""
    notes, tags, metrics = ours.all("note"), ours.all("tag"), ours.all("metric")
    if not (notes or tags or metrics):
        return None
    from sifprov.model.annotation import make

    return make(notes, tags, metrics)


def _tee(ours: Ours, environ: dict[str, str]) -> Tee | None:
    """Starts the relay of the output where it is to be kept. Raises OSError, SifprovError."""
    if ours.last("log") is None and not asks_for_log(environ):
        return None
    from sifprov.settings import load
    from sifprov.wrapper.tee import Tee

    return Tee(load(environ).log_bytes)


def _digest(ours: Ours) -> str | None:
    """How content is to be digested. Raises SifprovError for what is no way."""
    word = ours.last("digest")
    if word is not None:
        from sifprov.settings import check_digest  # few runs say it

        try:
            check_digest(word)
        except ValueError as error:
            raise SifprovError(f"--digest {word}: {error}") from None
    return word


def _telemetry(ours: Ours) -> str | None:
    """How often what the run uses is to be measured. Raises SifprovError for what is no time."""
    word = ours.last("telemetry")
    if word:
        from sifprov.settings import interval_us  # few runs say it

        try:
            interval_us(word)
        except ValueError as error:
            raise SifprovError(f"--telemetry={word}: {error}") from None
    return "yes" if word == "" else word


def _metadata(ours: Ours) -> str | None:
    """The absolute path of what takes the records. Raises SifprovError for what cannot."""
    path = ours.last("metadata")
    if path is None:
        return None
    from sifprov.placement import check

    path = absolute(path)
    check(path)
    return path


def _show(prepared: Prepared) -> None:
    from sifprov.terminal import command

    os.write(2, f"$ {command(prepared.argv)}\n".encode(errors="backslashreplace"))
    for bind in prepared.binds:
        if bind.added:
            warn(f"{bind.bind.source} declares itself an input: 'ro' is added to its bind")


def _environment() -> dict[str, str]:
    """Returns what we were given: in the C locale Python sets LC_CTYPE for itself (PEP 538), which
    the application would see."""
    environ = dict(os.environ)
    if "LC_CTYPE" in environ:
        try:
            with open("/proc/self/environ", "rb") as file:
                given = file.read().split(b"\0")
        except OSError:
            return environ
        del environ["LC_CTYPE"]
        for variable in given:
            if variable.startswith(b"LC_CTYPE="):
                environ["LC_CTYPE"] = os.fsdecode(variable[9:])
    return environ


def _settings(environ: dict[str, str]) -> Settings | None:
    """What user and site have set; who has no settings pays nothing for them."""
    base = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME", "/"), ".config")
    files = ("/etc/sifprov/config.ini", os.path.join(base, "sifprov", "config.ini"))
    if environ.keys().isdisjoint(_SET_HERE) and not any(map(os.path.lexists, files)):
        return None
    from sifprov.settings import load_or_default

    settings = load_or_default(environ)
    for text in settings.warnings:
        warn(text)
    return settings
