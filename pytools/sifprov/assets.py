"""Finds what is installed beside the packages: the plugin's source, the layouts, their schemas."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

from sifprov.errors import MissingError


def asset_folder(name: str) -> Path:
    """Returns the folder `name` of the checkout or of the installed package. Raises
    MissingError."""
    checkout = Path(__file__).parents[2]
    # The checkout first: an installed package has no setup.cfg above it.
    places = [checkout / name] if (checkout / "setup.cfg").is_file() else []
    user = sysconfig.get_path("data", "posix_user")
    places += [Path(p) / "share" / "sifprov" / name for p in (sys.prefix, user)]
    for folder in places:
        if folder.is_dir():
            return folder
    raise MissingError(
        f"{name} is in none of {', '.join(map(str, places))}", hint="install sifprov again"
    )
