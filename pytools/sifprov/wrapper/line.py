"""What to run: our options taken out of the command line, short forms put in, `ro` added.

Everything else passes through byte for byte and in order.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from sifprov.errors import SifprovError
from sifprov.frozen import NamedTuple
from sifprov.runtime.argv import CommandLine, Option, parse
from sifprov.runtime.binds import Bind, Holder, binds, holders
from sifprov.runtime.program import find_program, is_apptainer
from sifprov.wrapper.quick import EXT3, is_plain_folder, look

# Tells the plugin, and a wrapper within a wrapper, that this run is captured. Neither runtime hands
# a variable that begins so into the container.
CAPTURED = "SINGULARITY_SIFPROV_CAPTURED"
# Our options and whether they take a value. No option of the runtimes may be among them.
OPTIONS: dict[str, bool] = {
    "runtime": True,
    "in": True,
    "out": True,
    "size": True,
    "atomic": False,
    "verbose": False,
    "note": True,
    "tag": True,
    "metric": True,
    "log": False,
    "metadata": True,
    "digest": True,
    "telemetry": False,
}
# Switches that a value can stand behind, with `=`.
_MAY_SAY_MORE = ("telemetry",)


class Ours(NamedTuple):
    """The values of our options, in their order; a switch that is given has the value ""."""

    values: Mapping[str, tuple[str, ...]]

    def all(self, name: str) -> tuple[str, ...]:
        """Returns every value of an option."""
        return self.values.get(name, ())

    def last(self, name: str) -> str | None:
        """Returns the last value of an option, None where it is not given."""
        found = self.all(name)
        return found[-1] if found else None


class ImageBind(NamedTuple):
    """A bind out of an image, as it is run: `added` says that `ro` is our doing."""

    bind: Bind
    added: bool

    @property
    def read_only(self) -> bool:
        """Whether it is bound read-only."""
        return self.added or "ro" in self.bind.options


class Typed(NamedTuple):
    """A command line of the runtime without our options; `line` is None where nothing is run."""

    argv: tuple[str, ...]
    line: CommandLine | None
    ours: Ours


class Prepared(NamedTuple):
    """What is started: `argv` in the environment `environ`. `typed` is the command line before
    `ro` was added. `instance` is the application container of the instance that the run joins."""

    typed: tuple[str, ...]
    argv: tuple[str, ...]
    environ: Mapping[str, str]
    line: CommandLine
    binds: tuple[ImageBind, ...]
    instance: str = ""


def take_out(argv: Sequence[str]) -> Typed:
    """Takes our options out of a runtime's command line. Raises SifprovError."""
    line = parse(argv, OPTIONS)
    options = line.options if line else _options_alone(argv)
    values: dict[str, tuple[str, ...]] = {}
    gone: set[int] = set()
    for option in options:
        if option.name in OPTIONS and option.tokens[0].startswith("--"):
            values[option.name] = (*values.get(option.name, ()), _value(option))
            gone.update(range(option.at, option.at + len(option.tokens)))
    left = tuple(word for at, word in enumerate(argv) if at not in gone)
    return Typed(left, parse(left), Ours(values))


def _options_alone(argv: Sequence[str]) -> tuple[Option, ...]:
    """The options of a line without an image: the runtime will refuse it, but which runtime?"""
    # The first of these may become the value that the last option lacks.
    line = parse([*argv, "", ""], OPTIONS)
    return line.options if line else ()


def _value(option: Option) -> str:
    if not OPTIONS[option.name]:
        if option.value is not None and option.name not in _MAY_SAY_MORE:
            raise SifprovError(f"--{option.name} takes no value")
        return option.value or ""
    if not option.value:
        raise SifprovError(f"--{option.name} wants a value", hint="see 'sifprov exec --help'")
    return option.value


def with_program(typed: Typed) -> Typed:
    """Puts the runtime's path in front. Raises MissingError."""
    program = typed.argv[0] or find_program(typed.ours.last("runtime"))
    argv = (program, *typed.argv[1:])
    line = typed.line._replace(program=program) if typed.line else None
    return typed._replace(argv=argv, line=line)


