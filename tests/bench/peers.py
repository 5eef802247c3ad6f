"""Other programs that record runs, each in a virtual environment in the cache folder.

They come from PyPI, by name; git-annex, which datalad needs, too. One that cannot be installed or
does not run here has its reason instead.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "datalad": ("datalad", "git-annex"),
    "reprozip": ("reprozip",),
    "cwltool": ("cwltool",),
    "duct": ("con-duct",),
}


class MissingPeerError(Exception):
    """Why a peer is not to be had."""


def peer(name: str) -> Path:
    """Returns the folder of a peer's programs, installed when it is not there. Raises
    MissingPeerError."""
    cache = subprocess.run(
        [ROOT / "tools" / "cache-dir"], capture_output=True, text=True, check=True
    ).stdout.strip()
    folder = Path(cache) / "peers" / name
    done = folder / ".installed"
    if not done.exists():
        print(f"installing {name} from PyPI", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        made = subprocess.run(
            [*pip, *PACKAGES[name]], capture_output=True, text=True, timeout=900, check=False
        )
        if made.returncode != 0:
            last = (made.stderr.strip().splitlines() or ["pip failed"])[-1]
            raise MissingPeerError(f"pip install {' '.join(PACKAGES[name])}: {last}")
        done.touch()
    return folder / "bin"


def version(name: str) -> str:
    """The installed version of a peer, as its package says."""
    code = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"
    argv = [str(peer(name) / "python"), "-c", code, PACKAGES[name][0]]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()
