"""The relay that keeps an application's output changes nothing for the two sides."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

from sifprov.model.log import Log

# Starts a program as the wrapper does, and saves the log to the file named first.
SCRIPT = """
import os, signal, sys
from sifprov.wrapper.supervise import Process, end_as
from sifprov.wrapper.tee import Tee

tee = Tee(int(os.environ.get("LIMIT", "100000")))
process = Process(("/bin/sh", "-c", sys.argv[2]), dict(os.environ), tee)
ended = process.wait()
kept = tee.close()
with open(sys.argv[1], "wb") as file:
    file.write(os.pread(tee.log, 1 << 24, 0) if kept else b"")
end_as(ended.status)
"""


def command(saved: Path, script: str) -> list[str]:
    return [sys.executable, "-c", SCRIPT, str(saved), script]


def run(saved: Path, script: str, **more: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        command(saved, script), capture_output=True, timeout=60, **more
    )


def kept(saved: Path) -> dict[str, bytes]:
    log = Log.from_bytes(saved.read_bytes())
    found: dict[str, bytes] = {}
    for stream, data in (*log.head, *log.tail):
        found[stream] = found.get(stream, b"") + data
    return found


def test_pipes_get_every_byte_and_the_exit_code(tmp_path: Path) -> None:
    saved = tmp_path / "log"
    done = run(saved, "echo out; echo err >&2; head -c 300000 /dev/zero; exit 7")
    assert (done.returncode, done.stderr) == (7, b"err\n")
    assert done.stdout == b"out\n" + bytes(300_000)
    log = Log.from_bytes(saved.read_bytes())
    assert dict(log.sizes) == {"stderr": 4, "stdout": 300_004}
    assert log.cut > 200_000


def test_one_pipe_for_both_keeps_the_order(tmp_path: Path) -> None:
    saved = tmp_path / "log"
    script = "for i in 1 2 3 4 5 6 7 8 9; do echo $i; echo e$i >&2; done"
    done = subprocess.run(
        command(saved, script), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60
    )
    assert done.stdout == "".join(f"{i}\ne{i}\n" for i in range(1, 10)).encode()
    assert kept(saved) == {"both": done.stdout}


def test_who_writes_learns_that_nobody_reads(tmp_path: Path) -> None:
    saved = tmp_path / "log"
    began = time.monotonic()
    with subprocess.Popen(
        command(saved, "while :; do echo y; done"), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"y\n"
        process.stdout.close()
        assert process.wait(timeout=30) == -signal.SIGPIPE
    assert time.monotonic() - began < 30


def test_background_writers_are_handed_on_but_not_waited_for(tmp_path: Path) -> None:
    saved = tmp_path / "log"
    with subprocess.Popen(
        command(saved, "(sleep 1.5; echo late) & echo now"), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"now\n"
        assert process.wait(timeout=1.4) == 0
        assert process.stdout.readline() == b"late\n"
    assert kept(saved) == {"stdout": b"now\n"}


def test_closed_outputs_stay_closed(tmp_path: Path) -> None:
    saved = tmp_path / "log"
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command(saved, "echo x; echo y >&2; exit 3")],
        stderr=subprocess.PIPE,
        timeout=60,
    )
    assert done.returncode == 3
    assert done.stderr.endswith(b"y\n")
    assert kept(saved)["stderr"] == done.stderr


def on_terminal(saved: Path, script: str, feed: bytes = b"", resize: bool = False) -> bytes:
    """Runs it on a terminal of its own, as a login does; returns what the terminal showed."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 90, 0, 0))

    def own_terminal() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        command(saved, script), stdin=slave, stdout=slave, stderr=slave, preexec_fn=own_terminal
    )
    os.close(slave)
    shown, deadline = b"", time.monotonic() + 30
    try:
        while time.monotonic() < deadline:
            if select.select([master], [], [], 0.1)[0]:
                try:
                    data = os.read(master, 65536)
                except OSError:
                    break
                shown += data
                if resize and b"ready" in shown:
                    resize = False
                    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 55, 0, 0))
                if feed and b"ready" in shown:
                    time.sleep(0.2)
                    os.write(master, feed)
                    feed = b""
            elif process.poll() is not None:
                break
        process.wait(timeout=10)
    finally:
        process.kill()
        process.wait()
        os.close(master)
    return shown + f"\n[{process.returncode}]".encode()


def test_a_terminal_stays_one_of_the_same_size(tmp_path: Path) -> None:
    saved = tmp_path / "log"
    shown = on_terminal(saved, "test -t 1 && test -t 2 && test -t 0 && stty size <&1; echo done")
    assert b"30 90\r\n" in shown
    # The terminal makes \\r\\n of it; the log has what was printed.
    assert kept(saved) == {"both": b"30 90\ndone\n"}


def test_interrupts_and_input_reach_the_application(tmp_path: Path) -> None:
    saved = tmp_path / "log"
    script = "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.1; done"
    shown = on_terminal(saved, script, feed=b"\x03")
    assert b"caught" in shown
    assert shown.endswith(b"[9]")
    shown = on_terminal(saved, "echo ready; read x; echo got $x", feed=b"word\n")
    assert b"got word" in shown
    # What is typed is not the application's output.
    assert kept(saved) == {"both": b"ready\ngot word\n"}


def test_a_new_size_reaches_the_application(tmp_path: Path) -> None:
    saved = tmp_path / "log"
    script = (
        "trap 'sleep 0.2; stty size <&1; exit 0' WINCH; echo ready; while :; do sleep 0.1; done"
    )
    assert b"44 55" in on_terminal(saved, script, resize=True)


def test_a_stopped_job_goes_on(tmp_path: Path) -> None:
    saved = tmp_path / "log"
    with subprocess.Popen(
        command(saved, "echo ready; kill -STOP $$; echo again"),
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        os.killpg(process.pid, signal.SIGCONT)
        assert process.stdout.readline() == b"again\n"
        assert process.wait(timeout=10) == 0
    assert kept(saved) == {"stdout": b"ready\nagain\n"}
