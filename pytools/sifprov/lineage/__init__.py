"""The trail as a graph: build.py, from records alone; order.py, what comes before what; found.py,
the containers as they are now; foreign.py, what another program recorded. No I/O."""

from sifprov.lineage.build import build
from sifprov.lineage.found import ANOTHERS, CHANGED, MORE, OTHER_RECORDS

__all__ = ["ANOTHERS", "CHANGED", "MORE", "OTHER_RECORDS", "build"]
