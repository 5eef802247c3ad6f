"""The environment that a step of a replay runs in. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from sifprov.model.environment import allowed
from sifprov.model.record import Run
from sifprov.model.redact import HIDDEN, secret_name
from sifprov.replay import translate
from sifprov.replay.steps import Step
from sifprov.runtime.argv import is_image_bind, split_binds
from sifprov.runtime.binds import Holder, binds

# What stands for options by which a run would write into containers that are there.
_WRITABLE = {
    f"{prefix}_{key}"
    for prefix in ("SINGULARITY", "APPTAINER")
    for key in ("OVERLAY", "OVERLAYIMAGE", "WRITABLE")
}
_BINDS = {
    f"{prefix}_{key}": "mount" if key == "MOUNT" else "bind"
    for prefix in ("SINGULARITY", "APPTAINER")
    for key in ("BIND", "BINDPATH", "MOUNT")
}
# What is handed into the container.
_HANDED = ("SINGULARITYENV_", "APPTAINERENV_")


def environment(step: Step, environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment of a step's runtime: `environ`, but what the record lists as it was
    then, no images bound or written, and no folder of the host that the recorded run had not."""
    gone = _BINDS.keys() | _WRITABLE
    kept = {n: v for n, v in environ.items() if not allowed(n) and n not in gone}
    kept |= {n: v for n, v, _ in _binds_of(step.run, environ) if v}
    kept |= {n: environ[n] for n in _unrecorded(step.run, environ)}
    by, to = step.run.runtime_name, step.runtime.name
    recorded = translate.variables(step.run.environment, by, to)
    # Of what held a secret only that is known: today's stands for it.
    hidden = [n for n, value in recorded.items() if HIDDEN in value]
    recorded |= {n: environ[n] for n in hidden if n in environ}
    return {**kept, **{n: v for n, v in recorded.items() if n not in hidden or n in environ}}


def hidden(run: Run, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the variables of the recorded run that held a secret, so that their values are not
    those of then."""
    found = [n for n, value in run.environment if HIDDEN in value]
    return tuple(dict.fromkeys((*found, *_unrecorded(run, environ))))


def _unrecorded(run: Run, environ: Mapping[str, str]) -> Iterator[str]:
    """Yields the variables of today that went into the container then, and whose names say that
    they hold a secret: a record has none of those."""
    fact = next((f.value for f in run.facts if f.name == "isolation"), None)
    names = fact.get("environment") if isinstance(fact, dict) else None
    there = {n for n in names if isinstance(n, str)} if isinstance(names, list) else set()
    for name in environ:
        inner = name.partition("ENV_")[2]
        if name.startswith(_HANDED) and inner in there and secret_name(inner):
            yield name


def left_out(run: Run, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the destinations of the host's folders that variables of `environ` bind today and
    that the recorded run did not have."""
    return tuple(d for _, _, gone in _binds_of(run, environ) for d in gone)


def _binds_of(run: Run, environ: Mapping[str, str]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yields each variable of `environ` that binds, its value for the replay, and the destinations
    that are gone from it."""
    then = _destinations(run)
    for name, kind in _BINDS.items():
        if name not in environ:
            continue
        # A value of MOUNT is taken or left as a whole.
        specs = split_binds(environ[name]) if kind == "bind" else (environ[name],)
        kept, gone = [], []
        for spec in specs:
            if is_image_bind(spec):
                continue
            where = _where(kind, spec)
            if where and all(w in then for w in where):
                kept.append(spec)
            else:
                gone += where or [spec]
        yield name, ",".join(kept), tuple(gone)


def _where(kind: str, spec: str) -> list[str]:
    try:
        found = binds((Holder(kind, spec),), apptainer=True)
    except ValueError:
        return []
    return [os.path.normpath(b.destination or b.source) for b in found]


def _destinations(run: Run) -> frozenset[str]:
    """Where something of the host was mounted in the recorded run, as far as that is known."""
    fact = next((f.value for f in run.facts if f.name == "binds"), None)
    found = (
        b.get("destination")
        for b in (fact if isinstance(fact, list) else ())
        if isinstance(b, dict)
    )
    return frozenset(os.path.normpath(d) for d in found if isinstance(d, str))
