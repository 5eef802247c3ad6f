"""What a file is by itself, whatever else is at hand: header, objects, records and their chain."""

from __future__ import annotations

from typing import BinaryIO

from sifprov.errors import FileError, FormatError
from sifprov.frozen import dataclass
from sifprov.groups import stands_with_records
from sifprov.identity import identify_image
from sifprov.placement import is_metadata
from sifprov.sidecar import read_sidecar
from sifprov.sif import Image, load
from sifprov.sif.image import open_file
from sifprov.verify.chain import chains, check_chain
from sifprov.verify.check import Check, Findings, Verdict
from sifprov.verify.documents import check_beside, check_lineage_objects
from sifprov.verify.reading import Piece, lines, read_pieces
from sifprov.verify.table import check_header, check_objects


@dataclass(frozen=True)
class Structure:
    """The checks of one file, and its records as they stand there; `is_readable`: it is a SIF, or a
    sidecar."""

    checks: tuple[Check, ...]
    pieces: tuple[Piece, ...] = ()

    is_readable: bool = True

    def problems(self) -> Findings:
        """Returns all that is wrong or missing."""
        found = Findings("structure")
        for check in self.checks:
            for one in check.problems:
                found.add(one.verdict, one.text)
        return found


def of_container(path: str) -> Structure:
    """Looks into a SIF. Raises FileError only for a file that cannot be opened."""
    with open_file(path) as file:
        try:
            return _of_image(path, file, load(file))
        except (FormatError, OSError) as error:
            return Structure((Check("header", Verdict.BROKEN, str(error)),), is_readable=False)


def _of_image(path: str, file: BinaryIO, image: Image) -> Structure:
    declared = identify_image(path, file, image).declaration is not None
    # A container that sifprov made, as far as it says.
    alone = is_metadata(image) and any(map(stands_with_records, image.descriptors))
    ours = declared or alone
    found = Findings("records")
    pieces = read_pieces(file, image, found)
    check_beside(file, image, [p.record for p in pieces if p.record], found)
    check_lineage_objects(file, image, found)
    return Structure(
        (
            check_header(file, image, ours=ours),
            check_objects(file, image, ours=ours),
            *_of_records(pieces, image, found),
        ),
        pieces,
    )


def _of_records(pieces: tuple[Piece, ...], image: Image, found: Findings) -> tuple[Check, Check]:
    chain = Findings("chain")
    groups = chains(pieces)
    others = is_metadata(image) and any(u not in (None, image.header.uuid) for u in groups)
    return found.check(_counted(pieces)), _checked(pieces, chain, None if others else image)


def of_sidecar(path: str) -> Structure:
    """Looks into a sidecar. Raises FileError."""
    found, chain = Findings("records"), Findings("chain")
    pieces = tuple(lines(read_sidecar(path), found))
    return Structure((found.check(_counted(pieces)), _checked(pieces, chain, None)), pieces)


def _checked(pieces: tuple[Piece, ...], chain: Findings, image: Image | None) -> Check:
    """One chain in a container of its own, else one for each container that is spoken of."""
    if image is not None:
        order = check_chain(pieces, image.header.uuid, chain)
        return chain.check(f"each of {len(order)} goes on behind the one before it")
    several = {u: p for u, p in chains(pieces).items() if u}
    for own in several.values():
        check_chain(own, None, chain)
    return chain.check(f"those of {len(several)} containers, each behind the one before it")


def _counted(pieces: tuple[Piece, ...]) -> str:
    return f"{len(pieces)} of them" if pieces else "none"


def problems(path: str) -> Findings:
    """Returns what is wrong with a file by itself."""
    try:
        return of_container(path).problems()
    except FileError as error:
        found = Findings("structure")
        found.missing(str(error))
        return found
