"""What of the host the container could see: by the runtime's own configuration where that was
handed on (the plugin), else by the command line and the variables that stand for its options (the
wrapper). Of other variables the names alone.

Source: cmd/internal/cli/action_flags.go and pkg/cmdline/env.go of both projects.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sifprov.capture.facts.text import bounded
from sifprov.model.canonical import Json
from sifprov.model.fact import Fact
from sifprov.model.request import CaptureRequest
from sifprov.runtime.argv import CommandLine, parse

_MAX_NAMES = 1000
# An option's letter, and the ends of the variables that stand for it, the first that is set first.
_SWITCHES: dict[str, tuple[str, tuple[str, ...]]] = {
    "cleanenv": ("e", ("CLEANENV",)),
    "compat": ("", ("COMPAT",)),
    "contain": ("c", ("CONTAIN",)),
    "containall": ("C", ("CONTAINALL",)),
    "fakeroot": ("f", ("FAKEROOT",)),
    "ipc": ("i", ("IPC", "UNSHARE_IPC")),
    "net": ("n", ("NET", "UNSHARE_NET")),
    "no-home": ("", ("NO_HOME",)),
    "no-nv": ("", ("NV_OFF", "NO_NV")),
    "no-rocm": ("", ("ROCM_OFF", "NO_ROCM")),
    "nv": ("", ("NV",)),
    "nvccli": ("", ("NVCCLI",)),
    "pid": ("p", ("PID", "UNSHARE_PID")),
    "rocm": ("", ("ROCM",)),
    "userns": ("u", ("USERNS", "UNSHARE_USERNS")),
    "uts": ("", ("UTS", "UNSHARE_UTS")),
    "writable": ("w", ("WRITABLE",)),
    "writable-tmpfs": ("", ("WRITABLE_TMPFS",)),
}
# Fields, and kinds of namespaces, by the options that mean them.
_FIELDS: dict[str, set[str]] = {
    "contain": {"contain", "containall", "compat"},
    "cleanenv": {"cleanenv", "containall", "compat"},
    "no_home": {"no-home"},
    "fakeroot": {"fakeroot"},
    "writable": {"writable"},
    "writable_tmpfs": {"writable-tmpfs", "compat"},
    "nvidia": {"nv", "nvccli"},
    "rocm": {"rocm"},
}
_NAMESPACES: dict[str, set[str]] = {
    "ipc": {"ipc", "containall", "compat"},
    "network": {"net"},
    "pid": {"pid", "containall", "compat"},
    "user": {"userns", "fakeroot"},
    "uts": {"uts"},
}
_OWN = ("SINGULARITY_", "APPTAINER_", "SINGULARITYENV_", "APPTAINERENV_")
_HANDED = ("SINGULARITYENV_", "APPTAINERENV_")
# What the runtime's configuration may have it mount, or not.
_MOUNTS = ("dev", "devpts", "home", "proc", "sys", "tmp")
_GPUS = (("nvidia", "always use nv", "no-nv"), ("rocm", "always use rocm", "no-rocm"))
# What Go's strconv.ParseBool takes for false; an option is off where it has no value either.
_OFF = {"", "0", "f", "false"}


def isolation(request: CaptureRequest) -> Fact:
    """Returns the fact `isolation` of a run."""
    given = next((f for f in request.facts if f.name == "isolation"), None)
    variables = dict(request.variables)
    asked = _Asked(parse(request.argv or ()), variables, request.runtime_name == "apptainer")
    if given is None or not isinstance(given.value, Mapping):
        return of_command_line(request.argv or (), variables, apptainer=asked.apptainer)
    if "cleanenv" in given.value:
        return given
    # The engine has forgotten what it was asked for where it had no more use for it.
    handed = _handed([name for name, _ in request.environment], asked.line)
    value = {
        **given.value,
        "cleanenv": asked.any_of(_FIELDS["cleanenv"]),
        "environment": _joined(given.value.get("environment"), handed),
        "not_mounted": _joined(given.value.get("not_mounted"), asked.not_mounted()),
    }
    return Fact("isolation", value, source=f"{given.source}, command line, environment")


def of_command_line(
    argv: Sequence[str],
    environ: Mapping[str, str],
    *,
    apptainer: bool = False,
    conf: tuple[str, Mapping[str, str]] = ("", {}),
) -> Fact:
    """Returns the fact `isolation` as far as a command line and the environment tell, and the
    runtime's configuration `conf`, with its path; `apptainer` is the runtime."""
    line = parse(argv)
    if line is None:
        return Fact("isolation", None, reason="the command line is not known")
    asked = _Asked(line, environ, apptainer)
    value: dict[str, Json] = {name: asked.any_of(options) for name, options in _FIELDS.items()}
    kinds = {"mount", *(k for k, options in _NAMESPACES.items() if asked.any_of(options))}
    if asked.text("hostname"):
        kinds.add("uts")
    if any(option.name == "network" for option in line.options):
        kinds.add("network")
    value["namespaces"] = [*sorted(kinds)]
    path, settings = conf
    for field, key, against in _GPUS:
        always = settings.get(key) == "yes" and not asked.any_of((against,))
        value[field] = bool(value[field]) or always
    left_out = {name for name in _MOUNTS if settings.get(f"mount {name}") == "no"}
    value["not_mounted"] = _joined([], asked.not_mounted() | left_out)
    value["environment"] = _joined([], _handed(environ, line))
    source = ", ".join(filter(None, ("command line", "environment", path)))
    return Fact("isolation", value, source=source)


