"""What was typed for one runtime, for another: options and variables. Pure.

SingularityCE 4.3 and Apptainer 1.4 have the same global options, and most options of an action in
common. Source: cmd/internal/cli of both projects; tried with both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sifprov.frozen import dataclass
from sifprov.runtime.argv import Option

APPTAINER, SINGULARITY = "apptainer", "singularity"
# Options that the other has not, and whether a run without them is another one.
_ONLY = {
    APPTAINER: {
        "dmtcp-launch": True, "dmtcp-restart": True, "ignore-fakeroot-command": False,
        "ignore-subuid": False, "ignore-userns": False, "runscript-timeout": False,
        "sharens": False, "underlay": False, "unsquash": False,
    },
    SINGULARITY: {
        "cdi-dirs": False, "device": True, "keep-layers": False, "no-compat": False,
        "no-oci": False, "no-setgroups": True, "no-tmp-sandbox": False, "oci": True,
        "proot": False, "tmp-sandbox": False,
    },
}  # fmt: skip
OFF = ("false", "0", "f", "F", "False", "FALSE")
_PREFIX = {APPTAINER: "APPTAINERENV_", SINGULARITY: "SINGULARITYENV_"}


def family(name: str) -> str:
    """Returns which of the two a runtime of this name is: `apptainer`, or `singularity` in every
    version."""
    return APPTAINER if name == APPTAINER else SINGULARITY


@dataclass(frozen=True)
class Translated:
    """The options that the other runtime has too; `dropped` are the names of those that it lacks
    and a run hardly needs, `needed` of those without which it is another run."""

    options: tuple[Option, ...]
    dropped: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()


def options(written: Sequence[Option], by: str, to: str) -> Translated:
    """Returns the options of an action, written for the runtime `by`, as `to` takes them."""
    if family(by) == family(to):
        return Translated(tuple(written))
    only = _ONLY[family(by)]
    dropped = [o.name for o in written if only.get(o.name) is False or _is_off(o, only)]
    needed = [o.name for o in written if only.get(o.name) and not _is_off(o, only)]
    kept = tuple(o for o in written if o.name not in only)
    return Translated(kept, tuple(dict.fromkeys(dropped)), tuple(dict.fromkeys(needed)))


def _is_off(option: Option, only: Mapping[str, bool]) -> bool:
    return option.name in only and option.value in OFF


def variables(recorded: Iterable[tuple[str, str]], by: str, to: str) -> dict[str, str]:
    """Returns the recorded variables, those for the container under the names that `to` reads.

    Apptainer reads both prefixes, its own first; SingularityCE knows nothing of Apptainer's.
    """
    all_of_them = dict(recorded)
    if family(by) == family(to):
        return all_of_them
    theirs, ours = _PREFIX[family(by)], _PREFIX[family(to)]
    found = {n: v for n, v in all_of_them.items() if not n.startswith(tuple(_PREFIX.values()))}
    readable = [ours, theirs] if family(by) == APPTAINER else [theirs]
    for prefix in readable:
        for name, value in all_of_them.items():
            if name.startswith(prefix):
                found[ours + name.removeprefix(prefix)] = value
    return found
