"""Command lines of `singularity` and `apptainer`: take them apart and put them together again.
Pure.

Source: cmd/internal/cli/action_flags.go of both projects. Only the options that take a value have
to be known; every other one is a switch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sifprov.frozen import NamedTuple

ACTIONS = ("exec", "run", "shell", "test")

_LONG_WITH_VALUE = {
    "add-caps", "app", "apply-cgroups", "authfile", "bind", "blkio-weight", "blkio-weight-device",
    "cdi-dirs", "config", "containlibs", "cpu-shares", "cpus", "cpuset-cpus", "cpuset-mems",
    "cwd", "data", "device", "dmtcp-launch", "dmtcp-restart", "dns", "docker-host",
    "docker-password", "docker-username", "drop-caps", "env", "env-file", "fusemount", "home",
    "hostname", "memory", "memory-reservation", "memory-swap", "mount", "netns-path", "network",
    "network-args", "no-mount", "overlay", "pem-path", "pids-limit", "pwd", "runscript-timeout",
    "scratch", "security", "shell", "tmpdir", "workdir",
}  # fmt: skip
_SHORT_WITH_VALUE = {"B": "bind", "H": "home", "S": "scratch", "W": "workdir", "o": "overlay"}
# `-s` and `-c` mean one thing before the action and another behind it.
_SHORT_GLOBAL = {"c": "config"}
_SHORT_OF_SHELL = {"s": "shell"}
_BIND_FLAGS = {"ro", "rw"}
_BIND_VALUES = ("image-src=", "id=")


# Named tuples, and few imports: the wrapper starts on the user's clock.
class Option(NamedTuple):
    """One option as it was written: `tokens` are its arguments, `name` its long name if it has a
    value, `switches` the letters before it in a cluster such as -ceB. It stands `at` this place of
    the command line."""

    name: str
    value: str | None
    tokens: tuple[str, ...]
    switches: str = ""
    at: int = 0


class CommandLine(NamedTuple):
    """`program globals action options image args`; the image stands `image_at` this place."""

    program: str
    globals: tuple[Option, ...]
    action: str
    options: tuple[Option, ...]
    image: str
    args: tuple[str, ...]
    image_at: int = 0


def parse(argv: Sequence[str], ours: Mapping[str, bool] | None = None) -> CommandLine | None:
    """Takes a runtime's command line apart; None when it runs no container.

    `ours` names more long options of the action, with whether they take a value.
    """
    global_options, at = _options(argv, 1, _SHORT_GLOBAL, {})
    if at >= len(argv) or argv[at] not in ACTIONS:
        return None
    action = argv[at]
    short = {**_SHORT_WITH_VALUE, **(_SHORT_OF_SHELL if action == "shell" else {})}
    options, at = _options(argv, at + 1, short, ours or {})
    if at >= len(argv):
        return None
    return CommandLine(
        argv[0], global_options, action, options, argv[at], tuple(argv[at + 1 :]), at
    )


def _options(
    argv: Sequence[str], at: int, short: Mapping[str, str], ours: Mapping[str, bool]
) -> tuple[tuple[Option, ...], int]:
    """Takes options from place `at` on, as the runtimes' pflag library does; returns where they
    end."""
    found: list[Option] = []
    while at < len(argv):
        token = argv[at]
        if token == "--":  # noqa: S105
            return tuple(found), at + 1
        if not token.startswith("-") or token == "-":  # noqa: S105
            break
        name, value, needs, switches = _split(token, short, ours)
        used, place = [token], at
        at += 1
        if needs and value is None and at < len(argv):
            value = argv[at]
            used.append(value)
            at += 1
        found.append(Option(name, value, tuple(used), switches, place))
    return tuple(found), at


def _split(
    token: str, short: Mapping[str, str], ours: Mapping[str, bool]
) -> tuple[str, str | None, bool, str]:
    """Returns an option's name, the value inside the same token, whether it takes one, and the
    switches before it."""
    if token.startswith("--"):
        name, equals, value = token[2:].partition("=")
        needs = name in _LONG_WITH_VALUE or ours.get(name, False)
        return name, value if equals else None, needs, ""
    # A cluster such as -ceB: switches, then at most one option with a value.
    for place, letter in enumerate(token[1:], start=1):
        if letter in short:
            rest = token[place + 1 :]
            return short[letter], rest.removeprefix("=") or None, True, token[1:place]
    return token[1:], None, False, ""


def is_image_bind(spec: str) -> bool:
    """Whether one bind specification, or one `--mount` one, binds out of an image."""
    parts = spec.replace(":", ",").split(",")
    return any(p.startswith(_BIND_VALUES) for p in parts)


def split_binds(value: str) -> tuple[str, ...]:
    """Splits the value of `--bind` into its specifications, as the runtimes do.

    A comma separates specifications, but belongs to the one before it where an option follows.
    """
    specs: list[str] = []
    for part in value.split(","):
        if specs and specs[-1].count(":") >= 1 and _is_option(part):
            specs[-1] += "," + part
        elif part:
            specs.append(part)
    return tuple(specs)


def _is_option(part: str) -> bool:
    return part in _BIND_FLAGS or part.startswith(_BIND_VALUES)


def without_image_binds(options: Iterable[Option]) -> tuple[str, ...]:
    """Returns the options' tokens, less every bind out of an image (`--bind`, `--mount`,
    `--data`)."""
    kept: list[str] = []
    for option in options:
        if option.name == "bind" and option.value is not None:
            if option.switches:
                kept.append("-" + option.switches)
            plain = [s for s in split_binds(option.value) if not is_image_bind(s)]
            if plain:
                kept += ["--bind", ",".join(plain)]
        elif (
            option.name == "mount" and option.value is not None and is_image_bind(option.value)
        ) or option.name == "data":
            continue
        else:
            kept += option.tokens
    return tuple(kept)


def image_bind(
    path: str, mount: str, source: str | None, *, read_only: bool = False
) -> tuple[str, str]:
    """Returns the option that binds the folder `source` of the image at `path` to `mount`; without
    a source the folder of the host at `path`."""
    if not any(c in ',:^"\\' for c in path + mount + (source or "")) and path == path.strip():
        options = [f"image-src={source}"] if source else []
        options += ["ro"] if read_only else []
        return "--bind", ":".join([path, mount, *([",".join(options)] if options else [])])
    import csv  # rarely needed
    import io

    # `--mount` takes CSV, whose quotes carry commas and colons.
    fields = ["type=bind", f"source={path}", f"destination={mount}"]
    fields += [f"image-src={source}"] if source else []
    if read_only:
        fields.append("ro")
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return "--mount", line.getvalue()
