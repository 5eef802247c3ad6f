"""What of the host the container could see: by the runtime's own configuration where that was
handed on (the plugin), else by the command line (the wrapper). Of variables the names alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sifprov.capture.facts.text import bounded
from sifprov.model.canonical import Json
from sifprov.model.fact import Fact
from sifprov.model.request import CaptureRequest
from sifprov.runtime.argv import CommandLine, parse

_MAX_NAMES = 1000
# Fields by the long options that mean them, and by their letters.
_SWITCHES: dict[str, tuple[set[str], str]] = {
    "contain": ({"contain", "containall", "compat"}, "cC"),
    "cleanenv": ({"cleanenv", "containall", "compat"}, "eC"),
    "no_home": ({"no-home"}, ""),
    "fakeroot": ({"fakeroot"}, "f"),
    "writable": ({"writable"}, "w"),
    "writable_tmpfs": ({"writable-tmpfs", "compat"}, ""),
    "nvidia": ({"nv", "nvccli"}, ""),
    "rocm": ({"rocm"}, ""),
}
_NAMESPACES: dict[str, tuple[set[str], str]] = {
    "ipc": ({"ipc", "containall", "compat"}, "iC"),
    "network": ({"net", "network"}, "n"),
    "pid": ({"pid", "containall", "compat"}, "pC"),
    "user": ({"userns", "fakeroot"}, "uf"),
    "uts": ({"uts", "hostname"}, ""),
}
_VARIABLES = {
    "contain": ("CONTAIN", "CONTAINALL"),
    "cleanenv": ("CLEANENV", "CONTAINALL"),
    "no_home": ("NO_HOME",),
}
_OWN = ("SINGULARITY_", "APPTAINER_", "SINGULARITYENV_", "APPTAINERENV_")
_HANDED = ("SINGULARITYENV_", "APPTAINERENV_")
_OFF = {"", "0", "false", "no", "f"}


def isolation(request: CaptureRequest) -> Fact:
    """Returns the fact `isolation` of a run."""
    given = next((f for f in request.facts if f.name == "isolation"), None)
    variables = dict(request.variables)
    line = parse(request.argv or ())
    if given is None or not isinstance(given.value, Mapping):
        return of_command_line(request.argv or (), variables)
    if "cleanenv" in given.value:
        return given
    # The engine has forgotten what it was asked for where it had no more use for it.
    handed = _handed([name for name, _ in request.environment], line)
    value = {
        **given.value,
        "cleanenv": _is_set("cleanenv", line, variables),
        "environment": _joined(given.value.get("environment"), handed),
        "not_mounted": _joined(given.value.get("not_mounted"), _not_mounted(line)),
    }
    return Fact("isolation", value, source=f"{given.source}, command line")


def of_command_line(argv: Sequence[str], environ: Mapping[str, str]) -> Fact:
    """Returns the fact `isolation` as far as a command line and the environment tell."""
    line = parse(argv)
    if line is None:
        return Fact("isolation", None, reason="the command line is not known")
    value: dict[str, Json] = {name: _is_set(name, line, environ) for name in _SWITCHES}
    kinds = [k for k, (long, letters) in _NAMESPACES.items() if _given(line, long, letters)]
    if {"CONTAINALL"} & {n.partition("_")[2] for n in environ if _on(environ, n)}:
        kinds += ["ipc", "pid"]
    value["namespaces"] = [*sorted({"mount", *kinds})]
    value["not_mounted"] = _joined([], _not_mounted(line))
    value["environment"] = _joined([], _handed(environ, line))
    return Fact("isolation", value, source="command line")


def with_names(fact: Fact, names: Collection[str]) -> Fact:
    """Returns the fact with the names of the host's variables that went into the container; the
    runtimes keep their own and ours back, and hand some on under another name."""
    if not isinstance(fact.value, Mapping):
        return fact
    kept = set() if fact.value.get("cleanenv") else {n for n in names if not n.startswith(_OWN)}
    value = {**fact.value, "environment": _joined(fact.value.get("environment"), kept)}
    return Fact(fact.name, value, source="command line, environment")


def _handed(environ: Collection[str], line: CommandLine | None) -> set[str]:
    """The names of the variables that were handed in by SINGULARITYENV_…, APPTAINERENV_…, --env."""
    found = {n.partition("ENV_")[2] for n in environ if n.startswith(_HANDED)}
    for option in line.options if line else ():
        if option.name == "env" and option.value:
            found |= {p.partition("=")[0] for p in option.value.split(",") if "=" in p}
    return found


def _not_mounted(line: CommandLine | None) -> set[str]:
    options = [o.value for o in (line.options if line else ()) if o.name == "no-mount"]
    return {word for value in options if value for word in value.split(",")}


def _joined(given: Json, more: Collection[str]) -> list[Json]:
    """Both lists of names as one, in order and bounded."""
    names = {name for name in (given if isinstance(given, list) else ()) if isinstance(name, str)}
    return [bounded(name) for name in sorted(names.union(more))[:_MAX_NAMES]]


def _is_set(name: str, line: CommandLine | None, variables: Mapping[str, str]) -> bool:
    long, letters = _SWITCHES[name]
    if line and _given(line, long, letters):
        return True
    return any(
        _on(variables, f"{runtime}_{each}")
        for each in _VARIABLES.get(name, ())
        for runtime in ("SINGULARITY", "APPTAINER")
    )


def _on(variables: Mapping[str, str], name: str) -> bool:
    return variables.get(name, "").lower() not in _OFF


def _given(line: CommandLine, long: set[str], letters: str) -> bool:
    for option in line.options:
        if option.tokens[0].startswith("--"):
            if option.name in long and (option.value or "true").lower() not in _OFF:
                return True
        # A cluster without a value has its letters as its name.
        elif set(letters) & {*option.switches, *(option.name if option.value is None else "")}:
            return True
    return False
