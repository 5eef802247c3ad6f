"""What a replay would do, as data, and doing it."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sifprov.replay.job import Replayed
    from sifprov.replay.steps import Plan

PathLike = str | os.PathLike[str]


class PlannedReplay:
    """A replay that was planned and not begun; see `sifprov.api.Container.plan_rerun`.

    `plan` is all of it: the steps in their order, each with the run that it repeats, the files that
    were found for its inputs and its application, how its outputs begin, and the keys of the steps
    that it needs; what is otherwise than recorded (`plan.changes`), and what is to be known of it
    (`plan.notes`).
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def __repr__(self) -> str:
        count = len(self.plan.steps)
        return f"<replay of {self.plan.original!r}: {count} {'run' if count == 1 else 'runs'}>"

    @cached_property
    def into(self) -> str:
        """The path of the container that it would make: the first free `OUT.rerun-N.sif`."""
        from sifprov.replay.work import next_name

        return next_name(self.plan)

    def commands(self) -> list[tuple[str, ...]]:
        """Returns the command line of each step, as it would be run."""
        from sifprov.replay.document import paths
        from sifprov.replay.line import command

        files = paths(self.plan, self.into)
        return [command(step, files) for step in self.plan.steps]

    def to_json(self) -> dict[str, Any]:
        """Returns what `sifprov rerun --dry-run --json` prints, as dictionaries and lists."""
        from sifprov.replay.document import to_json

        document: dict[str, Any] = json.loads(json.dumps(to_json(self.plan, self.into)))
        return document

    def run(
        self,
        *,
        into: PathLike | None = None,
        jobs: int = 1,
        tolerance: float | str | None = None,
        keep: bool = False,
        stdout: int | None = None,
    ) -> Replayed:
        """Carries it out in a new container, by default `OUT.rerun-N.sif`, compares that with the
        original and records the verdict in it; nothing that exists is written to.

        At most `jobs` runs go on at a time. Numbers that differ by at most
        `tolerance` · max(1, |a|, |b|) are alike. With `keep`, containers that were made on the way
        stay in `NEW.parts/`. The applications' output goes to the descriptor `stdout`, by default
        ours. `.same` of what is returned is the answer. Raises ReplayError when an application ends
        otherwise than recorded, MissingError, FileError.
        """
        from sifprov.replay.job import replay
        from sifprov.replay.schedule import Execution

        return replay(
            self.plan,
            Execution(jobs=jobs, stdout=stdout),
            into=None if into is None else os.fspath(into),
            keep=keep,
            tolerance=None if tolerance is None else Decimal(str(tolerance)),
        )
