"""Record trails of containerized science, kept inside SIF containers.

    import sifprov
    sifprov.open("output.sif").trail()

`sifprov.api` has the rest.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sifprov.api import Catalog, make, open, run  # noqa: A004

__all__ = ["Catalog", "make", "open", "run"]


def __getattr__(name: str) -> object:
    # Not imported before somebody asks: the helper's start is on the user's clock.
    if name in __all__:
        from sifprov import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
