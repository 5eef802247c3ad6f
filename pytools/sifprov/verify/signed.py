"""Signatures: whether they hold, by whom they are, and what of the records and data they cover.

Whether a signature is genuine only the runtime says, which has the keys. Whether what it speaks of
is still there as it was can be seen without any.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import BinaryIO

from sifprov.errors import MissingError
from sifprov.frozen import dataclass
from sifprov.groups import signed_groups, stands_with_records
from sifprov.runtime.find import Runtime
from sifprov.sif import DataType, Image, data_partition
from sifprov.signatures import mismatch
from sifprov.terminal import size as in_units
from sifprov.verify.check import Check, Findings, Verdict
from sifprov.verify.content import Step
from sifprov.verify.reading import Piece

# What is not read to check a signature, unless everything is to be.
MAX_QUICK = 1 << 30
# Bytes in a second that reading takes at the very least.
_SLOWEST = 10_000_000
_PATIENCE = 120
# What the runtimes say of a key that they do not have (sif/v2, pkg/integrity; go-crypto).
_NO_KEY = re.compile(r"unknown entity|key material not provided|keyring")
_FATAL = re.compile(r"FATAL:\s*(.*)")


@dataclass(frozen=True)
class Verified:
    """What the runtime says of the signatures of one group: `signers` where all of them hold, else
    the `reason`; `unknown`: for want of a key."""

    signers: tuple[str, ...] = ()
    reason: str | None = None
    unknown: bool = False


Ask = Callable[[int], Verified]


def ask_runtime(runtime: Runtime, path: str, size: int, key: str | None = None) -> Ask:
    """Returns what asks the runtime of the signatures of a group, by the local key ring or the
    public key in the PEM file `key`. No network is used."""
    whole = os.path.abspath(path)
    choice = ["--key", os.path.abspath(key)] if key else []

    def ask(group: int) -> Verified:
        argv = [runtime.path, "verify", "--local", "--json", *choice]
        try:
            done = subprocess.run(
                [*argv, "--group-id", str(group), whole],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                timeout=_PATIENCE + size / _SLOWEST, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            return Verified(reason=f"{runtime.name} does not run: {error}", unknown=True)
        if done.returncode == 0:
            return Verified(_signers(done.stdout) or ((f"the key in {key}",) if key else ()))
        fatal = _FATAL.search(done.stderr)
        reason = fatal.group(1).strip() if fatal else f"exit code {done.returncode}"
        return Verified(reason=reason, unknown=bool(_NO_KEY.search(reason)))

    return ask


def _signers(text: str) -> tuple[str, ...]:
    """Name and fingerprint of each key, from `verify --json`."""
    found: dict[str, None] = {}
    with suppress(ValueError, TypeError, AttributeError, KeyError, RecursionError):
        for row in json.loads(text)["SignerKeys"] or ():
            signer = row["Signer"]
            if signer["Fingerprint"]:
                found[f"{signer['Name']} {str(signer['Fingerprint']).upper()}"] = None
    return tuple(found)


def check_signatures(
    file: BinaryIO,
    image: Image,
    pieces: Sequence[Piece],
    ask: Callable[[], Ask],
    *,
    full: bool,
    required: bool,
    changed: bool,
    on_step: Step,
) -> Check:
    """Every signature, and what has none. `required`: what has none counts as missing.

    `ask` returns what asks the runtime, or raises MissingError; `changed`: a recorded run changed
    the data after it was signed.
    """
    found = Findings("signatures")
    valid: set[int] = set()
    says: Ask | str | None = None
    groups = sorted(signed_groups(image))
    for group in groups:
        what = _holds(group, image, pieces)
        size = sum(d.size for d in image.descriptors if d.group == group)
        if group == 0 or not _is_of_group(image, group):
            found.left_out(f"{what}: a signature of one object, as old runtimes made it")
            continue
        if size > MAX_QUICK and not full:
            found.left_out(f"{what}: {in_units(size)} to read (--full)")
            continue
        on_step(f"verifying the signatures of group {group}")
        if says is None:
            try:
                says = ask()
            except MissingError as error:
                says = str(error)
        told = Verified(reason=says, unknown=True) if isinstance(says, str) else says(group)
        if told.reason is None:
            valid.add(group)
            found.good(f"{what}: valid, by {', '.join(told.signers) or 'a key of yours'}")
        elif not told.unknown or mismatch(file, image, group):
            why = "it was changed after it was signed" if told.unknown else told.reason
            if changed and _is_data(image, group):
                why += " (a recorded run changed it after it was signed)"
            found.broken(f"{what}: not valid: {why}")
        else:
            found.left_out(f"{what}: signed, and as it was then, but by whom: {told.reason}")
    uncovered = _uncovered(image, pieces, valid, groups)
    for text in uncovered if required else ():
        found.missing(f"{text} not covered by a valid signature")
    if not groups:
        found.left_out("nothing is signed ('sifprov sign')")
    text = "; ".join([*found.texts(Verdict.GOOD), *found.texts(Verdict.NOT_CHECKED)])
    return found.check(text, partly=bool(valid))


def _is_of_group(image: Image, group: int) -> bool:
    return any(s.linked_group == group for s in image.select(DataType.SIGNATURE))


def _is_data(image: Image, group: int) -> bool:
    data = data_partition(image)
    return data is not None and data.group == group


def _holds(group: int, image: Image, pieces: Sequence[Piece]) -> str:
    """What stands in a group, in words."""
    count = sum(1 for p in pieces if p.stored.group == group)
    has = [f"{count} of {len(pieces)} records"] if count else []
    has += ["the data"] if _is_data(image, group) else []
    return f"group {group} ({' and '.join(has) or 'neither records nor data'})"


def _uncovered(
    image: Image, pieces: Sequence[Piece], valid: set[int], signed: Iterable[int]
) -> list[str]:
    without = [p for p in pieces if p.stored.group not in valid]
    found = [f"{len(without)} of {len(pieces)} records are"] if without else []
    data = data_partition(image)
    if data and data.group not in valid:
        found.append("the data is")
    others = {
        d.group for d in image.descriptors if stands_with_records(d) and d.group not in valid
    } - {p.stored.group for p in without}
    return [*found, *(f"group {g} is" for g in sorted(others))]
