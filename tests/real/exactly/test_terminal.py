"""At a real terminal: what it shows is the same, key for key."""

from __future__ import annotations

import os
import re
import select
import shlex
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import unified_diff
from functools import partial

import pytest

from tests.real.exactly.bench import (
    BARE,
    Site,
    fresh_folder,
    records_of,
    wait_for_record,
)
from tests.real.exactly.case import INPUT, OUTPUT
from tests.real.exactly.terminal import (
    CTRL_BACKSLASH,
    CTRL_C,
    CTRL_D,
    CTRL_Z,
    PROMPT,
    Terminal,
)
from tests.real.harness import plugin_state

SEES = (
    "tty; stty size; stty -a; for n in 0 1 2; do test -t $n && echo is-a-tty $n; done; "
    "echo x >/Outputs/a; echo ready; read x; stty size; "
    "cut -d' ' -f5-8 /proc/$$/stat | { read g s t f; test $g = $f && echo foreground; }"
)
READS = 'echo x >/Outputs/a; echo ready; while read l; do echo "got $l"; done; exit 9'
# What comes while the shell becomes `sleep` may be lost, with us or without.
ASLEEP = "until grep -q sleep /proc/$$/comm; do sleep 0.05; done"
SLEEPS = f"echo x >/Outputs/a; ({ASLEEP}; echo ready) & exec sleep 60"
# The terminal and the runtime both send the signal: the second may come during the first's trap.
TRAPS = (
    "echo x >/Outputs/a; trap 'trap : INT; echo got INT; exit 12' INT; echo ready; "
    "while :; do sleep 0.1; done"
)


@dataclass(frozen=True)
class Desk:
    """A terminal, and what is typed there to run something."""

    terminal: Terminal
    flags: str

    def start(self, script: str, end: str = "\n") -> None:
        line = f"$R exec {self.flags} $A sh -c {shlex.quote(script)}{end}"
        self.terminal.type(line)
        self.terminal.until(rb"\r\n")

    def shows(self, pattern: bytes) -> None:
        self.terminal.until(pattern)

    def prompt(self) -> None:
        self.terminal.until(PROMPT)


def looks(desk: Desk) -> None:
    desk.start(SEES)
    desk.shows(rb"ready\r\n")
    desk.terminal.resize(40, 100)
    desk.terminal.type("\n")
    desk.shows(rb"40 100\r\n")
    desk.prompt()
    desk.terminal.command("echo $?; stty size")


def keys(desk: Desk) -> None:
    """^C and ^\\ of a plain program, and of one that handles it."""
    desk.terminal.command("ulimit -c 0")
    for script, key in ((SLEEPS, CTRL_C), (SLEEPS, CTRL_BACKSLASH), (TRAPS, CTRL_C)):
        desk.start(script)
        desk.shows(rb"ready\r\n")
        desk.terminal.type(key)
        desk.prompt()
        desk.terminal.command("echo $?")


def jobs(desk: Desk) -> None:
    """^Z, fg, end of file. (Without us, too, one that reads in the background is never woken.)"""
    desk.start(READS)
    desk.shows(rb"ready\r\n")
    desk.terminal.type("a\n")
    desk.shows(rb"got a\r\n")
    desk.terminal.type(CTRL_Z)
    desk.shows(rb"Stopped")
    desk.prompt()
    desk.terminal.command("echo $?; jobs")
    desk.terminal.type_and_wait("fg")
    desk.shows(rb"\$R exec[^\n]*\n")
    desk.terminal.type("b\n")
    desk.shows(rb"got b\r\n")
    desk.terminal.type(CTRL_D)
    desk.prompt()
    desk.terminal.command("echo $?; jobs")


def background(desk: Desk) -> None:
    """In the background from the start, stopped there and woken, to the front, back again."""
    desk.start(TRAPS, " </dev/null >out &\n")
    desk.prompt()
    desk.terminal.command("until grep -qs ready out; do sleep 0.1; done; jobs")
    # bash tells of a job's state when it comes to its prompt, or is asked: each line asks.
    for name, state in (("STOP", "Stopped"), ("CONT", "Running")):
        wait = f"until jobs | grep -q {state}; do sleep 0.1; done"
        desk.terminal.command(f"kill -{name} %1; {wait}; jobs")
    desk.terminal.type_and_wait("fg")
    desk.terminal.type(CTRL_Z)
    desk.shows(rb"Stopped")
    desk.prompt()
    desk.terminal.command("bg")
    desk.terminal.command("until jobs | grep -q Running; do sleep 0.1; done; jobs")
    desk.terminal.type_and_wait("fg")
    desk.terminal.type(CTRL_C)
    desk.prompt()
    desk.terminal.command("echo $?; cat out")


def pipes(desk: Desk) -> None:
    desk.start("echo x >/Outputs/a; exec yes", " | head -2; echo ${PIPESTATUS[@]}\n")
    desk.shows(rb"\d+ \d+\r\n")
    desk.prompt()
    desk.start("cat /Inputs/data.txt >/Outputs/b; tty; tty <&2; exit 4", " </dev/null; echo $?\n")
    desk.shows(rb"\n4\r\n")
    desk.prompt()


