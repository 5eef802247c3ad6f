"""A record that another program wrote: the prototype of P. Olaya's thesis (2020).

    {"UUID": "b6b6116f-…", "Name": "predictions", "CreationTime": "2022-05-15T13:18:30-04:00",
     "ExecutionCommand": "python3 /train.py     python3 /predict.py",
     "RecordTrail": {"InputContainers": [{"Name": "train", "UUID": "1ad1aafc-…"}],
                     "ApplicationContainer": {"Name": "knn", "UUID": "89e04078-…"},
                     "OutputContainer": {"Name": "predictions", "UUID": "b6b6116f-…"}}}

`CreationTime` is when the container was made, not when the run was. The command is the
application's runscript in one line. A container that no run made has the command `no operation`,
and null for `RecordTrail`, or in it for `InputContainers` and `ApplicationContainer`.
"""

from __future__ import annotations

from uuid import UUID

from sifprov.frozen import dataclass

NO_OPERATION = "no operation"


@dataclass(frozen=True)
class Named:
    """A container as the prototype names it: by `name`, its file's without `.sif`, and UUID (None
    where that is none)."""

    name: str
    uuid: UUID | None


@dataclass(frozen=True)
class Foreign:
    """One document of the prototype.

    `created` is the container's time of making as a record of ours holds times (UTC), None where
    that is no time. `command` is a text: where one argument ends and the next begins is not known.
    `problems` tell what in the document is not as it should be.
    """

    name: str
    uuid: UUID | None
    created: str | None
    command: str
    application: Named | None
    inputs: tuple[Named, ...]
    output: Named | None
    problems: tuple[str, ...] = ()

    @property
    def is_run(self) -> bool:
        """Whether a run made the container; else it was filled from files that are not named."""
        return bool(self.application or self.inputs or self.command != NO_OPERATION)

    @property
    def lacks(self) -> str:
        """What a record of ours would tell, and this one does not."""
        if not self.is_run:
            return "does not tell: where the files came from, and their digest"
        return (
            "does not tell: when the run began and ended, its exit status, the arguments one by"
            " one, mount points, content digests"
        )
