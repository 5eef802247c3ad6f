"""All checks together."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping, Sequence
from pathlib import Path

from sifprov.doctor import kernel, programs, user
from sifprov.doctor.check import Check, bad
from sifprov.doctor.locks import locks
from sifprov.doctor.reports import reports
from sifprov.doctor.runtimes import Examined, Way, examine, unknown_place
from sifprov.doctor.verdict import NOT, Verdict, judge
from sifprov.errors import MissingError
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json
from sifprov.pluginadmin import find_place, find_runtimes, status
from sifprov.runtime.find import Runtime, find_runtime

SCHEMA = "sifprov.doctor/1"


@dataclass(frozen=True)
class OfRuntime:
    """What was found about one runtime."""

    runtime: Runtime
    checks: tuple[Check, ...]
    verdict: Verdict


@dataclass(frozen=True)
class Report:
    """What was found: about each runtime, and about the machine and the user."""

    runtimes: tuple[OfRuntime, ...]
    checks: tuple[Check, ...]

    @property
    def captured(self) -> bool:
        """Whether runs are captured by some way, with some runtime."""
        return any(found.verdict.way != NOT for found in self.runtimes)

    def to_json(self) -> Json:
        """Returns the document that `sifprov doctor --json` prints."""
        return {
            "captured": self.captured,
            "checks": [check.to_json() for check in self.checks],
            "runtimes": [
                {
                    "capture": found.verdict.to_json(),
                    "checks": [check.to_json() for check in found.checks],
                    "runtime": {
                        "name": found.runtime.name,
                        "path": found.runtime.path,
                        "version": found.runtime.version,
                    },
                }
                for found in self.runtimes
            ],
            "schema": SCHEMA,
        }


def diagnose(
    wanted: str | None, folder: Path, *, environ: Mapping[str, str] | None = None
) -> Report:
    """Looks at the runtime `wanted`, or at all, and at all that capture needs in `folder`.

    No container is run, and nothing is left behind.
    """
    environ = os.environ if environ is None else environ
    namespaces = kernel.user_namespaces()
    checks = _common(folder, environ, namespaces)
    if wanted:
        runtimes: Sequence[Runtime] = [find_runtime(wanted)]
    else:
        machine = find_runtimes(environ)
        runtimes = machine.runtimes
        if not runtimes:
            checks.insert(0, bad("runtime", "neither singularity nor apptainer was found",
                                 "install one, or name it with --runtime PATH"))  # fmt: skip
        checks += [unknown_place(f"passed over: {text}", None) for text in machine.skipped]
    return Report(tuple(_of(runtime, namespaces, checks) for runtime in runtimes), tuple(checks))


def _of(runtime: Runtime, namespaces: Check, common: list[Check]) -> OfRuntime:
    try:
        found = examine(status(find_place(runtime)), namespaces, uid=os.getuid())
    except (MissingError, OSError) as error:
        # It may run containers all the same, so the wrapper may do.
        check = unknown_place(str(error), getattr(error, "hint", None))
        found = Examined((check,), Way.SETUID, None)
    word = "apptainer" if runtime.name == "apptainer" else "singularity"
    return OfRuntime(runtime, found.checks, judge(word, found, common))


def _common(folder: Path, environ: Mapping[str, str], namespaces: Check) -> list[Check]:
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # as in some containers
        name = str(uid)
    checks = [namespaces]
    if uid != 0:
        checks.append(kernel.subordinate_ids(name, programs.find_program))
    return [
        *checks,
        programs.e2fsprogs(),
        programs.squashfs_tools(),
        programs.python(),
        locks(folder),
        user.environment(environ),
        user.home(environ),
        user.settings_files(environ),
        user.waiting_records(),
        *reports(environ),
    ]
