"""The declaration in a data partition's descriptor name: what the container is for, and where it
is bound.

    sifprov:ROLE:MOUNT

See docs/formats.md. The plugin reads the same.
"""

from __future__ import annotations

from sifprov.errors import SifprovError
from sifprov.frozen import dataclass
from sifprov.model.record import INPUT, OUTPUT

_PREFIX = b"sifprov:"
MAX_MOUNT = 100


@dataclass(frozen=True)
class Declaration:
    """A data container's role (`input` or `output`) and mount point (an absolute path)."""

    role: str
    mount: str

    def to_name(self) -> bytes:
        """Returns the descriptor name."""
        return (
            _PREFIX
            + self.role.encode("ascii")
            + b":"
            + self.mount.encode("utf-8", "surrogateescape")
        )


def parse_declaration(name: bytes) -> Declaration | None:
    """Reads a descriptor name; None when it declares nothing."""
    name = name.split(b"\0", 1)[0]
    prefix, role, mount = [*name.split(b":", 2), b"", b""][:3]
    if prefix + b":" != _PREFIX or role not in (b"input", b"output"):
        return None
    if not mount.startswith(b"/") or len(mount) > MAX_MOUNT:
        return None
    text = mount.decode("utf-8", "surrogateescape")
    return Declaration(INPUT if role == b"input" else OUTPUT, text)


def check_mount(mount: str) -> str:
    """Returns a mount point in its plain form (`/Inputs`). Raises SifprovError for an unfit one."""
    parts = [p for p in mount.split("/") if p]
    plain = "/" + "/".join(parts)
    if not mount.startswith("/"):
        raise SifprovError(f"mount point {mount!r} is not absolute", hint=f"try '/{mount}'")
    if not parts or any(p in (".", "..") for p in parts):
        raise SifprovError(
            f"mount point {mount!r} must name a folder below the root, without '.' and '..'"
        )
    if len(plain.encode("utf-8", "surrogateescape")) > MAX_MOUNT:
        raise SifprovError(f"mount point {plain!r} is longer than {MAX_MOUNT} bytes")
    if any(c in "\0\n" for c in plain) or parts[0] == "lost+found":
        raise SifprovError(
            f"mount point {plain!r} cannot be used", hint="choose a plain name such as /Inputs"
        )
    return plain
