"""What the user wants otherwise than recorded: `--with`, `--app`, `--set-arg`. No I/O.

Each is KEY=VALUE, and both may hold `=` themselves. So it is tried at each: the reading counts
whose key is known. None or several are errors, which list what can be chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sifprov.errors import SifprovError
from sifprov.frozen import dataclass, replace
from sifprov.model.container import Container
from sifprov.model.record import Run
from sifprov.model.redact import redact
from sifprov.replay.ancestry import Past
from sifprov.replay.steps import Change
from sifprov.runtime.argv import parse
from sifprov.terminal import counted

WITH, APP, SET_ARG = "--with", "--app", "--set-arg"
_SHORTEST = 8
_AT = "at:"
_SHOWN = 20


def who(container: Container) -> str:
    """Returns what tells a recorded container from others: its UUID, without one its path."""
    return str(container.uuid) if container.uuid else f"path:{container.path}"


def at(mount: str) -> str:
    """Returns what stands for the container that the replayed run has at a mount point."""
    return _AT + _plain(mount)


@dataclass(frozen=True)
class Choice:
    """A recorded container that another may stand for; `mount` only in the replayed run."""

    container: Container
    mount: str | None = None

    def named_by(self, key: str) -> str | None:
        """Returns what the user's key names: this container wherever it is read (its `who`), or
        what is mounted there in the replayed run (`at`); None for neither."""
        if self.mount is not None and key[:1] == "/" and _plain(key) == _plain(self.mount):
            return at(self.mount)
        uuid, lower = str(self.container.uuid or ""), key.lower()
        by_uuid = len(lower) >= _SHORTEST and uuid.startswith(lower)
        return who(self.container) if by_uuid or key == self.container.name else None

    def __str__(self) -> str:
        it = self.container
        words = [self.mount, it.name, str(it.uuid)[:_SHORTEST] if it.uuid else None]
        first, *more = [word for word in words if word] or ["a container without a name"]
        return f"{first} ({', '.join(more)})" if more else first


@dataclass(frozen=True)
class Given:
    """A file that the user named: `option` and `text` are as typed; `mounted`: by a mount point."""

    option: str
    text: str
    path: str
    mounted: bool = False


@dataclass(frozen=True)
class Changes:
    """All that the user wants otherwise: files by what they stand for, and the replayed run with
    its `arguments` changed."""

    containers: Mapping[str, Given]
    applications: Mapping[str, Given]
    run: Run
    arguments: tuple[Change, ...] = ()

    @property
    def all(self) -> tuple[Given, ...]:
        """Every file that the user named."""
        return (*self.containers.values(), *self.applications.values())

    def container(self, it: Container, *, replayed: bool) -> Given | None:
        """Returns what is to be used as a data container, `replayed`: in the replayed run."""
        mounted = self.containers.get(at(it.mount)) if replayed and it.mount else None
        return mounted or self.containers.get(who(it))

    def application(self, it: Container) -> Given | None:
        """Returns what is to be used as an application."""
        return self.applications.get(who(it))


def resolve(
    inputs: Sequence[str],
    programs: Sequence[str],
    words: Sequence[str],
    wanted: Past,
    pasts: Iterable[Past],
    exists: Callable[[str], bool],
) -> Changes:
    """Reads what the user typed: `--with`, `--app`, `--set-arg`. `pasts` are all runs that may be
    replayed, `wanted` the last of them. Raises SifprovError for what fits nothing."""
    data, apps = choices(pasts, wanted)
    run, changed = arguments(words, wanted.run)
    own = wanted.application
    return Changes(
        containers(inputs, data), applications(programs, apps, own, exists), run, changed
    )


def choices(pasts: Iterable[Past], wanted: Past) -> tuple[tuple[Choice, ...], tuple[Choice, ...]]:
    """Returns which data containers and which applications can be chosen in these runs, each once;
    those of the replayed run, `wanted`, first."""
    data: dict[str, Choice] = {}
    programs: dict[str, Choice] = {}
    for past in (wanted, *pasts):
        if past.application:
            programs.setdefault(who(past.application), Choice(past.application))
        for container in (
            *(r.container for r in past.inputs),
            *(w.container for w in past.outputs),
        ):
            mount = container.mount if past is wanted else None
            data.setdefault(who(container), Choice(container, mount))
    return tuple(data.values()), tuple(programs.values())


def containers(texts: Sequence[str], known: Sequence[Choice]) -> dict[str, Given]:
    """Returns the files of `--with`, by what they stand for (`who`, `at`). Raises SifprovError."""
    found: dict[str, Given] = {}
    for text in texts:
        _add(found, WITH, text, _readings(WITH, text, known), known)
    return found


def applications(
    texts: Sequence[str],
    known: Sequence[Choice],
    own: Container | None,
    exists: Callable[[str], bool],
) -> dict[str, Given]:
    """Returns the files of `--app`, by `who` they stand for; without a key for `own`, the replayed
    run's. `exists` tells whether a file is there. Raises SifprovError."""
    found: dict[str, Given] = {}
    for text in texts:
        readings = _readings(APP, text, known)
        if own and (exists(text) or ("=" not in text and not readings)):
            readings.append((who(own), text))
        _add(found, APP, text, readings, known)
    return found


