"""The file that Snakemake reads. Pure.

    # {"schema":"sifprov.workflow-plan/1", …}       the plan: data, in a comment
    rule step_0001:
        output: ".sifprov/0001.done"
        threads: 1
        resources: mem_mb=512
        params: plan=lambda _: workflow.main_snakefile
        shell: "sifprov workflow step {params.plan:q} 1"

Nothing that a workflow says stands in it but in the comment, as one line of ASCII: rules and files
have names that we made up, and all else are numbers. So neither Python nor Snakemake, which takes
braces for its own, nor a shell ever reads a word of it.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Sequence

from sifprov.frozen import dataclass
from sifprov.sizes import parse_size
from sifprov.version import VERSION
from sifprov.workflow.graph import groups
from sifprov.workflow.plan import Plan, line_of
from sifprov.workflow.work import STEPS

_MIB = 1 << 20


@dataclass(frozen=True)
class Rule:
    """A rule that calls us with a number: `needs` are those of the rules before it, `memory` is in
    MiB, `group` the number of the batch job that it shares with others."""

    number: int
    needs: tuple[int, ...] = ()
    cpus: int = 1
    memory: int | None = None
    minutes: int | None = None
    group: int | None = None


def snakefile(plan: Plan, program: Sequence[str]) -> str:
    """Returns the Snakefile of a workflow; `program` is what starts `sifprov`."""
    its = plan.shape
    shared = groups(plan.workflow, its)
    rules = [
        Rule(
            number=at + 1,
            needs=tuple(n + 1 for n in its.needs[at]),
            cpus=step.cpus,
            memory=math.ceil(parse_size(step.memory) / _MIB) if step.memory else None,
            minutes=step.minutes,
            group=shared[at],
        )
        for at, step in enumerate(plan.workflow.steps)
    ]
    # Where the plan names no execution, each start of Snakemake is one.
    own = "" if plan.id else _NEW_ID
    return text(rules, (*program, "workflow", "step"), line_of(plan), own)


_NEW_ID = """
import os
import uuid

# All steps of one start belong together.
os.environ.setdefault("SIFPROV_WORKFLOW_ID", str(uuid.uuid4()))
"""


def text(rules: Iterable[Rule], call: Sequence[str], data: str, code: str = "") -> str:
    """Returns a Snakefile of rules that call `call SNAKEFILE NUMBER`; `data` is one line of ASCII
    that stands in a comment."""
    if not data.isascii() or not data.isprintable():
        raise ValueError("not one line of ASCII")
    rules = tuple(rules)
    head = [
        f"# Written by sifprov {VERSION}. `snakemake --cores 4` carries it out.",
        "# The plan, which `sifprov workflow step` reads from here:",
        f"# {data}",
        code,
    ]
    every = _files(rule.number for rule in rules)
    return "\n".join([*head, "rule all:", f"    input: {every}", *map(_rule(call), rules), ""])


class _rule:  # noqa: N801 - it is used as a function
    def __init__(self, call: Sequence[str]) -> None:
        # Snakemake takes braces for its own, twice they stand for themselves; the text is Python's.
        words = shlex.join(call).replace("{", "{{").replace("}", "}}")
        self._shell = words + " {params.plan:q} "

    def __call__(self, rule: Rule) -> str:
        resources = [
            f"{name}={value}"
            for name, value in (("mem_mb", rule.memory), ("runtime", rule.minutes))
            if value is not None
        ]
        lines = [
            "",
            f"rule step_{rule.number:04}:",
            *([f"    input: {_files(rule.needs)}"] if rule.needs else []),
            f"    output: {_files([rule.number])}",
            f"    threads: {rule.cpus}",
            *([f"    resources: {', '.join(resources)}"] if resources else []),
            *([f'    group: "image_{rule.group + 1}"'] if rule.group is not None else []),
            # A function: of a text Snakemake would take the braces for its own.
            "    params: plan=lambda _: workflow.main_snakefile",
            f"    shell: {self._shell + str(rule.number)!a}",
        ]
        return "\n".join(lines)


def _files(numbers: Iterable[int]) -> str:
    return ", ".join(f'"{STEPS}/{number:04}.done"' for number in numbers)
