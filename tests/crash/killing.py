"""Kills a process of our own when a step of its work begins."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

_SCRIPT = """\
import os, signal, sys
path, left, now = sys.argv[1], int(sys.argv[2]), 1_790_000_000
def on_step(text):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def kill_at_step(call: str, path: Path, step: int) -> None:
    """Runs `call`, a line of Python that knows `path`, `now` and `on_step`, and kills it when the
    step of this number, from 0, begins."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT + call, path, str(step)],
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
