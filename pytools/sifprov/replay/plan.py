"""Plans a replay: from a container's records to the steps that make it again. Runs nothing."""

from __future__ import annotations

from collections.abc import Callable

from sifprov.frozen import dataclass
from sifprov.replay.steps import Plan


def _silent(text: str) -> None:
    pass


@dataclass(frozen=True)
class Options:
    """What the user chose. `record` begins the id or the digest of the record to replay; empty for
    that of the last run. `inputs` (KEY=FILE), `applications` ([KEY=]FILE) and `arguments` (OLD=NEW)
    are what is to be otherwise, as it was typed. `on_step` is told what is being done."""

    record: str = ""
    from_origin: bool = False
    search: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    runtime: str | None = None
    force: bool = False
    metadata: str = ""
    on_step: Callable[[str], None] = _silent


def plan(path: str, options: Options) -> Plan:
    """Finds everything that a replay of the container at `path` (or `PATH@ID`) needs.

    Raises MissingError, naming all that is not there, NoRecordError, FileError, and SifprovError
    for a change that fits nothing.
    """
    raise NotImplementedError
