"""The chain that records make by the digests that they hold.

A record names by its digest the one before it: so whatever is changed, taken away or put between in
a chain shows, but for its end. What an unkeyed chain cannot show stands in docs/verify.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from sifprov.model.container import INPUT
from sifprov.verify.check import Findings
from sifprov.verify.reading import Piece

# The place of all records that stand alone; no object has this number.
_ALONE = 0


def chains(pieces: Sequence[Piece]) -> dict[UUID | None, list[Piece]]:
    """Returns the pieces by the container that they speak of, as in a file that holds those of
    many; None for those that cannot be read."""
    found: dict[UUID | None, list[Piece]] = {}
    for piece in pieces:
        uuid = piece.record.container if piece.record else None
        found.setdefault(uuid, []).append(piece)
    return found


def check_chain(pieces: Sequence[Piece], container: UUID | None, found: Findings) -> list[Piece]:
    """Checks one chain, in the order in which its pieces stand; returns it, oldest first, as far as
    it leads.

    `container` is the UUID of the file that they stand in, None where they are those of others.
    """
    once = _each_once(pieces, found)
    behind: dict[str, list[Piece]] = {}
    starts = []
    for piece in once.values():
        previous = piece.record.previous if piece.record else None
        if previous is None:
            starts += [piece] if piece.record else []
        else:
            behind.setdefault(previous, []).append(piece)
            if previous not in once:
                found.broken(
                    f"{_named(piece)} goes on behind {previous}, which is not there: a record was "
                    "removed or changed"
                )
    for previous, several in behind.items():
        if len(several) > 1:
            found.broken(f"{len(several)} records go on behind {previous}: the chain has a fork")
    if len(starts) > 1:
        found.broken(f"{len(starts)} records are the first of the chain")
    order = _followed(starts[:1], behind)
    _check_places(pieces, {p.digest: n for n, p in enumerate(order)}, found)
    if container and order:
        _check_container(order, container, found)
    return order


def _each_once(pieces: Iterable[Piece], found: Findings) -> dict[str, Piece]:
    """The pieces by digest.

    A crash while some are bundled leaves old objects whose records stand in the new bundle too;
    what else stands there twice was put there.
    """
    once: dict[str, Piece] = {}
    held: dict[int, set[str]] = {}
    twice: set[tuple[int, int]] = set()
    again = 0
    for piece in pieces:
        place = piece.stored.object_id if piece.bundled else _ALONE
        mine = held.setdefault(place, set())
        first = once.setdefault(piece.digest, piece)
        if piece.digest in mine:
            found.broken(f"{_named(piece)} stands there twice")
        elif first is not piece:
            again += 1
            twice.add((first.stored.object_id if first.bundled else _ALONE, place))
        mine.add(piece.digest)
    for one, other in twice:
        if _ALONE not in (one, other) and not (held[one] < held[other] or held[other] < held[one]):
            found.broken(f"bundles {one} and {other} hold the same records")
    if again:
        found.good(f"{again} stand in a bundle and elsewhere too: bundling them was cut off")
    return once


def _followed(starts: Iterable[Piece], behind: dict[str, list[Piece]]) -> list[Piece]:
    order = list(starts)
    # A circle would need records that hold each other's SHA-256.
    for piece in order:
        order.extend(behind.get(piece.digest, ())[:1])
    return order


def _check_places(pieces: Sequence[Piece], number: dict[str, int], found: Findings) -> None:
    """Records that stand alone were written one after the other, and bundles keep the order."""
    newest: dict[int, int] = {}
    for piece in pieces:
        where = piece.stored.object_id if piece.bundled else _ALONE
        at = number.get(piece.digest)
        if at is None:
            continue
        if at < newest.get(where, -1):
            found.broken(f"{_named(piece)} stands behind one that is newer")
        newest[where] = max(at, newest.get(where, -1))


def _check_container(order: Sequence[Piece], container: UUID, found: Findings) -> None:
    """A chain speaks of the file that it stands in, and before the origin record of a sealed
    container of the one that this was sealed from (docs/formats.md, Sealed containers)."""
    its = container
    for piece in reversed(order):
        record = piece.record
        if record is None:
            continue
        if record.container != its:
            found.broken(f"{_named(piece)} speaks of container {record.container}, not of {its}")
        if record.origin:
            its = next((c.uuid for c in record.with_role(INPUT) if c.uuid), its)


def _named(piece: Piece) -> str:
    what = "record" if piece.record is None else f"record {piece.record.id}"
    return f"{what} (in {'bundle' if piece.bundled else 'object'} {piece.stored.object_id})"
