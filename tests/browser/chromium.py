"""Debian's Chromium without a window, driven over two pipes by the DevTools protocol.

Messages are JSON, each with a NUL behind it: what is written to the browser's descriptor 3 are
commands, what comes from its descriptor 4 are answers (with the command's `id`) and events.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = "chromium"
# No request of its own may be mistaken for one of the page.
_FLAGS = (
    "--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu",
    "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-extensions", "--disable-default-apps", "--hide-scrollbars",
    "--font-render-hinting=none", "--disable-breakpad", "--force-color-profile=srgb",
)  # fmt: skip


class Browser:
    """A running Chromium with one page. Times are seconds; every wait has an end."""

    def __init__(self, process: subprocess.Popen[bytes], write: int, read: int) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        self._write, self._read, self._buffer = write, read, b""
        self._count = 0
        self._session: str | None = None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Sends a command and returns its result."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data) :]
        while (answer := self._next(60)).get("id") != self._count:
            self.events.append(answer)
        assert "error" not in answer, (method, answer)
        return dict(answer["result"])

    def _next(self, seconds: float) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0, end - time.monotonic()))
            assert ready, "the browser does not answer"
            data = os.read(self._read, 1 << 20)
            assert data, "the browser has ended"
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))

    def close(self) -> None:
        """Asks the browser to end; its pipe is closed then."""
        self._count += 1
        os.write(self._write, b'{"id":%d,"method":"Browser.close"}\0' % self._count)

    def size(self, width: int, height: int) -> None:
        """Sets the size of the page in pixels."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
            mobile=False,
        )  # fmt: skip

    def prefer(self, **features: str) -> None:
        """Sets media features: `prefers_color_scheme="dark"`."""
        named = [{"name": n.replace("_", "-"), "value": v} for n, v in features.items()]
        self.send("Emulation.setEmulatedMedia", features=named)

    def open(self, path: Path) -> None:
        """Opens a file and waits until it is loaded and its scripts have run."""
        self.events.clear()
        self.send("Page.navigate", url=path.as_uri())
        end = time.monotonic() + 60
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self._next(end - time.monotonic()))

    def run(self, script: str) -> Any:
        """Returns the value of a JavaScript expression; a promise is waited for."""
        done = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def key(self, key: str, *, text: str = "", modifiers: int = 0) -> None:
        """Presses a key by its DOM name; `text` is what it types."""
        text = text or (key if len(key) == 1 else "\r" if key == "Enter" else "")
        code = {"Enter": 13, "Escape": 27, "Tab": 9, "Backspace": 8}.get(key, 0)
        about = {"key": key, "modifiers": modifiers, "windowsVirtualKeyCode": code}
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
        self.send("Input.dispatchKeyEvent", type="keyUp", **about)

    def click(self, x: float, y: float, count: int = 1) -> None:
        """Clicks at a place of the page."""
        for kind in ("mousePressed", "mouseReleased"):
            self.send(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=count
            )

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drags from one place to another."""
        for kind, (x, y) in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
            self.send(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1,
                clickCount=1,
            )  # fmt: skip

    def wheel(self, x: float, y: float, by: float) -> None:
        """Turns the wheel at a place."""
        self.send("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=by)

    def requests(self) -> list[str]:
        """The addresses that the page has asked for, itself first."""
        return [
            e["params"]["request"]["url"]
            for e in self.events
            if e.get("method") == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """What stands on the console, uncaught errors and breaches of the page's policy."""
        wanted = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [json.dumps(e["params"]) for e in self.events if e.get("method") in wanted]

    def picture(self, path: Path) -> None:
        """Writes a PNG of what the page shows."""
        data = self.send("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))


@contextmanager
def browser() -> Iterator[Browser]:
    """Runs Chromium; ends it with all its processes."""
    program = shutil.which(PROGRAM)
    assert program
    commands, write = os.pipe()
    read, answers = os.pipe()
    # The shell puts the pipes where Chromium looks for them.
    start = f'exec "$0" "$@" 3<&{commands} 4>&{answers}'
    flags = [*_FLAGS, *(["--no-sandbox"] if os.getuid() == 0 else [])]
    with tempfile.TemporaryDirectory(prefix="sifprov-test-", ignore_cleanup_errors=True) as home:
        folders = dict.fromkeys(("HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), home)
        process = subprocess.Popen(
            ["bash", "-c", start, program, *flags, f"--user-data-dir={home}/profile"],
            pass_fds=(commands, answers),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, **folders},
        )
        os.close(commands)
        os.close(answers)
        try:
            running = Browser(process, write, read)
            yield running
            running.close()
        finally:
            os.close(write)
            os.close(read)
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Waits until all of a group of processes is gone; what is left after a while is killed."""
    for patience in (5.0, 10.0):
        end = time.monotonic() + patience
        while time.monotonic() < end:
            process.poll()
            try:
                os.killpg(process.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    raise AssertionError(f"processes of the group {process.pid} cannot be killed")
