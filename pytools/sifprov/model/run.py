"""How the application was run, as a record tells it. No I/O."""

from __future__ import annotations

from collections.abc import Callable

from sifprov.errors import RecordError
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json, text_from_json, text_to_json
from sifprov.model.fact import Fact, facts_from_json, facts_to_json
from sifprov.model.reader import Reader

EXITED, SIGNALED, NOT_STARTED, UNKNOWN = "exited", "signaled", "not-started", "unknown"
# What the runtimes put before the command of an action.
_ACTIONS = "/.singularity.d/actions/"


@dataclass(frozen=True)
class Run:
    """How the application was run. Times are UTC; `redacted` are the places in `argv` that were
    hidden; `facts` what else is known, by name."""

    action: str
    argv: tuple[str, ...]
    command: tuple[str, ...]
    redacted: tuple[int, ...]
    cwd: str
    started: str
    ended: str | None
    outcome: str
    exit_code: int | None
    signal: int | None
    environment: tuple[tuple[str, str], ...]
    runtime_name: str
    runtime_version: str
    facts: tuple[Fact, ...] = ()

    @property
    def typed(self) -> tuple[str, ...]:
        """What ran, as one would type it: `command` without the runtime's own script that started
        it; the whole command line where `command` is not known."""
        return typed(self.command, self.argv)

    def to_json(self) -> Json:
        """Returns the JSON object of this run."""
        facts: dict[str, Json] = {"facts": facts_to_json(self.facts)} if self.facts else {}
        return {
            **facts,
            "action": self.action,
            "argv": [text_to_json(a) for a in self.argv],
            "command": [text_to_json(a) for a in self.command],
            "cwd": text_to_json(self.cwd),
            "ended": self.ended,
            "environment": {name: text_to_json(value) for name, value in self.environment},
            "exit_code": self.exit_code,
            "outcome": self.outcome,
            "redacted": list(self.redacted),
            "runtime": {"name": self.runtime_name, "version": self.runtime_version},
            "signal": self.signal,
            "started": self.started,
        }

    @classmethod
    def from_json(cls, value: Json, path: str) -> Run:
        """Reads a run. Raises RecordError."""
        r = Reader(value, path)
        runtime = Reader(r.json("runtime"), r.path("runtime"))
        argv = r.items("argv", text_from_json)
        environment = Reader(r.json("environment"), r.path("environment"))
        names = r.json("environment")
        found = cls(
            action=r.word("action"),
            argv=argv,
            command=r.items("command", text_from_json),
            redacted=r.items("redacted", _index(len(argv))),
            cwd=r.text("cwd"),
            started=r.time("started"),
            ended=r.optional("ended", r.time),
            outcome=r.word("outcome", EXITED, SIGNALED, NOT_STARTED, UNKNOWN),
            exit_code=r.optional("exit_code", lambda n: r.integer(n, 0, 255)),
            signal=r.optional("signal", lambda n: r.integer(n, 1, 64)),
            environment=tuple(
                (name, environment.text(name))
                for name in sorted(names if isinstance(names, dict) else ())
            ),
            runtime_name=runtime.word("name"),
            runtime_version=runtime.word("version"),
            facts=facts_from_json(r.json("facts"), r.path("facts")) if r.has("facts") else (),
        )
        if r.has("facts") and not found.facts:
            raise RecordError(r.path("facts"), "empty")
        runtime.end()
        r.end()
        return found


def typed(command: tuple[str, ...], argv: tuple[str, ...]) -> tuple[str, ...]:
    """Returns `Run.typed` of a run with this command and this command line."""
    if command[:1] and command[0].startswith(_ACTIONS):
        action = command[0].removeprefix(_ACTIONS)
        return command[1:] if action == "exec" else (action, *command[1:])
    return command or argv


def _index(length: int) -> Callable[[Json, str], int]:
    def read(value: Json, path: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < length:
            raise RecordError(path, f"not a place in a list of {length}")
        return value

    return read
