"""The plain folders of a run that were declared as its outputs."""

from __future__ import annotations

import os

from sifprov.capture.late import SINCE
from sifprov.content import Deadline, TooLateError, scan_folder
from sifprov.errors import SifprovError
from sifprov.frozen import replace
from sifprov.identity import Identity, describe
from sifprov.model.record import FOLDER, OUTPUT, Container
from sifprov.model.request import CaptureEnd, CaptureRequest, Folder
from sifprov.model.timestamp import to_ns
from sifprov.placement import folder_uuid, place_for


def folder_outputs(
    request: CaptureRequest, end: CaptureEnd, metadata: str, deadline: Deadline, *, late: bool
) -> tuple[Container, ...]:
    """Returns the declared folders as they are when the run has ended; `late` as in
    `capture.finish`."""
    return tuple(
        _describe(f, request.cwd, end, metadata, deadline, late=late) for f in request.folders
    )


def _describe(
    folder: Folder, cwd: str, end: CaptureEnd, metadata: str, deadline: Deadline, *, late: bool
) -> Container:
    path = os.path.normpath(os.path.join(cwd, folder.source))
    digest, reason = _content(path, end, deadline, late=late)
    found = replace(
        describe(OUTPUT, Identity(path), digest, reason),
        mount=folder.destination,
        writable=True,
        marks=(FOLDER,),
    )
    return replace(found, uuid=folder_uuid(place_for(found, metadata), path))


def _content(
    path: str, end: CaptureEnd, deadline: Deadline, *, late: bool
) -> tuple[str | None, str | None]:
    """Returns a folder's digest, or None and why it is not known."""
    if end.ended is None:
        return None, "the runtime was killed; the application may still be writing"
    try:
        tree = scan_folder(path, deadline)
    except TooLateError:
        return None, "not read in the time granted"
    except (SifprovError, OSError) as error:
        return None, str(error)
    if late and tree.changed_ns > to_ns(end.ended):
        return None, SINCE
    return tree.digest, None
