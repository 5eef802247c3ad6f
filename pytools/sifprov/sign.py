"""Signs a container's records, and its data, with the user's own key through the runtime."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import BinaryIO

from sifprov.errors import FileError, FormatError, NoRecordError
from sifprov.frozen import dataclass
from sifprov.groups import is_ours, signed_groups
from sifprov.room import plan_bundle
from sifprov.runtime.find import Runtime
from sifprov.sif import DataType, Image, load
from sifprov.sif.disk import FileDisk
from sifprov.sif.image import open_file
from sifprov.sif.merge import merge_objects
from sifprov.sif.write import full_table, locked
from sifprov.signatures import mismatch
from sifprov.survivors import is_locked, writers


@dataclass(frozen=True)
class Signed:
    """The groups that were signed now, and those that had been before."""

    groups: tuple[int, ...]
    before: tuple[int, ...]


def sign(
    path: str,
    runtime: Runtime,
    *,
    key: str | None = None,
    records_only: bool = False,
    run: Callable[[Sequence[str]], int] = subprocess.call,
    now: Callable[[], float] = time.time,
) -> Signed:
    """Signs every group of the container at `path` that has no signature yet.

    Then each group is signed, as the runtime's plain `verify` demands; with `records_only` only
    those of the records. `key` is a number of the runtime's key ring or a PEM file; None lets the
    runtime choose or ask. The runtime has the terminal. Raises FileError, NoRecordError; what was
    signed before the error stays signed.
    """
    with open_file(path, write=True) as file, locked(file, path):
        try:
            image = load(file)
            wanted = _wanted(path, file, image, records_only)
            image = _with_room(path, file, image, len(wanted), int(now()))
        except FormatError as error:
            raise FileError(f"{path}: {error}") from error
        except OSError as error:
            raise FileError(f"{path}: cannot write: {error.strerror or error}") from error
        for group in wanted:
            _sign_group(path, file, runtime, key, group, run)
        return Signed(tuple(wanted), tuple(sorted(signed_groups(image) - {0})))


def _wanted(path: str, file: BinaryIO, image: Image, records_only: bool) -> list[int]:
    """The groups to sign. Raises when what is asked for cannot be had."""
    ours = {d.group for d in image.descriptors if is_ours(d)}
    if not ours:
        raise NoRecordError(
            f"{path}: carries no record to sign",
            hint="sign a container without records with the runtime itself",
        )
    groups = ours if records_only else {d.group for d in image.descriptors}
    signed = signed_groups(image)
    for group in sorted((groups & signed) - {0}):
        broken = mismatch(file, image, group)
        if broken:
            raise FileError(
                f"{path}: group {group} was changed after it was signed, so signature object "
                f"{broken.id} cannot be valid any more and the plain verify will fail",
                hint=f"sign the records alone with --records-only; or remove the old signature "
                f"with 'sif del {broken.id}' of the runtime, and sign again",
            )
    for item in image.descriptors:
        if not item.partition or item.group not in groups - signed:
            continue
        if is_locked(path, item.offset, item.size) or writers(path, item.offset):
            raise FileError(f"{path}: a run is using it", hint="sign it when the run has ended")
    return sorted(groups - signed - {0})


def _with_room(path: str, file: BinaryIO, image: Image, slots: int, now: int) -> Image:
    """Makes the descriptors free that the signatures will take."""
    missing = slots - len(image.free_slots())
    if missing > 0:
        plan = plan_bundle(file, image, missing)
        if plan is None:
            raise full_table(path, image)
        merge_objects(FileDisk(file.fileno()), image, plan, now)
        image = load(file)
    taken = image.taken_numbers(slots)
    if taken:
        raise FileError(
            f"{path}: the runtime would number a signature {taken[0]}, as another object is "
            "numbered that a foreign program wrote",
            hint="'sifprov data seal' makes a container with numbers in order",
        )
    return image


def _sign_group(
    path: str,
    file: BinaryIO,
    runtime: Runtime,
    key: str | None,
    group: int,
    run: Callable[[Sequence[str]], int],
) -> None:
    choice = [] if key is None else ["--keyidx", key] if key.isdigit() else ["--key", key]
    name = path if os.path.isabs(path) else os.path.join(os.curdir, path)
    code = run([runtime.path, "sign", "--group-id", str(group), *choice, name])
    # The runtime does not wait for the disk.
    os.fdatasync(file.fileno())
    made = load(file).select(DataType.SIGNATURE)
    if code != 0 or not any(s.linked_group == group for s in made):
        raise FileError(
            f"{path}: {runtime.name} could not sign group {group} (exit code {code})",
            hint=f"'{os.path.basename(runtime.path)} key list --secret' shows your keys",
        )
