"""`sifprov workflow convert`"""

from __future__ import annotations

import click

from sifprov.commands.workflow.common import FILE, tell
from sifprov.trailformats import write
from sifprov.workflow.load import load, to_text


@click.command("convert")
@FILE
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(dir_okay=False),
    help="Write into FILE, which is replaced when all is written.",
)  # fmt: skip
def command(file: str, output: str | None) -> None:
    """Write a workflow file of another program as ours.

    It reads files of the thesis's prototype (WorkflowName, ApplicationContainer, InputContainer,
    OutputContainer) and of ProvDeploy (workflow, act with code, image and exec_command). What they
    do not say, such as mount points and sizes, is chosen, and told on standard error.

    \b
    Examples:
      sifprov workflow convert prototype.json
      sifprov workflow convert submit.json -o wf.json
    """
    loaded = load(file)
    tell(loaded)
    text = to_text(loaded.workflow)
    if output:
        write(output, text)
    else:
        click.echo(text, nl=False)
