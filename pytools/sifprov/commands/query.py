"""`sifprov query`: the eight questions, a verb each."""

from __future__ import annotations

from typing import Any

import click

from sifprov.catalog.conditions import COMPOSITIONS
from sifprov.catalog.questions import MAX, MIN, QUESTIONS, Asked, Question, ask
from sifprov.commands.answers import answer_options, asking, limit_of, show
from sifprov.commands.lazy import exit_code_table
from sifprov.errors import Exit

_BEST = click.Choice([MAX, MIN])
_OPTIONS: dict[str, Any] = {
    "workflow": click.option(
        "--workflow", metavar="NAME", help="Runs of this workflow; NAME may hold * and ?."
    ),
    "execution": click.option(
        "--execution", metavar="UUID", help="Runs of this execution of a workflow."
    ),
    "job": click.option("--job", metavar="ID", help="Runs of this batch job or array."),
    "image": click.option(
        "--image", metavar="IMAGE", help="The image: its name, UUID, digest or path."
    ),
    "user": click.option("--user", metavar="USER", help="Who created the images."),
    "where": click.option(
        "--where", metavar="CONDITION", multiple=True,
        help="What a run has to meet, such as 'r2>0.9' (may be repeated).",
    ),
    "composition": click.option(
        "--composition", type=click.Choice(COMPOSITIONS), help="Workflows composed so."
    ),
    "metric": click.option("--metric", metavar="NAME", help="The metric that counts."),
    "best": click.option(
        "--best", type=_BEST, default=MAX, show_default=True, help="Which value is the best."
    ),
    "then": click.option(
        "--then", metavar="NAME", help="The metric that counts where the first is the same."
    ),
    "then_best": click.option(
        "--then-best", type=_BEST, default=MIN, show_default=True, help="Which value of it is."
    ),
    "since": click.option("--since", metavar="TIME", help="Runs that began then or later."),
    "until": click.option("--until", metavar="TIME", help="Runs that began before."),
    "everything": click.option(
        "--all", "everything", is_flag=True, help="Show each composition in each environment."
    ),
    "failed": click.option(
        "--failed", is_flag=True, help="Count executions of which a run failed, too."
    ),
}  # fmt: skip


def _verb(question: Question) -> click.Command:
    def run(
        limit: int | None, as_json: bool, as_csv: bool, catalog: str | None, **given: Any
    ) -> int:
        is_table = not (as_json or as_csv)
        most = limit if question.name == "q8" else limit_of(limit, is_table=is_table)
        asked = Asked(**given, limit=most)
        with asking(catalog) as opened, opened.reading() as connection:
            answer = ask(connection, question.name, asked)
        return show(answer, as_json=as_json, as_csv=as_csv)

    run.__doc__ = f"{question.title}\n\n{question.text}\n\n\b\nExamples:\n" + "\n".join(
        f"  sifprov query {question.name} {example}" for example in question.examples
    )
    made: Any = answer_options(run)
    for name in reversed(question.takes):
        made = _OPTIONS[name](made)
    verb: click.Command = click.command(question.name, short_help=question.title)(made)
    verb.epilog = exit_code_table()
    return verb


@click.group(
    "query",
    invoke_without_command=True,
    commands={name: _verb(question) for name, question in QUESTIONS.items()},
)
@click.option("--list", "is_list", is_flag=True, help="List the questions.")
@click.pass_context
def command(context: click.Context, is_list: bool) -> int:
    """Ask the catalog one of the eight questions of ProvDeploy.

    They are those of L. Kunstmann and others (2024), about workflows, images, environments and
    compositions. Runs that are of no workflow count by their batch job. A composition is what the
    workflow declares; else coarse with one image, fine where each image carried out one activity
    only, and hybrid between.

    \b
    Examples:
      sifprov query --list
      sifprov query q1 --workflow surrogate
      sifprov query q8 --workflow surrogate --metric r2
    """
    if is_list or context.invoked_subcommand is None:
        for question in QUESTIONS.values():
            click.echo(f"{question.name}  {question.title}")
    return Exit.OK
