"""A plan as a tree of its steps, for `sifprov rerun`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sifprov.render.clock import local_time
from sifprov.render.colour import Palette
from sifprov.replay.document import start_of
from sifprov.replay.line import command
from sifprov.replay.steps import (
    BESIDE,
    BY_NAME,
    BY_UUID,
    ENVIRONMENT,
    GIVEN,
    RECORDED_PATH,
    SEARCHED,
    Continued,
    Found,
    Made,
    Plan,
    Rebuilt,
    Step,
    Target,
)
from sifprov.terminal import command as typed
from sifprov.terminal import printable

_TEE, _BAR, _END, _GAP = "├─ ", "│  ", "└─ ", "   "
_PLACES = {
    RECORDED_PATH: "where it was",
    BESIDE: "beside the original",
    SEARCHED: "below a folder of --search",
    ENVIRONMENT: "below a folder of SIFPROV_PATH",
    GIVEN: "as you said",
}
_KNOWN_BY = {BY_UUID: ", known by its UUID alone", BY_NAME: ", known by its name alone"}
_STARTS = {
    "fresh": "empty at first",
    "kept": "begins with files that still stand unchanged in",
    "refilled": "is filled again from",
    "copied": "begins as a copy of",
    "continued": "goes on from",
}
# Of longer plans each step is one line.
_FEW = 12


class PlanTree:
    """Draws a plan whose states get the names `files`; those on the way stay with `keep` alone.
    `whole`: however many steps there are; `commands`: with the command line of each."""

    def __init__(
        self,
        plan: Plan,
        files: Mapping[str, str],
        paint: Palette,
        *,
        keep: bool = False,
        whole: bool = False,
        commands: bool = False,
    ) -> None:
        self._plan, self._files, self._paint = plan, files, paint
        self._keep = keep
        self._whole = whole or len(plan.steps) <= _FEW
        self._commands = commands
        self._maker = {t.state: n for n, s in enumerate(plan.steps, 1) for t in s.outputs}

    def lines(self) -> Iterator[str]:
        """Yields the lines; names are harmless for a terminal."""
        plan, steps = self._plan, self._plan.steps
        of = f" in {len(steps)} steps" if len(steps) > 1 else ""
        when = local_time(plan.last.run.started)
        name = self._paint.strong(printable(plan.original))
        yield f"replay of {name}, run {self._id(plan.last)} of {when}{of}"
        for change in plan.changes:
            texts = (change.what, change.before, change.after)
            what, before, after = map(printable, texts)
            yield self._paint.odd(f"changed: {what}: {before} → {after}")
        if len(steps) == 1:
            yield from self._step(steps[0])
            return
        for number, step in enumerate(steps, start=1):
            last = number == len(steps)
            yield (_END if last else _TEE) + self._title(number, step)
            for line in self._step(step) if self._whole else ():
                yield (_GAP if last else _BAR) + line

    def _id(self, step: Step) -> str:
        return self._paint.faint(printable(step.key[:8]))

    def _title(self, number: int, step: Step) -> str:
        text = f"step {number}: run {self._id(step)}"
        if not self._whole:
            return f"{text}  $ {typed(step.run.typed)}"
        return text + (self._paint.odd(", changed by you") if step.changed else "")

    def _step(self, step: Step) -> Iterator[str]:
        items: list[Found | Made | Rebuilt | Target] = [
            step.application,
            *step.inputs,
            *step.outputs,
        ]
        for place, item in enumerate(items):
            last = place == len(items) - 1 and not self._commands
            first, *more = self._output(item) if isinstance(item, Target) else self._source(item)
            yield (_END if last else _TEE) + first
            for line in more:
                yield (_GAP if last else _BAR) + _GAP + line
        if self._commands:
            yield f"{_END}$ {typed(command(step, self._files))}"

    def _source(self, item: Found | Made | Rebuilt) -> Iterator[str]:
        it = item.container
        name = self._paint.strong(printable(it.name))
        text = f"{it.role} {name}" + (f" at {printable(it.mount)}" if it.mount else "")
        if isinstance(item, Made):
            yield f"{text}: made by step {self._maker[item.state]}"
            return
        if isinstance(item, Rebuilt):
            kind, source = start_of(item.start, self._files)
            yield f"{text}: made again"
            yield printable(f"{_STARTS[kind]} {source}")
            return
        yield text
        where = f"{_PLACES.get(item.where, item.where)}{_KNOWN_BY.get(item.by, '')}"
        yield f"{printable(item.path)} ({where})"
        for line in (item.moved, item.changed, *item.passed):
            if line:
                yield self._paint.odd(printable(line))

    def _output(self, target: Target) -> Iterator[str]:
        it = target.container
        name = self._paint.strong(printable(it.name))
        yield f"output {name}" + (f" at {printable(it.mount)}" if it.mount else "")
        start, stays = target.start, self._keep or target.state == self._plan.wanted
        kind, source = start_of(start, self._files)
        if isinstance(start, Continued):
            source = f"what step {self._maker[start.state]} makes of it"
        begins = f"{_STARTS[kind]} {source}" if source else _STARTS[kind]
        yield printable(f"{self._files[target.state] if stays else 'on the way'}, {begins}")
