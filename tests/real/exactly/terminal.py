"""A person at a terminal: an interactive bash under a pty, which is typed into and read."""

from __future__ import annotations

import fcntl
import os
import pwd
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from pathlib import Path

from tests.real.harness import kill_tree

PATIENCE = 60.0
PROMPT = b"next> "
CTRL_C, CTRL_D, CTRL_Z, CTRL_BACKSLASH = "\x03", "\x04", "\x1a", "\x1c"


class Terminal:
    """`transcript` is all that the terminal showed so far."""

    def __init__(self, user: str, folder: Path, env: Mapping[str, str]) -> None:
        self.master, slave = os.openpty()
        account = pwd.getpwnam(user)
        os.fchown(slave, account.pw_uid, account.pw_gid)
        self.resize(33, 77)
        other = account.pw_uid != os.getuid()
        self.process = subprocess.Popen(
            ["setsid", "-c", "bash", "--norc", "--noprofile", "--noediting", "-i"],
            cwd=folder,
            env={**env, "TERM": "dumb", "PS1": PROMPT.decode()},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            user=account.pw_uid if other else None,
            group=account.pw_gid if other else None,
            extra_groups=[] if other else None,
        )
        os.close(slave)
        self.transcript = b""
        self._read_to = 0
        self.until(PROMPT)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def until(self, pattern: bytes) -> bytes:
        """Reads on until the pattern shows; returns what it matched."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = re.search(pattern, self.transcript[self._read_to :])
            if found:
                self._read_to += found.end()
                return found.group()
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise TimeoutError(f"no {pattern!r} within {PATIENCE:g} s")
            try:
                self.transcript += os.read(self.master, 65536)
            except OSError as error:  # how Linux tells that nobody has the other side open
                raise EOFError(f"closed without {pattern!r}") from error

    def command(self, line: str) -> None:
        """Types a line to bash and waits until it has ended."""
        self.type(line + "\n")
        self.until(re.escape(line.encode()))
        self.until(PROMPT)

    def type_and_wait(self, line: str) -> None:
        """Types a line that gives the terminal to another group of processes, and waits until that
        has it: only then do keys such as ^C reach it."""
        # The line before may still be at its end; then the shell has the terminal for a moment.
        others = {os.tcgetpgrp(self.master), os.getpgid(self.process.pid)}
        self.type(line + "\n")
        deadline = time.monotonic() + PATIENCE
        while os.tcgetpgrp(self.master) in others:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the terminal stays where it was before {line!r}")
            time.sleep(0.01)

    def hang_up(self) -> None:
        """As when the window is closed."""
        os.close(self.master)
        self.master = -1

    def close(self) -> None:
        if self.master >= 0:
            self.hang_up()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            kill_tree(self.process.pid)
            self.process.wait(5)