def with_names(fact: Fact, names: Collection[str]) -> Fact:
    """Returns the fact with the names of the host's variables that went into the container; the
    runtimes keep their own and ours back, and hand some on under another name."""
    if not isinstance(fact.value, Mapping):
        return fact
    kept = set() if fact.value.get("cleanenv") else {n for n in names if not n.startswith(_OWN)}
    value = {**fact.value, "environment": _joined(fact.value.get("environment"), kept)}
    return Fact(fact.name, value, source=fact.source)


def _handed(environ: Collection[str], line: CommandLine | None) -> set[str]:
    """The names of the variables that were handed in by SINGULARITYENV_…, APPTAINERENV_…, --env."""
    found = {n.partition("ENV_")[2] for n in environ if n.startswith(_HANDED)}
    for option in line.options if line else ():
        if option.name == "env" and option.value:
            found |= {p.partition("=")[0] for p in option.value.split(",") if "=" in p}
    return found


def _joined(given: Json, more: Collection[str]) -> list[Json]:
    """Both lists of names as one, in order and bounded."""
    names = {name for name in (given if isinstance(given, list) else ()) if isinstance(name, str)}
    return [bounded(name) for name in sorted(names.union(more))[:_MAX_NAMES]]


class _Asked:
    """What the runtime was asked for: an option counts as it is typed, else as the first variable
    that stands for it says. SingularityCE knows no APPTAINER_…; Apptainer takes both."""

    def __init__(
        self, line: CommandLine | None, environ: Mapping[str, str], apptainer: bool
    ) -> None:
        self.line, self.apptainer = line, apptainer
        self._environ = environ
        self._prefixes = ("APPTAINER_", "SINGULARITY_") if apptainer else ("SINGULARITY_",)

    def any_of(self, options: Collection[str]) -> bool:
        """Whether one of these switches is on."""
        return any(self._is_on(name) for name in options)

    def text(self, name: str) -> str:
        """The value of an option that is a text; the last one counts."""
        typed = [o.value or "" for o in (self.line.options if self.line else ()) if o.name == name]
        return typed[-1] if typed else self._variable((name.upper().replace("-", "_"),))

    def not_mounted(self) -> set[str]:
        """The words of --no-mount, which may be given more than once."""
        typed = [o.value for o in (self.line.options if self.line else ()) if o.name == "no-mount"]
        lists = [v for v in typed if v] if typed else [self._variable(("NO_MOUNT",))]
        return {word.strip() for text in lists for word in text.split(",") if word.strip()}

    def _is_on(self, name: str) -> bool:
        letter, variables = _SWITCHES[name]
        typed = _typed(self.line, name, letter)
        return _on(self._variable(variables)) if typed is None else typed

    def _variable(self, ends: Collection[str]) -> str:
        names = (prefix + end for end in ends for prefix in self._prefixes)
        return next((v for n in names if (v := self._environ.get(n, "").strip())), "")


def _on(value: str) -> bool:
    return value.lower() not in _OFF


def _typed(line: CommandLine | None, name: str, letter: str) -> bool | None:
    """Whether a command line has a switch on; None where it has it not."""
    found = None
    for option in line.options if line else ():
        if option.tokens[0].startswith("--"):
            if option.name == name:
                found = _on(option.value or "true")
        # A cluster without a value has its letters as its name.
        elif letter and letter in option.switches + (option.name if option.value is None else ""):
            found = True
    return found
