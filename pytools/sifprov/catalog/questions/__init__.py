"""The eight questions of ProvDeploy (L. Kunstmann and others, 2024, Table 2), one module each.

Here is what they are called and what they take; their modules, which need SQLAlchemy, are imported
when one is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sifprov.catalog.conditions import COMPOSITIONS, moment
from sifprov.errors import SifprovError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from sifprov.model.answer import Answer

MAX, MIN = "max", "min"


@dataclass(frozen=True)
class Asked:
    """What a question is asked about: None, or nothing, where all is meant.

    `where` are conditions as they are typed; `metric` is the number that counts and `best` whether
    its greatest value is the best, `then` and `then_best` the same of what counts between equals;
    `since` and `until` bound when runs began, as typed. `everything` asks for all rows of q7 and
    `failed` for workflows of which a run failed too.
    """

    workflow: str | None = None
    execution: str | None = None
    job: str | None = None
    image: str | None = None
    user: str | None = None
    where: tuple[str, ...] = ()
    composition: str | None = None
    metric: str | None = None
    best: str = MAX
    then: str | None = None
    then_best: str = MIN
    since: str | None = None
    until: str | None = None
    everything: bool = False
    failed: bool = False
    limit: int | None = None

    def words(self) -> str:
        """Returns what is asked about, as options."""
        said = []
        for name in ("workflow", "execution", "job", "image", "user", "composition", "metric",
                     "then", "since", "until"):  # fmt: skip
            if (value := getattr(self, name)) is not None:
                said.append(f"--{name} {value}")
        said += [f"--where {condition}" for condition in self.where]
        return " ".join(said) or "anything"


@dataclass(frozen=True)
class Question:
    """`takes` are the names of the fields of Asked that it goes by, `needs` those that it cannot do
    without; `shown` the columns of a table for people."""

    name: str
    title: str
    text: str
    takes: tuple[str, ...]
    needs: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()


_SCOPE = ("workflow", "execution", "job", "since", "until")
QUESTIONS: Mapping[str, Question] = {
    q.name: q
    for q in (
        Question(
            "q1", "Which job, containers and machines did a workflow's execution have?",
            "One row for each container that was started: what it did, of which image, in which"
            " batch job and where. Without an option it is the newest execution of a workflow, else"
            " the newest batch job, else the newest run.",
            _SCOPE,
            examples=("--workflow surrogate", "--job 10898072 --csv"),
        ),
        Question(
            "q2", "Which images did a job use, and for which activities?",
            "One row for each image and activity. Without an option it is the newest execution, as"
            " for q1.",
            _SCOPE,
            examples=("--job 10898072", "--workflow surrogate --json"),
        ),
        Question(
            "q3", "Which workflows ran with an image?",
            "One row for each workflow, and one for all runs that were of none.",
            ("image", "since", "until"), ("image",),
            examples=("--image tensorflow.sif", "--image image-v1:10b66e"),
        ),
        Question(
            "q4", "Which activities ran with an image?",
            "One row for each activity of each workflow, with how many runs ended well.",
            ("image", "since", "until"), ("image",),
            examples=("--image tensorflow.sif", "--image ./apps/tensorflow.sif --since 30d"),
        ),
        Question(
            "q5", "Which images did a user create?",
            "What they are, what they were made from, and where they ran last. Who made an image is"
            " what its labels say. USER may hold '*' and '?'.",
            ("user",), ("user",),
            examples=("--user user7", "--user 'user7*' --csv"),
        ),
        Question(
            "q6", "Which workflows met a condition, under which composition?",
            "A condition is one of 'sifprov find', or on a variable: a metric, a tag or an argument"
            " of the command, by its bare name. All of them have to be met by one run.",
            (*_SCOPE, "where", "composition"), ("where",),
            examples=("--where 'r2>0.9' --composition fine",
                      "--where 'r2>0.9' --where lr=0.01 --workflow surrogate"),
        ),
        Question(
            "q7", "How do compositions differ between environments?",
            "For each environment the execution with the shortest time, how it was composed, and"
            " the best value of the metric in it. With --all every composition in each of"
            " them. Executions of which a run failed do not count (--failed: they do).",
            (*_SCOPE, "metric", "best", "everything", "failed"), (),
            examples=("--workflow surrogate --metric r2",
                      "--workflow surrogate --metric rmse --best min --all"),
        ),
        Question(
            "q8", "Which environment and composition had the best result?",
            "The execution with the best value of the metric, where it ran, in which containers and"
            " how they were composed; --limit N shows the N best.",
            (*_SCOPE, "metric", "best", "then", "then_best", "composition", "failed"), ("metric",),
            examples=("--workflow surrogate --metric r2",
                      "--workflow surrogate --metric r2 --then rmse --limit 3"),
        ),
    )
}  # fmt: skip


def ask(connection: Connection, name: str, asked: Asked) -> Answer:
    """Returns the answer to a question (`q1` … `q8`). Raises SifprovError for what it cannot do
    without, or does not take."""
    if name not in QUESTIONS:
        raise SifprovError(f"{name}: no question", hint=f"they are called {', '.join(QUESTIONS)}")
    question = QUESTIONS[name]
    _check(question, asked)
    answer: Any = import_module(f"sifprov.catalog.questions.{name}").ask(connection, asked)
    found: Answer = answer
    return found.limited(asked.limit)


def _check(question: Question, asked: Asked) -> None:
    for field in fields(asked):
        value, is_given = getattr(asked, field.name), field.name in question.takes
        if value != field.default and not is_given and field.name != "limit":
            raise SifprovError(
                f"{question.name}: takes no {field.name}",
                hint=f"it takes {', '.join(question.takes)}",
            )
    for need in question.needs:
        if not getattr(asked, need):
            raise SifprovError(f"{question.name}: {need} is missing", hint=f"give it with --{need}")
    if asked.composition not in (None, *COMPOSITIONS):
        raise SifprovError(
            f"composition {asked.composition!r}", hint=f"it is one of {', '.join(COMPOSITIONS)}"
        )
    for best in (asked.best, asked.then_best):
        if best not in (MAX, MIN):
            raise SifprovError(f"best {best!r}", hint="it is max or min")
    for time in (asked.since, asked.until):
        try:
            moment(time or "today")
        except ValueError as error:
            raise SifprovError(f"{time!r} is not {error}") from None
