"""One debugfs process that answers command after command.

Behind each command stands a second line that is no command but a random word. debugfs complains
about it on its standard error, by when all it had to say to the command has left it: an end mark
that nothing inside an image can imitate.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Iterable

from pyext2fs._run import (
    CorruptFilesystem,
    Ext2fsError,
    NoSpace,
    device_at,
    environment,
    failure,
    find_tool,
)

_PROMPT = b"debugfs:  "
_BANNER = b"debugfs 1."


class Session:
    """debugfs on the filesystem at `offset` of the open file `fd`."""

    def __init__(
        self, fd: int, offset: int, *, writable: bool, timeout: float, env: dict[str, str]
    ) -> None:
        self.argv = [find_tool("debugfs"), *(["-w"] if writable else []), device_at(fd, offset)]
        self.timeout = timeout
        self._count = 0
        self._word = os.urandom(16).hex()
        try:
            self._process = subprocess.Popen(
                self.argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=environment(env),
                pass_fds=(fd,),
                start_new_session=True,  # Ctrl-C is ours to handle
            )
        except OSError as e:
            raise Ext2fsError(f"debugfs: {e.strerror}", self.argv) from e
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        assert stdin and stdout and stderr  # noqa: S101 - for mypy
        self._stdin = stdin
        self._out, self._err = stdout.fileno(), stderr.fileno()
        self._poll = select.poll()
        for pipe in (self._out, self._err):
            os.set_blocking(pipe, False)
            self._poll.register(pipe, select.POLLIN)
        try:
            self.command("", limit=1 << 16)
        except BaseException:
            self.kill()
            raise

    def command(self, line: str, limit: int) -> bytes:
        """What debugfs prints for one command.

        Raises CorruptFilesystem where it complains about the filesystem or prints more than
        `limit` bytes, NoSpace where it found none.
        """
        self._count += 1
        word = f"{self._word}{self._count}"
        try:
            self._stdin.write(f"{line}\n{word}\n".encode())
            output, complaint = self._answer(word.encode(), limit)
        except (OSError, ValueError) as e:
            raise Ext2fsError(f"debugfs ended: {e}", self.argv, self._process.poll()) from e
        except Ext2fsError:
            self.kill()
            raise
        if complaint:
            text = complaint.decode(errors="replace").strip()
            error = failure("debugfs", self.argv, 0, "", text)
            kind = NoSpace if isinstance(error, NoSpace) else CorruptFilesystem
            raise kind(f"debugfs {line}: {text}", self.argv, None, text)
        return output

    def _answer(self, word: bytes, limit: int) -> tuple[bytes, bytes]:
        """Standard output without its last prompts, and standard error up to the end mark."""
        # One prompt behind the command, one behind the word, and one at debugfs's start.
        prompts = _PROMPT * (3 if self._count == 1 else 2)
        output, errors = bytearray(), bytearray()
        deadline = time.monotonic() + self.timeout
        marked = False
        while not (marked and output.endswith(prompts)):
            left = deadline - time.monotonic()
            if left <= 0:
                raise Ext2fsError(f"debugfs gave no answer within {self.timeout} s", self.argv)
            for pipe, _event in self._poll.poll(left * 1000):
                data = os.read(pipe, 1 << 18)
                if not data:
                    said = errors.decode(errors="replace").strip()
                    raise Ext2fsError(f"debugfs ended: {said}", self.argv, None, said)
                (output if pipe == self._out else errors).extend(data)
            if len(output) > limit or len(errors) > 1 << 20:
                raise CorruptFilesystem("debugfs says more than the filesystem can hold", self.argv)
            at = errors.find(word)
            marked = at >= 0 and errors.find(b"\n", at) >= 0
        complaint = bytes(errors[: errors.rfind(b"debugfs: ", 0, at)])
        if self._count == 1 and complaint.startswith(_BANNER):
            complaint = complaint.partition(b"\n")[2]
        return bytes(output[: -len(prompts)]), complaint

    def run(self, commands: Iterable[str]) -> None:
        for line in commands:
            self.command(line, 1 << 20)

    def close(self) -> None:
        """End debugfs, which writes what it changed."""
        try:
            _out, errors = self._process.communicate(timeout=self.timeout)
        except (subprocess.TimeoutExpired, OSError, ValueError) as e:
            self.kill()
            raise Ext2fsError("debugfs did not end", self.argv) from e
        if self._process.returncode or errors:
            text = errors.decode(errors="replace").strip()
            raise Ext2fsError(
                f"debugfs failed at its end: {text}", self.argv, self._process.returncode, text
            )

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()