def _readings(option: str, text: str, known: Sequence[Choice]) -> list[tuple[str, str]]:
    """Every way to read KEY=FILE: who the key names, and the file."""
    found = []
    for key, path in _cuts(text):
        fits = {one: c for c in known if path and (one := c.named_by(key))}
        if len(fits) > 1:
            raise SifprovError(
                f"{option} {text}: {key} is the name of {counted(len(fits), 'container')}",
                hint=f"name one by its UUID: {_listed(fits.values())}",
            )
        found += [(one, path) for one in fits]
    return found


def _cuts(text: str) -> Iterator[tuple[str, str]]:
    for at, letter in enumerate(text):
        if letter == "=":
            yield text[:at], text[at + 1 :]


def _add(
    found: dict[str, Given],
    option: str,
    text: str,
    readings: Sequence[tuple[str, str]],
    known: Sequence[Choice],
) -> None:
    if len(readings) != 1:
        what = "can be read in two ways" if readings else "names no container that is used"
        form = "KEY=FILE" if option == WITH else "[KEY=]FILE"
        raise SifprovError(
            f"{option} {text}: {what}", hint=f"write {form}; KEY is one of: {_listed(known)}"
        )
    ((one, path),) = readings
    if one in found:
        raise SifprovError(f"{option} {text}: {found[one].text} was given for the same container")
    found[one] = Given(option, text, path, one.startswith(_AT))


def _listed(known: Iterable[Choice]) -> str:
    texts = [str(choice) for choice in known]
    more = f", and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more if texts else "none"


def arguments(texts: Sequence[str], run: Run) -> tuple[Run, tuple[Change, ...]]:
    """Returns the run with other arguments: with `--set-arg OLD=NEW` every one that is just OLD is
    NEW, in the command line and in what ran in the container. Raises SifprovError."""
    if not texts:
        return run, ()
    line = parse(run.argv)
    args = line.args if line else run.command
    wanted: dict[str, str] = {}
    for text in texts:
        fits = [(old, new) for old, new in _cuts(text) if old in args]
        if len(fits) != 1 or fits[0][0] in wanted:
            what = "can be read in two ways" if fits else "no argument of the command is that"
            if len(fits) == 1:
                what = f"{fits[0][0]} was given twice"
            raise SifprovError(f"{SET_ARG} {text}: {what}", hint=_arguments(args))
        wanted.update(fits)
    new = tuple(wanted.get(a, a) for a in args)
    first = line.image_at + 1 if line else 0
    argv = (*run.argv[:first], *new) if line else run.argv
    gone = {first + n for n, (a, b) in enumerate(zip(args, new, strict=True)) if a != b}
    replayed = replace(
        run,
        argv=argv,
        command=_again(run.command, args, new),
        redacted=tuple(place for place in run.redacted if place not in gone),
    )
    # What the user gives may be a secret, and changes are recorded.
    clean = redact(argv)[0][first:] if line else redact(new)[0]
    found = [
        Change(f"argument {n}", a, c)
        for n, (a, b, c) in enumerate(zip(args, new, clean, strict=True), start=1)
        if a != b
    ]
    return replayed, tuple(found)


def _again(command: tuple[str, ...], args: Sequence[str], new: tuple[str, ...]) -> tuple[str, ...]:
    """What ran in the container, with the new arguments at its end, where they stood."""
    if args and command[-len(args) :] == tuple(args):
        return (*command[: -len(args)], *new)
    return command


def _arguments(args: Sequence[str]) -> str:
    shown = [f"{n} {a}" for n, a in enumerate((a[:80] for a in args[:_SHOWN]), start=1)]
    more = f", and {len(args) - _SHOWN} more" if len(args) > _SHOWN else ""
    return f"the arguments are: {', '.join(shown)}{more}" if shown else "it has no arguments"


def _plain(path: str) -> str:
    return path.rstrip("/") or "/"
