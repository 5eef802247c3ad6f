"""A replay of one run between two real containers, with hand-made records, for the tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.unit.sifs import container, run_record

from sifprov.content import Deadline, Tree
from sifprov.create import create_data
from sifprov.embedded import Lineage
from sifprov.identity import identify
from sifprov.model.container import APPLICATION, OUTPUT
from sifprov.model.files import describe
from sifprov.model.record import Record, Replay
from sifprov.partition import scan_partition
from sifprov.placement import CONTAINER, Place, append_to
from sifprov.replay.job import Replayed
from sifprov.replay.judge import judge, record
from sifprov.replay.steps import (
    BY_DIGEST,
    RECORDED_PATH,
    Done,
    Found,
    Fresh,
    Outcome,
    Plan,
    Result,
    Step,
    Target,
)
from sifprov.runtime.find import Runtime

CE = Runtime("/usr/bin/singularity", "singularity-ce", "4.3.3")
AGAIN = UUID("00000000-0000-4000-8000-0000000000aa")
Contents = Mapping[str, bytes | None]


def make(path: Path, contents: Contents, *, free: int = 1 << 20) -> Path:
    """A data container with these files; None makes a folder, a name that ends in `*` may be
    executed."""
    folder = path.with_suffix(".d")
    folder.mkdir()
    for name, data in contents.items():
        file = folder / name.rstrip("*")
        file.parent.mkdir(parents=True, exist_ok=True)
        if data is None:
            file.mkdir()
        else:
            file.write_bytes(data)
            file.chmod(0o755 if name.endswith("*") else 0o644)
    create_data(str(path), mount="/Outputs", role=OUTPUT, source=str(folder), free=free)
    return path


def tree_of(path: Path) -> Tree:
    """What a data container holds now."""
    identity = identify(str(path))
    assert identity.partition
    return scan_partition(str(path), identity.partition, Deadline())


def recorded(path: Path, tree: Tree | None = None, **changes: Any) -> tuple[str, Record]:
    """Appends the record of a run after which the container held `tree`, by default what it holds
    now; returns the record's digest and the record. `embeds` are documents of ancestors."""
    uuid, tree = identify(str(path)).uuid, tree or tree_of(path)
    assert uuid
    output = replace(
        container(OUTPUT, uuid, path.name), digest=tree.digest, mount="/Outputs",
        source="/Outputs", files=describe(tree)[0],
    )  # fmt: skip
    app = container(APPLICATION, UUID(int=9), "app.sif")
    lineage = Lineage(changes.pop("embeds", {}))
    made = replace(run_record(uuid), containers=(app, output))
    place = Place(CONTAINER, str(path))
    made, digest = append_to(place, replace(made, **changes), lineage=lineage)
    return digest, made


@dataclass
class Judged:
    """What `sifprov rerun` would have, had it replayed `original` into `new`."""

    plan: Plan
    outcome: Outcome
    new: Path

    def judge(self, **options: Any) -> Replayed:
        """The verdict, and it recorded."""
        judgement = judge(self.plan, self.outcome, **options)
        problem = record(self.plan, self.outcome, judgement.verdict)
        return Replayed(self.plan, self.outcome, judgement, (problem,) if problem else ())


def replayed(original: Path, wanted: tuple[str, Record], new: Path, **plan: Any) -> Judged:
    """`new` as the replay of the run that is recorded as `wanted`."""
    digest, of = wanted
    embeds = {digest: of.to_bytes()}
    stored, again = recorded(new, id=AGAIN, replays=Replay(digest, of.id), embeds=embeds)
    it, run = of.itself(), of.run
    assert it
    assert run
    app = Found(of.containers[0], "/data/app.sif", BY_DIGEST, RECORDED_PATH)
    target = Target(it, digest, of, Fresh(str(original)))
    step = Step(str(of.id), run, CE, app, (), (target,), (), "/")
    result = Result(digest, str(new), tree_of(new), again, stored)
    done = Done(step.key, 0, (result,), run.argv, 0.5)
    records = plan.pop("records", {digest: of})
    return Judged(
        Plan(str(original), digest, (step,), records, **plan), Outcome(str(new), (done,)), new
    )