def types(desk: Desk) -> None:
    """The runtime's own shell, with a job of its own."""
    desk.terminal.type(f"$R shell -s /bin/sh {desk.flags} $A\n")
    # The shell asks where the cursor stands.
    desk.shows(rb"> ")
    desk.terminal.type("echo $((6*7)) | tee /Outputs/typed\n")
    desk.shows(rb"42\r\n")
    desk.shows(rb"> ")
    desk.terminal.type_and_wait("cat")
    desk.terminal.type("x\n")
    desk.shows(rb"x\r\nx\r\n")
    desk.terminal.type(CTRL_C)
    desk.shows(rb"> ")
    desk.terminal.type("exit 4\n")
    desk.shows(rb"exit 4\r\n")
    desk.prompt()
    desk.terminal.command("echo $?")


SCENES: tuple[tuple[Callable[[Desk], None], int], ...] = (
    (looks, 1),
    (keys, 3),
    (jobs, 1),
    (background, 1),
    (pipes, 2),
    (types, 1),
)


# A scene, and how many runs it makes.
Act = tuple[Callable[[Desk], None], int]
# What the terminal showed, and the number of records.
Shown = tuple[bytes | str, int]


def play(site: Site, way: str, act: Act) -> Shown:
    """Returns what the terminal showed, less the process ids, and the number of records."""
    scene = act[0]
    folder = fresh_folder(site, f"terminal-{scene.__name__}", ("input.sif", "output.sif"))
    env = {**site.environment(folder), "R": site.program(way), "A": site.app}
    terminal = Terminal(site.user, folder, env)
    flags = shlex.join([*site.flags, "-B", INPUT, "-B", OUTPUT])
    try:
        scene(Desk(terminal, flags))
    except Exception as error:
        raise AssertionError(
            f"{site.name} {way} {scene.__name__}: {error!r}\n{terminal.transcript.decode()}"
        ) from error
    finally:
        terminal.close()
    shown = re.sub(rb"\[1\] \d+", b"[1] N", terminal.transcript)
    shown = re.sub(rb"/dev/pts/\d+", b"/dev/pts/N", shown)
    return shown, len(records_of(folder / "output.sif"))


def attempt(site: Site, way: str, act: Act) -> Shown:
    """What goes wrong in one scene is no other's trouble."""
    try:
        return play(site, way, act)
    except AssertionError as error:
        return str(error), 0


@pytest.fixture(scope="module")
def shown() -> dict[tuple[str, str], list[Shown]]:
    return {}


@pytest.mark.parametrize("number", range(len(SCENES)), ids=[s.__name__ for s, _ in SCENES])
def test_a_terminal_shows_the_same(
    site: Site, way: str, number: int, shown: dict[tuple[str, str], list[Shown]]
) -> None:
    for kind in (BARE, way):
        if (site.name, kind) not in shown:
            with (
                plugin_state(site.runtime, present=kind == "plugin"),
                ThreadPoolExecutor(3) as pool,
            ):
                played = list(pool.map(partial(attempt, site, kind), SCENES))
            shown[site.name, kind] = played
    bare, here = shown[site.name, BARE][number], shown[site.name, way][number]
    for text, _ in (bare, here):
        if isinstance(text, str):
            pytest.fail(text, pytrace=False)
    lines = [[repr(line) for line in text.splitlines()] for text in (bare[0], here[0])]
    if lines[0] != lines[1]:
        pytest.fail("\n".join(unified_diff(lines[0], lines[1], "bare", "here")), pytrace=False)
    assert (bare[1], here[1]) == (0, SCENES[number][1])


def test_a_hang_up_ends_the_application(site: Site, way: str) -> None:
    seen = {}
    for kind in (BARE, way):
        folder = fresh_folder(site, "terminal-hang-up", ("input.sif", "output.sif"))
        env = {**site.environment(folder), "R": site.program(kind), "A": site.app}
        with plugin_state(site.runtime, present=kind == "plugin"):
            terminal = Terminal(site.user, folder, env)
            try:
                flags = shlex.join([*site.flags, "-B", INPUT, "-B", OUTPUT])
                Desk(terminal, flags).start(
                    f"echo x >/Outputs/a; ({ASLEEP}; echo pid $$) & exec sleep 60"
                )
                app = os.pidfd_open(int(terminal.until(rb"pid \d+\r\n").split()[1]))
                terminal.hang_up()
                seen[kind] = ended(app)
            finally:
                terminal.close()
    assert seen == {BARE: True, way: True}
    wait_for_record(folder / "output.sif")


def ended(pidfd: int, limit: float = 60.0) -> bool:
    try:
        return bool(select.select([pidfd], [], [], limit)[0])
    finally:
        os.close(pidfd)
