"""A replay whose steps Snakemake starts, each in a process of its own, maybe on another node.

Each of them plans the replay again from the same options (`sifprov.replay-options/1`, in the
Snakefile), proves what the steps before it have made, and makes its own states in the work folder
of the replay. So nothing but the containers goes from one to the other, and what is judged at the
end is what is there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from sifprov.errors import Exit, FileError, MissingError, RecordError, ReplayError, SifprovError
from sifprov.extract import remove_tree
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json, text_to_json
from sifprov.model.reader import Reader
from sifprov.replay.claim import Claim
from sifprov.replay.plan import Options, plan
from sifprov.replay.schedule import Execution, execute
from sifprov.replay.steps import Plan
from sifprov.replay.work import Work, key_of
from sifprov.workflow import snakemake
from sifprov.workflow.plan import ascii_line
from sifprov.workflow.snakefile import Rule, text
from sifprov.workflow.snakemake import Engine
from sifprov.workflow.step import program
from sifprov.workflow.work import (
    DONE,
    FAILED,
    RUNNING,
    UP_TO_DATE,
    State,
    Steps,
    write_whole,
)

SCHEMA = "sifprov.replay-options/1"
_FOLDER, _LOG = "snakemake", "snakemake.log"
_LISTS = ("search", "inputs", "applications", "arguments")


@dataclass(frozen=True)
class Wanted:
    """What every step of a replay has to know: the container, `into` what the new one will be, the
    folder where the options were typed, and the options."""

    container: str
    into: str
    cwd: str
    options: Options

    def to_json(self) -> Json:
        """Returns the JSON document."""
        options = self.options
        lists: dict[str, Json] = {
            name: [text_to_json(word) for word in getattr(options, name)] for name in _LISTS
        }
        return {
            **lists,
            "container": text_to_json(self.container),
            "cwd": text_to_json(self.cwd),
            "force": options.force,
            "from_origin": options.from_origin,
            "into": text_to_json(self.into),
            "metadata": text_to_json(options.metadata),
            "record": text_to_json(options.record),
            "runtime": None if options.runtime is None else text_to_json(options.runtime),
            "schema": SCHEMA,
        }

    @classmethod
    def from_json(cls, value: Json) -> Wanted:
        """Reads a document. Raises RecordError."""
        r = Reader(value, "")
        r.word("schema", SCHEMA)
        lists = {name: r.items(name, _word) for name in _LISTS}
        found = cls(
            container=r.text("container"),
            into=r.text("into"),
            cwd=r.text("cwd"),
            options=Options(
                record=r.text("record"),
                from_origin=r.flag("from_origin"),
                search=lists["search"],
                inputs=lists["inputs"],
                applications=lists["applications"],
                arguments=lists["arguments"],
                runtime=r.optional("runtime", r.text),
                force=r.flag("force"),
                metadata=r.text("metadata"),
            ),
        )
        r.end()
        return found


def _word(value: Json, path: str) -> str:
    return Reader({"x": value}, path).text("x")


def make_ahead(
    planned: Plan,
    container: str,
    options: Options,
    engine: Engine,
    *,
    environ: Mapping[str, str],
    on_state: Callable[[State, int], None] = lambda state, total: None,
) -> Callable[[Work], Mapping[str, float]]:
    """Returns what lets Snakemake make all states of a plan in its work folder (for `replay`).
    `on_state` hears of each step that begins or ends, and of how many there are. Raises
    MissingError without Snakemake."""
    snakemake.version()

    def ahead(work: Work) -> Mapping[str, float]:
        wanted = Wanted(container, work.into, os.getcwd(), options)
        folder = os.path.join(work.folder, _FOLDER)
        with suppress(FileNotFoundError):
            remove_tree(folder)
        try:
            os.mkdir(folder, 0o700)
        except OSError as error:
            raise FileError(f"{folder}: {error.strerror}") from error
        try:
            return _run(planned, wanted, folder, engine, environ, on_state)
        finally:
            with suppress(OSError):
                remove_tree(folder)

    return ahead


def _run(
    planned: Plan,
    wanted: Wanted,
    folder: str,
    engine: Engine,
    environ: Mapping[str, str],
    on_state: Callable[[State, int], None],
) -> Mapping[str, float]:
    """Returns the seconds that each step which was not done before took, by its key."""
    numbers = {step.key: number for number, step in enumerate(planned.steps, start=1)}
    rules = [
        Rule(numbers[step.key], tuple(numbers[key] for key in step.needs)) for step in planned.steps
    ]
    data = ascii_line(wanted.to_json())
    path = os.path.join(folder, "Snakefile")
    write_whole(path, text(rules, (*program(), "workflow", "step"), data).encode("ascii"))
    steps, told = Steps(folder), dict[int, State]()

    def look() -> None:
        for number in numbers.values():
            state = steps.read(number)
            if state and state != told.get(number):
                told[number] = state
                on_state(state, len(numbers))

    log = os.path.join(folder, _LOG)
    argv = snakemake.command_line(engine, folder)
    code = snakemake.run(argv, folder, log, environ, look)
    if code == 0:
        return {s.activity: s.milliseconds / 1000 for s in told.values() if s.state == DONE}
    failed = next((s for s in told.values() if s.state == FAILED), None)
    if failed:
        raise _error(failed)
    with suppress(OSError), open(log, "rb") as file:
        file.seek(max(os.fstat(file.fileno()).st_size - 2000, 0))
        lines = file.read().decode("utf-8", "replace").splitlines()
        raise SifprovError(f"Snakemake failed: {lines[-1] if lines else 'it said nothing'}")
    raise SifprovError("Snakemake failed")


def _error(failed: State) -> SifprovError:
    text = f"run {failed.activity[:8]}: {failed.why}"
    if failed.exit_code == Exit.FAILED:
        return ReplayError(text)
    return MissingError(text) if failed.exit_code == Exit.MISSING else SifprovError(text)


def replay_step(value: Json, number: int, steps: Steps, folder: str) -> State:
    """Carries out a step (counted from 1) of the replay that a Snakefile in `folder` tells of.
    Raises what a replay raises."""
    wanted = Wanted.from_json(value)
    began = time.monotonic()
    steps.make()
    key = "?"

    def state(word: str, why: str = "", code: int | None = None) -> State:
        return State(number, key, word, why, code, round((time.monotonic() - began) * 1000))

    try:
        os.chdir(wanted.cwd)
        planned = plan(wanted.container, wanted.options)
        if not 1 <= number <= len(planned.steps):
            raise MissingError(f"the replay has no step {number}")
        key = planned.steps[number - 1].key
        steps.write(state(RUNNING))
        work = Work(planned, wanted.into, _held(os.path.dirname(folder), planned))
        log = os.open(steps.path(number, "log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            outcome = execute(planned, work, Execution(stdout=log, only=key))
        finally:
            os.close(log)
    except SifprovError as error:
        hint = f" ({error.hint})" if error.hint else ""
        steps.write(state(FAILED, f"{error}{hint}", int(error.exit_code)))
        raise
    except OSError as error:
        steps.write(state(FAILED, str(error), int(Exit.USAGE)))
        raise FileError(f"{error.filename or wanted.cwd}: {error.strerror}") from error
    done = next(each for each in outcome.done if each.key == key)
    found = state(UP_TO_DATE if done.again else DONE, code=done.code)
    steps.write(found)
    steps.mark(number)
    return found


def _held(folder: str, planned: Plan) -> Claim:
    """The work folder, which the replay that started us holds for us."""
    from sifprov.replay.claim import is_of

    if not is_of(folder, key_of(planned)):
        raise RecordError("", f"{folder}: is not the work folder of this replay")
    return Claim(folder, -1, fresh=False)
