"""Two runs apart from their containers: command, environment, machine, how they ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher

from sifprov.model.annotation import Annotation
from sifprov.model.canonical import Json
from sifprov.model.record import EXITED, NOT_STARTED, SIGNALED, Record, Run
from sifprov.model.timestamp import to_ns
from sifprov.rundiff.change import SHOWN, Change, Topic, by_name, by_way, change, topic
from sifprov.runtime.argv import parse, without_image_binds
from sifprov.terminal import command, size

# Matching the words of longer command lines would take too long.
_MAX_WORDS = 2000
_SIZES = ("memory_bytes", "peak_memory_bytes")


def command_line(a: Run, b: Run) -> Topic:
    """Compares what ran, the runtime's options apart from binds of containers, and the folder."""

    def changes() -> Iterator[Change]:
        yield from change("action", a.action, b.action)
        yield from _words("argument", _arguments(a), _arguments(b))
        yield from _words("option", _options(a), _options(b))
        yield from change("working directory", a.cwd, b.cwd)

    return topic("command", changes())


def _arguments(run: Run) -> tuple[str, ...]:
    line = parse(run.argv)
    return line.args if line else run.command


def _options(run: Run) -> tuple[str, ...]:
    line = parse(run.argv)
    return without_image_binds((*line.globals, *line.options)) if line else ()


def _words(what: str, a: tuple[str, ...], b: tuple[str, ...]) -> Iterator[Change]:
    if a == b:
        return
    if max(len(a), len(b)) > _MAX_WORDS:
        yield Change(f"{what}s", f"{len(a)} words", f"{len(b)} words")
        return
    for kind, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        if j - i == m - k:
            for place in range(j - i):
                yield Change(f"{what} {i + place + 1}", a[i + place], b[k + place])
        else:
            one = command(a[i:j]) if j > i else None
            yield Change(f"{what} {i + 1}", one, command(b[k:m]) if m > k else None)


def environment(a: Run, b: Run) -> Topic:
    """Compares the recorded variables."""
    return topic("environment", by_name(dict(a.environment), dict(b.environment)))


def platform(a: Run, b: Run) -> Topic:
    """Compares the machine, the runtime, and how the container was kept apart from the host."""

    def changes() -> Iterator[Change]:
        yield from change("runtime", _runtime(a), _runtime(b))
        for name, prefix in (("platform", ""), ("isolation", "isolation: ")):
            first, second = _shared(_fact(a, name)), _shared(_fact(b, name))
            if name == "isolation" and isinstance(first, Mapping) and isinstance(second, Mapping):
                # Plugin and wrapper do not tell quite the same fields of it.
                both = first.keys() & second.keys()
                first, second = ({n: side[n] for n in both} for side in (first, second))
            if first is not None and second is not None:
                yield from by_way(first, second, prefix)
            elif first is not None or second is not None:
                # The one that does not tell is no other.
                known = "known", None
                yield Change(name, *(known if first is not None else known[::-1]))

    return topic("platform", changes())


def _runtime(run: Run) -> str:
    return f"{run.runtime_name} {run.runtime_version}"


def _fact(run: Run, name: str) -> Json:
    return next((fact.value for fact in run.facts if fact.name == name), None)


def _shared(value: Json) -> Json:
    """A fact as it is compared: sizes as people read them, and without the names of the variables
    that went in, which are hardly ever the same."""
    if not isinstance(value, Mapping):
        return value
    return {
        name: size(item) if name in _SIZES and isinstance(item, int) else item
        for name, item in value.items()
        if name != "environment"
    }


def outcome(a: Run, b: Run) -> Topic:
    """Compares how the runs ended."""
    return topic("outcome", change("ended", ended(a), ended(b)))


def ended(run: Run) -> str:
    """How a run ended, in words."""
    if run.outcome == EXITED:
        return f"exit code {run.exit_code}"
    if run.outcome == SIGNALED:
        return f"signal {run.signal}"
    return "never started" if run.outcome == NOT_STARTED else "unknown"


def resources(a: Run, b: Run) -> Topic:
    """Shows what the runs took. Two runs of the same thing never take quite the same."""
    names = {
        "wall_us": "time",
        "user_us": "user time",
        "system_us": "system time",
        "peak_memory_bytes": "memory",
        "read_bytes": "read",
        "write_bytes": "written",
    }
    first, second = _used(a), _used(b)
    found = []
    for name, what in names.items():
        one, other = first.get(name), second.get(name)
        if one != other:
            ratio = f" ({other / one:.2f} times)" if one and other else ""
            texts = [None if n is None else _amount(name, n) for n in (one, other)]
            found.append(Change(what, texts[0], None if other is None else f"{texts[1]}{ratio}"))
    return Topic("resources", SHOWN, tuple(found))


def _used(run: Run) -> dict[str, int]:
    value = _fact(run, "resources")
    found = {
        name: number
        for name, number in (value.items() if isinstance(value, Mapping) else ())
        if isinstance(number, int) and not isinstance(number, bool) and number >= 0
    }
    if run.ended and "wall_us" not in found:
        found["wall_us"] = max(0, to_ns(run.ended) - to_ns(run.started)) // 1000
    return found


def _amount(name: str, number: int) -> str:
    return f"{number / 1e6:.2f} s" if name.endswith("_us") else size(number)


def circumstances(
    a: Record, b: Record, first: tuple[Annotation, ...], second: tuple[Annotation, ...]
) -> Topic:
    """Shows who ran it, in which batch job, and what the user had to say of it, then or later."""
    return Topic(
        "circumstances", SHOWN, tuple(by_way(_circumstances(a, first), _circumstances(b, second)))
    )


def _circumstances(record: Record, words: tuple[Annotation, ...]) -> Json:
    found: dict[str, Json] = {"recorded by": record.captured_by}
    for fact in ("user", "batch", "application"):
        found[fact] = _fact(record.run, fact) if record.run else None
    isolation = _fact(record.run, "isolation") if record.run else None
    if isinstance(isolation, Mapping):
        found["variables"] = isolation.get("environment")
    found["notes"] = [note for said in words for note in said.notes]
    found["tag"] = {name: text for said in words for name, text in said.tags}
    found["metric"] = {name: text for said in words for name, text in said.metrics}
    return found
