"""What a new output holds when its run is replayed: chosen from what is at hand, then built."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sifprov.model.container import Container
from sifprov.model.manifest import Manifest
from sifprov.model.record import Origin, Record
from sifprov.replay.find import Finder
from sifprov.replay.steps import Start, Target

Lists = Callable[[Container | Origin], Manifest | None]


def choose(
    container: Container,
    previous: Record | None,
    finder: Finder,
    lists: Lists,
    *,
    from_origin: bool = False,
) -> Start | None:
    """Returns what the output `container` of a recorded run is to start with.

    `previous` is the record (of a run or an origin) that tells what it held then, None for an empty
    one; `lists` returns the files that a record tells. None: that content is nowhere at hand; then
    the run of `previous` must be replayed first (Continued), where it has one.
    """
    raise NotImplementedError


def build(
    start: Start,
    target: Target,
    path: str,
    made: Mapping[str, str],
    on_step: Callable[[str], None] = lambda text: None,
) -> None:
    """Makes the new container `path`, which must not exist, as the replay of a run begins with it.

    `made` are the files of finished states. Beside `path`, only names that begin with it are used.
    Nothing is left when it fails. Raises FileError, MissingError.
    """
    raise NotImplementedError
