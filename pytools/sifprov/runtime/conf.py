"""A runtime's configuration file, found without running the runtime.

`PREFIX/bin/NAME` has it at `PREFIX/etc/NAME/NAME.conf`, one in `/usr` at `/etc/NAME/NAME.conf`. A
runtime that was built to have it elsewhere is not asked. Each line is `key = value`, or a comment.
"""

from __future__ import annotations

import os

_MAX = 256 * 1024


def find_conf(program: str) -> tuple[str, dict[str, str]]:
    """Returns the path of the configuration of the runtime at `program`, and what it sets; empty
    where it cannot be read."""
    real = os.path.realpath(program)
    prefix, name = os.path.dirname(os.path.dirname(real)), os.path.basename(real)
    etc = "/etc" if prefix == "/usr" else os.path.join(prefix, "etc")
    path = os.path.join(etc, name, f"{name}.conf")
    try:
        with open(path, "rb") as file:
            lines = file.read(_MAX).decode("utf-8", "replace").split("\n")
    except OSError:
        return "", {}
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return path, {key.strip(): value.strip() for key, value in pairs}
