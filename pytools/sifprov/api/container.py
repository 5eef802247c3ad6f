"""One container, and everything that the command line does with it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from sifprov.api.replay import PlannedReplay
from sifprov.api.trail import Trail
from sifprov.errors import FileError
from sifprov.frozen import dataclass

if TYPE_CHECKING:
    from sifprov.annotate import Annotated
    from sifprov.carrier import Carrier
    from sifprov.comparison import Comparison
    from sifprov.extract import Extracted
    from sifprov.grow import Grown
    from sifprov.info import Info
    from sifprov.model.log import Log
    from sifprov.model.record import Record
    from sifprov.model.telemetry import Telemetry
    from sifprov.replay.job import Replayed
    from sifprov.rundiff import Diff
    from sifprov.seal import Sealed
    from sifprov.sign import Signed
    from sifprov.verify import Report

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class FileInside:
    """A file, folder or link in a data container: its path there, its mode as `os.stat` has it,
    its size in bytes and its time of change in ns since 1970."""

    path: str
    mode: int
    size: int
    mtime_ns: int


class Container:
    """What carries records at `path`; see `sifprov.open`."""

    def __init__(self, path: str, *, metadata: str | None = None) -> None:
        if not os.path.lexists(path):
            raise FileError(f"{path}: No such file or directory")
        self.path = path
        self._metadata = metadata

    def __repr__(self) -> str:
        return f"sifprov.open({self.path!r})"

    @cached_property
    def metadata(self) -> str:
        """The absolute path of the place that holds records of many; empty for none."""
        from sifprov.settings import metadata_place

        return metadata_place(self._metadata)

    # What stands in it.

    def info(self) -> Info:
        """Returns who it is, its partition, its table, its records. Raises FileError."""
        from sifprov.info import read_info

        return read_info(self.path)

    def records(self) -> tuple[Record, ...]:
        """Returns the records that can be read, oldest first. Raises FileError."""
        return tuple(record for _, record in self._carrier().good)

    def _carrier(self) -> Carrier:
        from sifprov.carrier import elsewhere, read_carrier

        return read_carrier(self.path, elsewhere(self.metadata))

    def files(self) -> Iterator[FileInside]:
        """Yields everything in the data partition, without a mount. Raises FileError."""
        from sifprov.filesystem.opening import open_container

        with open_container(self.path) as (_, fs):
            for node in fs.walk():
                path = "/" + os.fsdecode(node.path)
                yield FileInside(path, node.mode, node.size, node.mtime_ns)

    def read(self, path: str) -> bytes:
        """Returns the content of a file in the data partition. Raises FileError."""
        from sifprov.filesystem.opening import open_container

        with open_container(self.path) as (_, fs):
            node = fs.lookup(os.fsencode(path))
            if not node.is_file:
                raise FileError(f"{self.path}: {path} is no regular file")
            return b"".join(fs.content(node))

    def extract(self, folder: PathLike, *, subtree: str = "/") -> Extracted:
        """Copies its files into a new or empty folder. Raises FileError, MissingError."""
        from sifprov.extract import extract

        return extract(self.path, os.fspath(folder), subtree=os.fsencode(subtree))

    def log(self, record: str | None = None) -> Log:
        """Returns what the application of a run printed, where `--log` kept it. `record` is the
        beginning of the record's id, by default the newest run that has a log. Raises
        NoRecordError."""
        from sifprov.applog import read_log

        return read_log(self.path, record, self.metadata)[1]

    def telemetry(self, record: str | None = None) -> Telemetry:
        """Returns what a run used over time, where `--telemetry` measured it. `record` is the
        beginning of the record's id, by default the newest run that was measured. Raises
        NoRecordError."""
        from sifprov.measured import read_measured

        return read_measured(self.path, record, self.metadata)[1]

    # What made it.

    def trail(self, search: Iterable[PathLike] = ()) -> Trail:
        """Returns what made it, back to the origins. Ancestors are looked for in the folders
        `search` too. Raises NoRecordError where it carries no record."""
        from sifprov.trail import read_trail

        return Trail(read_trail(self.path, [os.fspath(folder) for folder in search], self.metadata))

    def export(
        self,
        format: str,  # noqa: A002
        path: PathLike | None = None,
        *,
        record: str = "",
        license: str = "",  # noqa: A002
        with_data: bool = False,
        key: PathLike | None = None,
        passphrase: str = "",
        file_digest: bool = False,
        search: Iterable[PathLike] = (),
    ) -> str | None:
        """Returns what made it in a format for other programs, as `sifprov export` does: `in-toto`,
        `oci`, `ro-crate`. With a `path` writes it there, and returns None.

        Raises MissingError where a library that the format needs is not installed, SifprovError for
        what means nothing to the format, FileError, NoRecordError.
        """
        from sifprov.exportformats import Wishes, export

        wishes = Wishes(
            record=record,
            license=license,
            with_data=with_data,
            key="" if key is None else os.fspath(key),
            passphrase=passphrase,
            file_digest=file_digest,
        )
        return export(
            self.trail(search).data, format, wishes, None if path is None else os.fspath(path)
        )

    def verify(
        self,
        search: Iterable[PathLike] = (),
        *,
        full: bool = False,
        attestation: PathLike | None = None,
        public_key: PathLike | None = None,
    ) -> Report:
        """Checks it against all that its records say; `full` reads ancestors' content too.
        `attestation` is a file with a statement about it, `public_key` the PEM file of the key that
        signed that."""
        from sifprov.verify import verify

        folders = [os.fspath(folder) for folder in search]
        report = verify(self.path, folders, full, metadata=self.metadata)
        if attestation is None:
            return report
        from sifprov.exportformats import attested

        return attested(
            report,
            self.path,
            os.fspath(attestation),
            None if public_key is None else os.fspath(public_key),
            folders,
            metadata=self.metadata,
            full=full,
        )

    def compare(
        self, other: Container | PathLike, *, tolerance: Decimal | float | str | None = None
    ) -> Comparison:
        """Compares its files with those of another container or folder. Numbers within the
        `tolerance` count as the same. Raises FileError."""
        from sifprov.comparison import compare_contents

        limit = None if tolerance is None else Decimal(str(tolerance))
        return compare_contents(self.path, _path(other), tolerance=limit)

    def diff(
        self,
        other: Container | PathLike | None = None,
        *,
        record: str | None = None,
        other_record: str | None = None,
    ) -> Diff:
        """Compares its newest run, or the one whose record's id begins with `record`, with another
        container's; without one, the run before it with the newest. Raises NoRecordError."""
        from sifprov.rundiff import diff_runs, read_run

        mine = f"{self.path}@{record}" if record else self.path
        if other is None and other_record is None:
            return diff_runs(read_run(mine, self.metadata, before=1), read_run(mine, self.metadata))
        path = self.path if other is None else _path(other)
        theirs = f"{path}@{other_record}" if other_record else path
        return diff_runs(read_run(mine, self.metadata), read_run(theirs, self.metadata))

    def plan_rerun(
        self,
        *,
        record: str = "",
        from_origin: bool = False,
        search: Iterable[PathLike] = (),
        inputs: Mapping[str, PathLike] | None = None,
        application: PathLike | None = None,
        applications: Mapping[str, PathLike] | None = None,
        arguments: Mapping[str, str] | None = None,
        runtime: str | None = None,
        force: bool = False,
    ) -> PlannedReplay:
        """Finds all that a replay of its last run (or of the one whose id begins with `record`)
        needs, and runs nothing.

        With `from_origin` every run that led there is replayed. `inputs` are other data, by mount
        point of the replayed run or by a recorded container's name or UUID; `application` is
        another application for the replayed run, `applications` for others, by name or UUID;
        `arguments` are words of the replayed command and what takes their place. Raises
        MissingError, naming all that is not there; NoRecordError, FileError, SifprovError.
        """
        from sifprov.replay.plan import Options, plan

        apps = [] if application is None else [os.fspath(application)]
        options = Options(
            record=record,
            from_origin=from_origin,
            search=tuple(os.fspath(folder) for folder in search),
            inputs=_pairs(inputs),
            applications=(*apps, *_pairs(applications)),
            arguments=_pairs(arguments),
            runtime=runtime,
            force=force,
            metadata=self.metadata,
        )
        return PlannedReplay(plan(self.path, options))

    def rerun(
        self,
        *,
        into: PathLike | None = None,
        jobs: int = 1,
        tolerance: float | str | None = None,
        keep: bool = False,
        record: str = "",
        from_origin: bool = False,
        search: Iterable[PathLike] = (),
        inputs: Mapping[str, PathLike] | None = None,
        application: PathLike | None = None,
        applications: Mapping[str, PathLike] | None = None,
        arguments: Mapping[str, str] | None = None,
        runtime: str | None = None,
        force: bool = False,
    ) -> Replayed:
        """Replays its last run in a new container and compares: `plan_rerun` and `run` in one.
        `.same` of what is returned is the answer. Raises MissingError, ReplayError, and what those
        raise."""
        planned = self.plan_rerun(
            record=record,
            from_origin=from_origin,
            search=search,
            inputs=inputs,
            application=application,
            applications=applications,
            arguments=arguments,
            runtime=runtime,
            force=force,
        )
        return planned.run(into=into, jobs=jobs, tolerance=tolerance, keep=keep)

    # What changes it, or makes another of it.

    def annotate(
        self,
        *,
        notes: Iterable[str] = (),
        tags: Mapping[str, str] | None = None,
        metrics: Mapping[str, float | str] | None = None,
        record: str | None = None,
    ) -> Annotated:
        """Adds words to a record, by default the newest run's, as a record of their own. Raises
        SifprovError, NoRecordError."""
        from sifprov.annotate import annotate
        from sifprov.model.annotation import make

        words = make(
            notes,
            [f"{name}={value}" for name, value in (tags or {}).items()],
            [f"{name}={value}" for name, value in (metrics or {}).items()],
        )
        return annotate(self.path, words, record, self.metadata)

    def seal(self, target: PathLike | None = None) -> Sealed:
        """Makes a sealed, compressed copy with the whole trail. Raises FileError."""
        from sifprov.seal import seal

        return seal(self.path, None if target is None else os.fspath(target))

    def grow(self, size: int | str, *, break_signatures: bool = False) -> Grown:
        """Enlarges its partition to `size` bytes (or `64M`). Raises FileError."""
        from sifprov.grow import grow
        from sifprov.sizes import parse_size

        wanted = size if isinstance(size, int) else parse_size(size)
        now = int(time.time())
        return grow(self.path, wanted, now=now, break_signatures=break_signatures)

    def sign(
        self, *, key: str | None = None, records_only: bool = False, runtime: str | None = None
    ) -> Signed:
        """Signs its records with the user's key, through the runtime. Raises FileError."""
        from sifprov.runtime.find import find_runtime
        from sifprov.sign import sign

        return sign(self.path, find_runtime(runtime), key=key, records_only=records_only)


def _path(other: Container | PathLike) -> str:
    return other.path if isinstance(other, Container) else os.fspath(other)


def _pairs(given: Mapping[str, PathLike] | None) -> tuple[str, ...]:
    """What the command line takes as KEY=VALUE."""
    return tuple(f"{key}={os.fspath(value)}" for key, value in (given or {}).items())
