"""Sample graphs. `SAMPLES` has a function for each kind; each returns a Graph."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from tests.unit.graphmaker import Sample

from sifprov.frozen import replace
from sifprov.model.annotation import Annotation
from sifprov.model.fact import Fact
from sifprov.model.graph import Graph
from sifprov.model.record import Replay
from sifprov.model.verdict import ALIKE, Changed, FileWord, Verdict

FACTS = (
    Fact("batch", {"job": "4711", "system": "slurm"}, "environment"),
    Fact("platform", {"architecture": "x86_64", "cpu": "Xeon", "cpus": 8,
                               "gpus": [], "kernel": "6.1.0", "memory_bytes": 16 << 30}, "uname"),
    Fact("resources", {"peak_memory_bytes": 42 << 20, "scope": "container",
                                "system_us": 250_000, "user_us": 12_500_000,
                                "wall_us": 29_250_000}, "wait4"),
    Fact("user", {"name": "ada", "uid": 1000}, "getpwuid"),
)  # fmt: skip


def small() -> Graph:
    """The thesis's example: data, an application, its result, and a second application that makes
    the end result of it. Five containers; two words on the last run."""
    s = Sample()
    data = s.made("input.sif")
    (mid,) = s.run(s.application("simulate.sif"), (data,), "middle.sif", facts=FACTS)
    words = Annotation(notes=("detector 3 was off",), tags=(("paper", "draft-2"),),
                       metrics=(("r2", "0.93"),))  # fmt: skip
    (end,) = s.run(
        s.application("gnuplot.sif"), (mid,), "output.sif", facts=FACTS, annotation=words
    )
    s.say(end, "checked by hand")
    return s.graph(end)


def chain(n: int, facts: tuple[Fact, ...] = ()) -> Graph:
    """`n` runs of one application, each of which reads what the one before wrote."""
    s = Sample()
    last, app = s.made("input.sif"), s.application()
    for i in range(n):
        (last,) = s.run(app, (last,), f"step-{i:04d}.sif", facts=facts)
    return s.graph(last)


def rewritten(n: int, facts: tuple[Fact, ...] = ()) -> Graph:
    """`n` runs that write into one container, one behind the other."""
    s = Sample()
    data, app = s.made("input.sif"), s.application()
    (last,) = s.run(app, (data,), "output.sif", facts=facts)
    for _ in range(n - 1):
        (last,) = s.run(app, (data,), last, facts=facts)
    return s.graph(last)


def fan_in(n: int) -> Graph:
    """A run with `n` inputs, each made from a folder."""
    s = Sample()
    inputs = tuple(s.made(f"part-{i:04d}.sif", f"/home/ada/part-{i}") for i in range(n))
    return s.graph(*s.run(s.application(), inputs, "output.sif"))


def diamonds(n: int, facts: tuple[Fact, ...] = ()) -> Graph:
    """`n` diamonds, one behind the other: two runs read one container, a third reads both results.
    The number of ways through it doubles with each."""
    s = Sample()
    last, app = s.made("input.sif"), s.application()
    for i in range(n):
        (left,) = s.run(app, (last,), f"left-{i}.sif", facts=facts)
        (right,) = s.run(app, (last,), f"right-{i}.sif", facts=facts)
        (last,) = s.run(app, (left, right), f"both-{i}.sif", facts=facts)
    return s.graph(last)


def partly_missing() -> Graph:
    """One input is missing with its records, one carried none, the run before had two outputs and
    failed, and a found input carries other records now."""
    s = Sample()
    app = s.application()
    left, right = s.run(
        app, (s.missing("gone.sif"), s.plain("bare.sif")), "left.sif", "right.sif", exit_code=3
    )
    swapped = s.made("swapped.sif")
    s.entities[swapped.key] = replace(
        swapped, path="/home/ada/swapped.sif",
        problem="carries other records now than it did then",
    )  # fmt: skip
    (end,) = s.run(app, (left, right, swapped), "output.sif")
    return s.graph(end, problems=("output.sif: broken record (object 9): not JSON",))


def replayed() -> Graph:
    """A replay with its verdict. What was replayed is named, and no part of the trail."""
    s = Sample()
    data, app = s.made("input.sif"), s.application("gnuplot.sif")
    (first,) = s.run(app, (data,), "output.sif")
    (again,) = s.run(app, (data,), "output.rerun-1.sif", replays=first)
    s.judge(again, first)
    del s.entities[first.key], s.activities[first.generated_by or ""]
    return s.graph(again)


NAMES = (
    "\x1b[2J\x1b]0;owned\x07.sif", "a\nb\r\tc.sif", "<script>alert(1)</script>&amp;.sif",
    "\"'`$(reboot)`.sif", "--help", "-n", "]]>--!>.sif", "\u202egpj.exe", "\udcff\udc80.sif",
    "\\N\\l{x|y}<z>.sif", "%%[]{}()|;:#.sif", " ", "日本語 é.sif", "x" * 255, "\u2028\u0085.sif",
)  # fmt: skip


def hostile_names() -> Graph:
    """Every name, path, command and word that can hurt a reader, a browser, a shell or a parser."""
    s = Sample()
    inputs = tuple(s.made(name, f"/home/{name}") for name in NAMES)
    words = Annotation(notes=NAMES[:8], tags=((NAMES[2], NAMES[3]),))
    facts = (
        Fact("batch", {"job": NAMES[2], "system": NAMES[3]}, NAMES[0]),
        Fact("user", {"name": NAMES[0], "uid": 1}, NAMES[2]),
    )
    last = s.run(
        s.application(NAMES[2]), inputs, NAMES[0], argv=("singularity", "exec", *NAMES),
        annotation=words, facts=facts,
    )  # fmt: skip
    end = s.run(s.application(NAMES[3]), last, NAMES[3])
    s.say(end[0], *NAMES[:8])
    files = tuple(FileWord(name, ALIKE, name) for name in NAMES)
    changes = tuple(Changed(name, name, name) for name in NAMES)
    about = Replay(end[0].record or "", UUID(int=1))
    counts = (0, len(files), 0, 0, 0)
    trees = ("tree-v1:" + "1" * 64, "tree-v1:" + "2" * 64)
    s.judge(end[0], last[0], Verdict(ALIKE, about, *trees, counts, files, "0.1", changes))
    return s.graph(*end, problems=(f"{NAMES[0]}: broken record (object 9): {NAMES[2]}",))


SAMPLES: dict[str, Callable[[], Graph]] = {
    "small": small,
    "chain": lambda: chain(5),
    "rewritten": lambda: rewritten(3),
    "fan-in": lambda: fan_in(6),
    "diamonds": lambda: diamonds(3),
    "partly-missing": partly_missing,
    "replayed": replayed,
    "hostile": hostile_names,
}
