"""Carries out the steps of a plan, side by side where they do not need each other.

Each step is a thread's work; this one waits for them, and for signals.
"""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import BinaryIO

from sifprov.errors import SifprovError
from sifprov.frozen import dataclass
from sifprov.replay.interrupt import Interrupts
from sifprov.replay.process import Runtimes, Streams
from sifprov.replay.proof import done_before
from sifprov.replay.run import Around, run_step
from sifprov.replay.steps import Done, Outcome, Plan, Result, Step
from sifprov.replay.work import Work

# Seconds: how often to look whether a signal has come.
_LOOK = 0.2


@dataclass(frozen=True)
class Execution:
    """How a plan is carried out: at most `jobs` steps at a time. `stdout` is where the
    applications' output goes (a descriptor; None for ours). `only` is the key of a step that is to
    be done, and those before it that it needs. `on_step` is told what is being done, `on_command`
    the command line of a step that begins."""

    jobs: int = 1
    stdout: int | None = None
    only: str | None = None
    on_step: Callable[[str], None] = lambda text: None
    on_command: Callable[[tuple[str, ...]], None] = lambda argv: None


def execute(plan: Plan, work: Work, options: Execution) -> Outcome:
    """Does what is missing of a plan in its work folder.

    A single step has our standard input, several have none. Its output is ours, but of steps side
    by side that of each is printed when it has ended. Raises ReplayError when an application ends
    otherwise than recorded, MissingError, FileError; SystemExit or KeyboardInterrupt when a signal
    ends us. States that are finished stay in the folder for the next start.
    """
    return _Schedule(plan, work, options).run()


class _Schedule:
    def __init__(self, plan: Plan, work: Work, options: Execution) -> None:
        self._plan, self._work, self._options = plan, work, options
        self._runtimes = Runtimes()
        self._done: dict[str, Done] = {}
        self._made: dict[str, Result] = {}
        self._ended: queue.SimpleQueue[tuple[Step, Done | BaseException]] = queue.SimpleQueue()
        self._talk = threading.Lock()
        self._around = Around(
            plan,
            work,
            self._runtimes,
            dict(os.environ),
            time.time_ns(),
            self._aloud(options.on_step),
            self._aloud(options.on_command),
        )

    def run(self) -> Outcome:
        errors: list[BaseException] = []
        wanted = self._wanted()
        waiting, running = list(wanted), 0
        with Interrupts(self._runtimes) as interrupts, closing(self._runtimes):
            while running or (waiting and not errors and not interrupts.number):
                for step in self._ready(waiting, self._options.jobs - running):
                    if errors or interrupts.number:
                        break
                    waiting.remove(step)
                    running += 1
                    threading.Thread(target=self._carry_out, args=(step,), daemon=True).start()
                try:
                    step, result = self._ended.get(timeout=_LOOK)
                except queue.Empty:
                    if interrupts.lost_patience():
                        break  # what still reads or copies ends with us
                    continue
                running -= 1
                if isinstance(result, BaseException):
                    errors.append(result)
                else:
                    self._done[step.key] = result
                    self._made |= {r.state: r for r in result.outputs}
        interrupts.leave()
        if errors:
            raise self._with_way_on(errors[0])
        done = tuple(self._done[step.key] for step in wanted)
        return Outcome(self._work.into, done)

    def _wanted(self) -> tuple[Step, ...]:
        """The steps to do, in the plan's order."""
        if self._options.only is None:
            return self._plan.steps
        keys = {self._options.only}
        for step in reversed(self._plan.steps):
            if step.key in keys:
                keys.update(step.needs)
        return tuple(step for step in self._plan.steps if step.key in keys)

    def _with_way_on(self, error: BaseException) -> BaseException:
        """Tells of the finished steps, which are not done again."""
        if isinstance(error, SifprovError) and self._done:
            count = f"{len(self._done)} of {len(self._plan.steps)} steps"
            way = f"{count} are finished, and the same command goes on behind them"
            way += f"; to begin anew, remove {self._work.folder}"
            error.hint = f"{error.hint}; {way}" if error.hint else way
        return error

    def _ready(self, waiting: list[Step], most: int) -> list[Step]:
        ready = [s for s in waiting if all(key in self._done for key in s.needs)]
        return ready[: max(most, 0)]

    def _carry_out(self, step: Step) -> None:
        try:
            self._ended.put((step, self._do(step)))
        except BaseException as error:  # raised again, by whoever waits
            self._ended.put((step, error))

    def _do(self, step: Step) -> Done:
        before = None
        # What was made anew may be another one than what this step had read.
        if not self._work.fresh and all(self._done[key].again for key in step.needs):
            self._around.on_step("looking at what an earlier start has done")
            before = done_before(self._plan, step, self._work, self._made)
        if before:
            return before
        made = dict(self._made)
        if self._options.jobs == 1 or len(self._plan.steps) == 1:
            return run_step(self._around, step, made, self._streams())
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                streams = Streams(subprocess.DEVNULL, out.fileno(), err.fileno())
                return run_step(self._around, step, made, streams)
            finally:
                self._print(out, err)

    def _streams(self) -> Streams:
        return Streams(
            None if len(self._plan.steps) == 1 else subprocess.DEVNULL, self._options.stdout
        )

    def _print(self, out: BinaryIO, err: BinaryIO) -> None:
        """Prints what a step has printed, unmixed with that of others."""
        places = (1 if self._options.stdout is None else self._options.stdout, 2)
        with self._talk, suppress(OSError):  # maybe nobody listens
            sys.stdout.flush()
            for file, descriptor in zip((out, err), places, strict=True):
                file.seek(0)
                with open(descriptor, "wb", closefd=False) as target:
                    shutil.copyfileobj(file, target)

    def _aloud(self, tell: Callable[..., None]) -> Callable[..., None]:
        """Several threads tell, one at a time."""

        def told(*words: object) -> None:
            with self._talk:
                tell(*words)

        return told
