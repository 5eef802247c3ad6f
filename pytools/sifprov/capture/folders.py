"""The plain folders of a run that were declared as its outputs."""

from __future__ import annotations

import os

from sifprov.content import Deadline, TooLateError, scan_folder
from sifprov.errors import SifprovError
from sifprov.frozen import replace
from sifprov.identity import Identity, describe
from sifprov.model.record import FOLDER, OUTPUT, Container
from sifprov.model.request import CaptureRequest, Folder
from sifprov.placement import folder_uuid, place_for


def folder_outputs(
    request: CaptureRequest, metadata: str, deadline: Deadline
) -> tuple[Container, ...]:
    """Returns the declared folders as they are when the run has ended."""
    return tuple(_describe(f, request.cwd, metadata, deadline) for f in request.folders)


def _describe(folder: Folder, cwd: str, metadata: str, deadline: Deadline) -> Container:
    path = os.path.normpath(os.path.join(cwd, folder.source))
    digest, reason = None, None
    try:
        digest = scan_folder(path, deadline).digest
    except TooLateError:
        reason = "not read in the time granted"
    except (SifprovError, OSError) as error:
        reason = str(error)
    found = replace(
        describe(OUTPUT, Identity(path), digest, reason),
        mount=folder.destination,
        writable=True,
        marks=(FOLDER,),
    )
    return replace(found, uuid=folder_uuid(place_for(found, metadata), path))
