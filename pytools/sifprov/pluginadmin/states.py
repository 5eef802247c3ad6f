"""Looks at the installed plugin without loading it: is it there, does it load, can it record."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path

from sifprov.frozen import dataclass
from sifprov.model.canonical import Json
from sifprov.pluginadmin.gobinary import GoBinaryError, misfits, packages
from sifprov.pluginadmin.installed import own_plugin, rivals
from sifprov.pluginadmin.place import Place
from sifprov.pluginadmin.trusted import unreachable, untrusted
from sifprov.version import VERSION

SCHEMA = "sifprov.plugin-status/1"
AGAIN = "'sifprov plugin install' mends it"


class State(Enum):
    """In which state a runtime's plugin is; the value is the word that is shown."""

    GOOD = "good"
    ABSENT = "not installed"
    REFUSED = "refused"
    """Not installed, and this build of the runtime takes no plugins."""
    STALE = "stale"
    """It does not load into this runtime, so every run fails."""
    RIVAL = "rival"
    """Another plugin monitors containers too, so every run fails."""
    DISABLED = "disabled"
    """The runtime's `plugin disable` was used: runs are not recorded."""
    BROKEN = "broken"
    """Runs work, but are not recorded."""
    OUTDATED = "outdated"
    """Runs are recorded, by another version than this, or with a wrong version of the runtime."""


ABSENT_STATES = (State.ABSENT, State.REFUSED)
RECORDING_STATES = (State.GOOD, State.OUTDATED)


@dataclass(frozen=True)
class Status:
    """What stands there now. `problems` says in words what is wrong, and what to do.

    `version` is the helper's, `helper` its command line.
    """

    place: Place
    state: State
    version: str | None = None
    helper: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def installed(self) -> bool:
        """Whether the runtime lists the plugin."""
        return self.state not in ABSENT_STATES

    @property
    def runs_fail(self) -> bool:
        """Whether every run of this runtime fails because of the plugin."""
        return self.state in (State.STALE, State.RIVAL)

    @property
    def mendable(self) -> bool:
        """Whether installing again mends it: not what an administrator decided."""
        return self.state in (State.STALE, State.BROKEN, State.OUTDATED)

    @property
    def records(self) -> bool:
        """Whether plain runs are recorded."""
        return self.state in RECORDING_STATES

    def to_json(self) -> Json:
        """Returns one row of the document that `sifprov plugin status --json` prints."""
        runtime = self.place.runtime
        return {
            "config": str(self.place.config),
            "helper": list(self.helper),
            "problems": list(self.problems),
            "runs_fail": self.runs_fail,
            "runtime": {"name": runtime.name, "path": runtime.path, "version": runtime.version},
            "state": self.state.value,
            "version": self.version,
        }


def status(place: Place) -> Status:
    """Looks at what is installed. Nothing of it is loaded or run."""
    own = own_plugin(place.plugin_root)
    if own is None:
        return Status(place, State.REFUSED if place.refuses_plugins else State.ABSENT)
    made_for, helper, problem = _configuration(place)
    version = _helper_version(helper)
    found = [(State.STALE, text) for text in _unloadable(place)]
    found += [(State.RIVAL, text) for text in _rival(place)]
    if not own.enabled:
        # It is not loaded, so nothing of the above makes a run fail.
        text = f"it is disabled: '{place.runtime.path} plugin enable {own.name}' records runs again"
        found = [(State.DISABLED, text), *((State.DISABLED, text) for _, text in found)]
    found += [(State.BROKEN, text) for text in (*problem, *_helpless(place, helper))]
    found += [(State.OUTDATED, text) for text in _outdated(place, made_for, version)]
    problems = tuple(dict.fromkeys(text for _, text in found))
    return Status(place, found[0][0] if found else State.GOOD, version, helper, problems)


def _configuration(place: Place) -> tuple[str | None, tuple[str, ...], list[str]]:
    """Returns the runtime's version that was noted, the helper's command line, and problems."""
    try:
        document = json.loads(place.config.read_bytes())
        helper, made_for = document["helper"], document.get("runtime_version")
        if not helper or not all(isinstance(word, str) for word in helper):
            raise ValueError("helper: no command line")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return None, (), [f"{place.config}: {error}; {AGAIN}"]
    return made_for, tuple(helper), []


def _unloadable(place: Place) -> Iterator[str]:
    """Says why the plugin's object does not load into the runtime's programs."""
    try:
        plugin = packages(place.object)
    except (OSError, GoBinaryError) as error:
        yield f"it does not load, so every run fails: {error}; {AGAIN}, 'remove' ends it"
        return
    for program, reason in misfits(plugin, place.programs):
        yield (
            f"it does not load into {program}, {reason}, so every run fails; {AGAIN}, "
            "'remove' ends it"
        )
        return
    closed = next(unreachable(str(place.object)), None)
    if closed:
        yield f"it does not load for ordinary users, whose runs fail: {closed}; {AGAIN}"


def _rival(place: Place) -> Iterator[str]:
    for name in rivals(place.plugin_root):
        yield (
            f"the plugin {name} monitors containers too, so every run fails: remove or disable "
            f"one of both, as by '{place.runtime.path} plugin disable {name}'"
        )


def _helpless(place: Place, helper: Sequence[str]) -> Iterator[str]:
    """Says why the plugin would not start the helper."""
    for path in (str(place.config), *(word for word in helper if word.startswith("/"))):
        if not os.path.exists(path):
            yield f"{path} is not there; {AGAIN}"
            continue
        for reason in (*untrusted(path), *unreachable(path)):
            yield f"{reason}, so the helper is not started"


def _outdated(place: Place, made_for: str | None, version: str | None) -> Iterator[str]:
    if version and version != VERSION:
        yield f"it is of version {version}, this is {VERSION}; {AGAIN}"
    real = place.runtime.version
    if made_for is not None and made_for != real:
        yield f"records name the runtime's version {made_for}, it is {real}; {AGAIN}"


def _helper_version(helper: Sequence[str]) -> str | None:
    """The version in the helper's folder name, `helper-VERSION-ID`."""
    parts = Path(helper[-1]).parent.name.split("-") if helper else []
    return parts[1] if len(parts) == 3 and parts[0] == "helper" else None