def prepare(
    typed: Typed, environ: Mapping[str, str], *, add_ro: bool, anyway: bool = False
) -> Prepared | None:
    """Finds the images that a run binds and adds `ro` to the declared inputs.

    None for a run that binds none, unless it is to be followed `anyway`, and for one that the
    runtime will refuse. Raises SifprovError for a bind that would show the host's files in a
    container's name.
    """
    line = typed.line
    if line is None or environ.get(CAPTURED):
        return None
    apptainer = is_apptainer(line.program)
    if line.image.startswith("instance://"):
        return _joined(typed, line, environ, apptainer=apptainer)
    found = holders(line, environ, apptainer=apptainer)
    try:
        images = [b for b in binds(found, apptainer=apptainer) if b.of_image]
    except ValueError:
        return None
    if not images and not anyway:
        return None
    marked = tuple(ImageBind(b, add_ro and _is_shareable(b)) for b in images)
    for each in marked:
        _check_source(each.bind)
    argv, changed = _with_ro(typed.argv, line, found, marked)
    return Prepared(typed.argv, argv, {**environ, **changed, CAPTURED: "1"}, line, marked)


def _joined(
    typed: Typed, line: CommandLine, environ: Mapping[str, str], *, apptainer: bool
) -> Prepared | None:
    """A run in an instance, which has its binds already; those of the command line do nothing."""
    from sifprov.wrapper.instance import find  # few runs need it

    instance = find(line.image, environ, apptainer=apptainer)
    if instance is None or not instance.data:
        return None
    held = tuple(ImageBind(b, False) for b in instance.data)
    marked = {**environ, CAPTURED: "1"}
    return Prepared(typed.argv, typed.argv, marked, line, held, instance.image)


def _is_shareable(bind: Bind) -> bool:
    """Whether it is an input by its declaration, and the user has not chosen."""
    if "ro" in bind.options or "rw" in bind.options or bind.end < 0:
        return False
    quick = look(bind.source, bind.options.get("id", ""))
    return quick is not None and quick.role == "input"


def _check_source(bind: Bind) -> None:
    source = bind.options.get("image-src", "/")
    if not source.strip("/"):
        return
    quick = look(bind.source, bind.options.get("id", ""))
    if quick and quick.fs == EXT3 and is_plain_folder(bind.source, quick.offset, source):
        return
    # Imported here: it costs as much time as everything else before the start.
    from sifprov.identity import identify
    from sifprov.imagepath import check_source

    chosen = bind.options.get("id", "")
    identity = identify(bind.source, int(chosen) if chosen.isdigit() else None)
    if identity.partition is None:
        return
    verdict = check_source(bind.source, identity.partition, source)
    if verdict.refused:
        raise SifprovError(
            f"{bind.source}: image-src={source}: {verdict.reason}",
            hint="bind the folder that holds the files, one that no link leads to",
        )


def _with_ro(
    argv: tuple[str, ...],
    line: CommandLine,
    found: Sequence[Holder],
    marked: Sequence[ImageBind],
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Returns the command line and the variables of the environment that change."""
    words, variables = list(argv), {}
    for number, holder in enumerate(found):
        value = holder.value
        # From the last one on, so that the places of the others still hold.
        ends = sorted(m.bind.end for m in marked if m.added and m.bind.holder == number)
        for end in reversed(ends):
            value = value[:end] + ",ro" + value[end:]
        if value == holder.value:
            continue
        if holder.variable:
            variables[holder.variable] = value
            continue
        option = line.options[holder.place]
        last = option.at + len(option.tokens) - 1
        words[last] = words[last].removesuffix(holder.value) + value
    return tuple(words), variables


def absolute(path: str) -> str:
    """Returns where a path of the command line leads."""
    return os.path.join(working_folder(), path)


def working_folder() -> str:
    """Returns the current folder, `/` where it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return "/"
