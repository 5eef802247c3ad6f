"""SHA-256 for a process that may have little to digest.

`hashlib` loads OpenSSL, which takes as long as Python's own SHA-256 does for half a megabyte and
more; OpenSSL's is five times as fast. So the first half megabyte of a process goes to the former.
"""

from __future__ import annotations

from collections.abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import _Hash as Hash

    def _own(data: bytes) -> Hash: ...
else:
    try:
        from _sha2 import sha256 as _own
    except ImportError:  # Python before 3.12
        try:
            from _sha256 import sha256 as _own
        except ImportError:  # built without
            from hashlib import sha256 as _own

_LITTLE = 1 << 19
# What a call costs beside its bytes, told in bytes.
_CALL = 64
_done = 0


def sha256(data: bytes = b"", size: int = 0) -> Hash:
    """Returns the hash object of `data`. `size`: of all that it will be given, in bytes, where that
    is more than `data`; about right is good enough."""
    global _done
    _done += max(size, len(data)) + _CALL
    if _done <= _LITTLE:
        return _own(data)
    return _openssl()(data)


def _openssl() -> Callable[[bytes], Hash]:
    # `hashlib` would load all the others, too.
    try:
        from _hashlib import openssl_sha256 as found
    except ImportError:  # built without
        from hashlib import sha256 as found
    return found
