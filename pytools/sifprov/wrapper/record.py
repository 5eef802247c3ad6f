"""What the recorder does. Its imports cost nobody time: the application is running."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from uuid import UUID

from sifprov import helper, spool
from sifprov.capture.facts.isolation import of_command_line, with_names
from sifprov.errors import SifprovError
from sifprov.model.environment import DEFAULT, FOR_HELPER, pick
from sifprov.model.record import WRAPPER
from sifprov.model.request import (
    Bind,
    BoundImage,
    CaptureEnd,
    CaptureRequest,
    Folder,
    dump_request,
)
from sifprov.model.timestamp import from_ns
from sifprov.runtime.conf import find_conf
from sifprov.runtime.find import identify_once
from sifprov.runtime.program import is_apptainer
from sifprov.settings import load_or_default
from sifprov.version import VERSION
from sifprov.wrapper.line import ImageBind
from sifprov.wrapper.recorder import TIMEOUT, Run
from sifprov.wrapper.starts import first_below

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from sifprov.telemetry.sampler import Sampler


def record(run: Run, orders: BinaryIO) -> int:
    """Makes the record of a run; `orders` tells when it has ended. Returns 0 when it was recorded,
    or changed no container; else 1."""
    measure, runtime = partial(_measure, run), run.runtime
    return helper.guarded(
        lambda: helper.follow(
            request_of(run), orders, live=run.instance, measure=measure, runtime=runtime
        )
    )


def _measure(run: Run, runtime: int, interval_us: int, began_ns: int) -> Sampler:
    from sifprov.telemetry.sampler import Sampler  # only who wants it pays for it

    find = partial(first_below, runtime)
    return Sampler(find, runtime, interval_us, began_ns, joined=run.instance)


def _read_log(number: int) -> bytes:
    return os.pread(number, os.fstat(number).st_size, 0)


def keep_request(run: Run, line: bytes) -> str:
    """Puts a run that could not be recorded into the spool. Returns the words that say how it is
    delivered. Raises FileError."""
    request = request_of(run)
    near = next((os.path.dirname(i.path) for i in request.images if i.writable), None)
    return spool.how_to_flush(spool.save_request(dump_request(request) + line, near))


def request_of(run: Run) -> CaptureRequest:
    """Returns the capture request of a run."""
    prepared = run.prepared
    binds = tuple(_bind(b) for b in prepared.binds)
    name, version = _version(prepared.line.program)
    outside = prepared.environ
    program = prepared.line.program
    asked = of_command_line(
        prepared.typed, outside, apptainer=is_apptainer(program), conf=find_conf(program)
    )
    isolation = with_names(asked, outside)
    return CaptureRequest(
        captured_by=WRAPPER,
        version=VERSION,
        runtime_name=name,
        runtime_version=version,
        argv=_shown(run),
        command=_command(prepared.line.action, prepared.line.args),
        cwd=run.cwd,
        started=from_ns(run.started_ns),
        environment=pick(outside, (*DEFAULT, *load_or_default().environment)),
        image=_image(run),
        binds=binds,
        images=tuple(_bound(run.cwd, b) for b in binds),
        timeout=TIMEOUT,
        facts=(isolation,),
        variables=pick({**outside, **_typed(run)}, FOR_HELPER),
        annotation=run.words,
        log=None if run.log is None else partial(_read_log, run.log),
        metadata=run.metadata,
        folders=tuple(Folder(source, place) for source, place in run.folders),
        names=_names(run),
        id=UUID(run.id),
        live=run.live,
    )


def _shown(run: Run) -> tuple[str, ...]:
    if not run.late:
        return run.prepared.typed
    from sifprov.wrapper.atomic import shown  # few runs ask for it

    return shown(run.late, run.prepared.typed)


def _names(run: Run) -> Callable[[CaptureEnd], Mapping[str, str]] | None:
    if not run.late:
        return None
    from sifprov.wrapper.atomic import names

    return partial(names, run.late)


def _typed(run: Run) -> dict[str, str]:
    """Settings of the command line, as the variables over which they count."""
    typed = {"SIFPROV_DIGEST": run.digest, "SIFPROV_TELEMETRY": run.telemetry}
    return {name: value for name, value in typed.items() if value is not None}


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
    image = run.prepared.instance or run.prepared.line.image
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
    # The runtimes bind read-only what the user may not write.
    return BoundImage(path, not bind.read_only and os.access(path, os.W_OK))
