"""Produces the record of one run.

`begin` when the container starts: it reads every container's identity and hashes what cannot
change any more, while the application runs. `finish` when it has ended: it hashes the writable
containers, decides the roles, and appends the record to every output.
"""

from sifprov.capture.bound import Bound
from sifprov.capture.deliver import Written, append_to, deliver
from sifprov.capture.session import Finished, Started, begin, finish

__all__ = ["Bound", "Finished", "Started", "Written", "append_to", "begin", "deliver", "finish"]
