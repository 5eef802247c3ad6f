"""The plain folders of a run that were declared as its outputs."""

from __future__ import annotations

import os

from sifprov.capture.files import Lists
from sifprov.capture.late import SINCE
from sifprov.content import Deadline, TooLateError, Tree, scan_folder
from sifprov.errors import SifprovError
from sifprov.frozen import replace
from sifprov.identity import Identity, describe
from sifprov.model.record import FOLDER, OUTPUT, Container
from sifprov.model.request import CaptureEnd, CaptureRequest, Folder
from sifprov.model.timestamp import to_ns
from sifprov.placement import folder_uuid, place_for


def folder_outputs(
    request: CaptureRequest,
    end: CaptureEnd,
    metadata: str,
    deadline: Deadline,
    lists: Lists,
    *,
    late: bool,
) -> tuple[Container, ...]:
    """Returns the declared folders as they are when the run has ended, with what `lists` says of
    them; `late` as in `capture.finish`."""
    found = []
    for folder in request.folders:
        path = os.path.normpath(os.path.join(request.cwd, folder.source))
        tree, reason = _content(path, end, deadline, late=late)
        container = _describe(path, folder, tree, reason, metadata)
        found.append(lists.add(container, tree))
    return tuple(found)


def _describe(
    path: str, folder: Folder, tree: Tree | None, reason: str | None, metadata: str
) -> Container:
    found = replace(
        describe(OUTPUT, Identity(path), tree.digest if tree else None, reason),
        mount=folder.destination,
        writable=True,
        marks=(FOLDER,),
    )
    return replace(found, uuid=folder_uuid(place_for(found, metadata), path))


def _content(
    path: str, end: CaptureEnd, deadline: Deadline, *, late: bool
) -> tuple[Tree | None, str | None]:
    """Returns a folder's content, or None and why it is not known."""
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
    return tree, None
