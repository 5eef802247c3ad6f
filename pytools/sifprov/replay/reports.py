"""Reports of replayed runs for the catalog, where they are wanted (docs/live.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sifprov.capture import Finished
from sifprov.model.request import LOST, CaptureEnd, CaptureRequest
from sifprov.settings import Settings


@contextmanager
def reporting(
    request: CaptureRequest, settings: Settings, runtime: int
) -> Iterator[Callable[[CaptureEnd, Finished | None], None]]:
    """Reports that a run has begun, in the process `runtime`, and that it has ended.

    What this yields takes how it ended, then what became of its record. Without that, the reason is
    the error that ends the `with`.
    """
    if not request.live:
        yield lambda end, finished: None
        return
    from sifprov.capture.live import Reporter  # only who wants it pays for it

    reporter = Reporter(request, settings, runtime)
    end, finished, reason = LOST, None, None

    def tell(how: CaptureEnd, became: Finished | None) -> None:
        nonlocal end, finished
        end, finished = how, became

    try:
        yield tell
    except BaseException as error:
        reason = str(error) or "the replay was interrupted"
        raise
    finally:
        reporter.ended(end, finished, None if finished else reason)
