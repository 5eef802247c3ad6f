"""What the recorder does. Its imports cost nobody time: the application is running."""

from __future__ import annotations

import os
from typing import BinaryIO
from uuid import uuid4

from sifprov import helper, spool
from sifprov.capture.facts.isolation import of_command_line, with_names
from sifprov.errors import SifprovError
from sifprov.model.environment import DEFAULT, FOR_HELPER, pick
from sifprov.model.record import WRAPPER
from sifprov.model.request import Bind, BoundImage, CaptureRequest, Folder, dump_request
from sifprov.model.timestamp import from_ns
from sifprov.runtime.find import identify_once
from sifprov.runtime.program import is_apptainer
from sifprov.settings import load_or_default
from sifprov.version import VERSION
from sifprov.wrapper.line import ImageBind
from sifprov.wrapper.recorder import TIMEOUT, Run


def record(run: Run, orders: BinaryIO) -> int:
    """Makes the record of a run; `orders` tells when it has ended. Returns 0 when it was recorded,
    or changed no container; else 1."""
    return helper.guarded(lambda: helper.follow(request_of(run), orders, live=run.instance))


def keep_request(run: Run, line: bytes) -> None:
    """Puts a run that could not be recorded into the spool. Raises FileError, OSError."""
    data = dump_request(request_of(run)) + line
    where = spool.folder()
    os.makedirs(where, mode=0o700, exist_ok=True)
    path = os.path.join(where, f"{uuid4()}{spool.REQUEST}")
    # The name appears with the whole content, so that a flush never reads half of it.
    part = path + ".part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with open(os.open(part, flags, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.rename(part, path)


def request_of(run: Run) -> CaptureRequest:
    """Returns the capture request of a run."""
    prepared = run.prepared
    binds = tuple(_bind(b) for b in prepared.binds)
    name, version = _version(prepared.line.program)
    outside = prepared.environ
    isolation = with_names(of_command_line(prepared.typed, outside), outside)
    return CaptureRequest(
        captured_by=WRAPPER,
        version=VERSION,
        runtime_name=name,
        runtime_version=version,
        argv=prepared.typed,
        command=_command(prepared.line.action, prepared.line.args),
        cwd=run.cwd,
        started=from_ns(run.started_ns),
        environment=pick(outside, (*DEFAULT, *load_or_default().environment)),
        image=_image(run),
        binds=binds,
        images=tuple(_bound(run.cwd, b) for b in binds),
        timeout=TIMEOUT,
        facts=(isolation,),
        variables=pick(outside, FOR_HELPER),
        annotation=run.words,
        metadata=run.metadata,
        folders=tuple(Folder(source, place) for source, place in run.folders),
    )


def _command(action: str, args: tuple[str, ...]) -> tuple[str, ...]:
    """What the runtimes start in the container."""
    return (f"/.singularity.d/actions/{action}", *args)


def _version(program: str) -> tuple[str, str]:
    try:
        found = identify_once(program)
    except SifprovError:
        return "apptainer" if is_apptainer(program) else "singularity-ce", "unknown"
    return found.name, found.version


def _image(run: Run) -> str:
    image = run.prepared.line.image
    return image if "://" in image else os.path.join(run.cwd, image)


def _bind(bind: ImageBind) -> Bind:
    options = bind.bind.options
    return Bind(
        source=bind.bind.source,
        destination=bind.bind.destination,
        image_src=options.get("image-src"),
        id=options.get("id") or None,
        read_only=bind.read_only,
        read_only_added=bind.added,
    )


def _bound(cwd: str, bind: Bind) -> BoundImage:
    path = os.path.realpath(os.path.join(cwd, bind.source))
    return BoundImage(path, not bind.read_only)
