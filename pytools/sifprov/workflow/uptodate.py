"""Whether what a step makes is there already, by content: no time of any file counts.

A step is up to date when each of its outputs is a whole container whose newest run was this step of
this workflow, ended with 0, by the same command, from an application and inputs with the same
content digests as now; and when the container still holds what that record says.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from sifprov.carrier import read_carrier
from sifprov.content import Deadline
from sifprov.digestcache import DigestCache
from sifprov.errors import FileError, MissingError, SifprovError
from sifprov.frozen import dataclass
from sifprov.identity import identify
from sifprov.model.container import APPLICATION, INPUT, OUTPUT, PROVISIONAL
from sifprov.model.environment import allowed
from sifprov.model.record import EXITED, Record
from sifprov.model.redact import redact
from sifprov.model.run import Run
from sifprov.model.workflowpart import WorkflowPart
from sifprov.runtime.argv import parse, without_image_binds
from sifprov.settings import load_or_default
from sifprov.workflow.document import Step
from sifprov.workflow.plan import Plan, Target

HANDED = ("SINGULARITYENV_", "APPTAINERENV_")


@dataclass(frozen=True)
class Made:
    """An output as its newest run left it: that run's record with its digest."""

    name: str
    path: str
    record: Record
    digest: str

    @property
    def content(self) -> str | None:
        """The content digest that the record tells."""
        itself = self.record.itself()
        return itself.digest if itself else None


class Looks:
    """Looks at the files of a workflow; each is read once, and a digest that is remembered counts
    as far as the user's settings trust the cache."""

    def __init__(self) -> None:
        settings = load_or_default()
        self._cache = DigestCache(settings)
        self._known: dict[str, str] = {}

    def save(self) -> None:
        """Remembers what was read, for the next time."""
        self._cache.save()

    def data(self, path: str) -> str:
        """Returns the content digest of a data container. Raises MissingError, FileError."""
        identity = identify(self._there(path))
        partition = identity.partition
        if partition is None:
            raise FileError(f"{path}: {identity.reason or 'no data container'}")
        if path not in self._known:
            self._known[path] = self._cache.tree(path, partition, Deadline()).digest
        return self._known[path]

    def application(self, path: str) -> str:
        """Returns the content digest of an application. Raises MissingError, FileError."""
        identity = identify(self._there(path))
        if not identity.system:
            raise FileError(f"{path}: {identity.reason or 'no application container'}")
        if path not in self._known:
            self._known[path] = self._cache.image(path, identity.system, Deadline())
        return self._known[path]

    @staticmethod
    def _there(path: str) -> str:
        if not os.path.lexists(path):
            raise MissingError(f"{path}: no such file")
        return path


def made(path: str, name: str) -> Made | None:
    """Returns what the newest run in the container at `path` says; None where there is no file, or
    no record of a run."""
    if not os.path.lexists(path):
        return None
    runs = [(s, r) for s, r in read_carrier(path, embedded=False).good if r.run]
    if not runs:
        return None
    stored, record = runs[-1]
    return Made(name, path, record, stored.digest)


def is_ours(plan: Plan, step: Step, found: Made) -> bool:
    """Whether a container was made by this step of this workflow."""
    part = part_of(found.record.run)
    wanted = (plan.workflow.name, step.activity)
    return part is not None and (part.name, part.activity) == wanted


def stale(plan: Plan, step: Step, looks: Looks) -> str | None:
    """Returns why a step has to run, in words; None where it is up to date. Raises SifprovError for
    an application or an input that cannot be read."""
    found: list[Made] = []
    for target in plan.targets(step):
        try:
            each = made(target.path, target.name)
        except SifprovError as error:
            return f"{target.name} cannot be read: {error}"
        if each is None:
            there = os.path.lexists(target.path)
            return f"{target.name} has no record of a run" if there else f"no {target.name} yet"
        if not is_ours(plan, step, each):
            return f"{target.name} was made by something else"
        found.append(each)
    for each, target in zip(found, plan.targets(step), strict=True):
        if why := _differs(plan, step, each, target, looks):
            return why
    return None


def _differs(plan: Plan, step: Step, found: Made, target: Target, looks: Looks) -> str | None:
    run = found.record.run
    if run is None or (run.outcome, run.exit_code) != (EXITED, 0):
        return f"{target.name} is of a run that failed"
    if run.typed != redact(("", *step.typed))[0][1:]:
        return "the command is another one"
    if _options(run) != redact(("", *plan.options, *step.options))[0][1:]:
        return "the runtime's options are other ones"
    if not _same_environment(step, run):
        return "the environment is another one"
    applications = {c.digest for c in found.record.with_role(APPLICATION)}
    if applications != {looks.application(plan.path(step.application))}:
        return "the application has other content"
    if why := _other_inputs(plan, step, found.record, looks):
        return why
    itself = found.record.itself()
    if itself is None or itself.digest is None or PROVISIONAL in itself.marks:
        return f"the record does not tell the content of {target.name}"
    if (itself.mount or "/") != target.mount:
        return f"{target.name} was bound elsewhere"
    if looks.data(target.path) != itself.digest:
        return f"{target.name} was changed since"
    return None


def _other_inputs(plan: Plan, step: Step, record: Record, looks: Looks) -> str | None:
    then = {(c.mount or "/"): c for c in record.containers if c.role == INPUT}
    now: dict[str, str] = {}
    for source in plan.sources(step):
        now[mount_of(source.path, source.mount)] = looks.data(source.path)
    others = [c for c in record.containers if c.role == OUTPUT]
    if then.keys() != now.keys() or len(others) > len(step.outputs):
        return "other inputs are bound"
    for mount, digest in now.items():
        if then[mount].digest is None:
            return f"the record does not tell the content of the input at {mount}"
        if then[mount].digest != digest:
            return f"the input at {mount} has other content"
    return None


def mount_of(path: str, mount: str | None) -> str:
    """Returns where a container is bound: as it is said, else as it says itself."""
    if mount:
        return mount
    declared = identify(path).declaration
    if declared is None:
        raise FileError(
            f"{path}: it does not say where it is to be bound", hint="say 'mount' in the workflow"
        )
    return declared.mount


def _options(run: Run) -> tuple[str, ...]:
    """The options of a run, but for the containers that it bound."""
    line = parse(run.argv)
    return without_image_binds(line.options) if line else ()


def _same_environment(step: Step, run: Run) -> bool:
    """Whether each variable of the step had this value, and nothing else was handed in."""
    then = dict(run.environment)
    wanted = dict(step.environment)
    for name, value in wanted.items():
        names = (name,) if allowed(name) else tuple(prefix + name for prefix in HANDED)
        if not any(then.get(each) == value for each in names):
            return False
    handed = {n.partition("ENV_")[2] for n in then if n.startswith(HANDED)}
    return handed <= {n.partition("ENV_")[2] if n.startswith(HANDED) else n for n in wanted}


def part_of(run: Run | None) -> WorkflowPart | None:
    """Returns of which workflow a run was a part, as its record says."""
    facts: Mapping[str, object] = {f.name: f.value for f in run.facts} if run else {}
    return WorkflowPart.from_json(facts.get("workflow"))  # type: ignore[arg-type]
