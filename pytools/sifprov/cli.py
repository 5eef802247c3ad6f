"""The `sifprov` program: dispatch, and errors to exit codes. Nothing else."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import click

from sifprov.commands.lazy import LazyGroup
from sifprov.errors import Exit, SifprovError
from sifprov.terminal import printable
from sifprov.version import VERSION

_VERBS = {
    "annotate": ("sifprov.commands.annotate", "Add notes, tags and metrics to a record."),
    "catalog": ("sifprov.commands.catalog", "Look after the catalog of many containers."),
    "compare": ("sifprov.commands.compare", "Compare the files of two containers."),
    "data": ("sifprov.commands.data", "Make and look into data containers."),
    "diff": ("sifprov.commands.diff", "Tell what is not the same between two runs."),
    "doctor": ("sifprov.commands.doctor", "Say what of your runs will be captured, and how."),
    "exec": ("sifprov.commands.exec", "Run a command in a container, and record the run."),
    "export": ("sifprov.commands.export", "Write what made a container for other programs."),
    "find": ("sifprov.commands.find", "Find runs in the catalog."),
    "flush": ("sifprov.commands.flush", "Deliver records that wait in the spool."),
    "impact": ("sifprov.commands.impact", "List what was derived from a container."),
    "index": ("sifprov.commands.index", "Read the records of many containers into the catalog."),
    "log": ("sifprov.commands.log", "List runs that have ended; print what one printed."),
    "plugin": ("sifprov.commands.plugin", "Install, look at and remove the runtime's plugin."),
    "ps": ("sifprov.commands.ps", "Show the runs that go on."),
    "query": ("sifprov.commands.query", "Ask the catalog about workflows and images."),
    "rerun": ("sifprov.commands.rerun", "Replay what made a container and compare."),
    "run": ("sifprov.commands.run", "Run a container's runscript, and record the run."),
    "shell": ("sifprov.commands.shell", "Open a shell in a container, and record the session."),
    "shell-init": ("sifprov.commands.shell_init", "Print functions that record plain runs."),
    "sign": ("sifprov.commands.sign", "Sign the records of a container."),
    "sql": ("sifprov.commands.sql", "Ask the catalog in SQL, only to read."),
    "trail": ("sifprov.commands.trail", "Show what made a container."),
    "workflow": ("sifprov.commands.workflow", "Run several steps as one workflow."),
    "verify": ("sifprov.commands.verify", "Check a container against all that its records say."),
}


@click.command(
    cls=LazyGroup,
    verbs=_VERBS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(VERSION, prog_name="sifprov")
def main() -> None:
    """Record trails of containerized science, kept inside the containers.

    \b
    Examples:
      sifprov data create input.sif --from ./data --mount /Inputs
      sifprov data create output.sif --free 8M --mount /Outputs
      sifprov trail output.sif
      sifprov rerun output.sif
    """


def entry() -> None:
    """Runs the program; every error of ours becomes one line, a hint and its exit code."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        result = main(standalone_mode=False)
    except SifprovError as error:
        complain(str(error), error.hint)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(Exit.USAGE)
    except click.exceptions.Abort:
        complain("interrupted", None)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has gone, as in `sifprov trail … | head`.
        sys.stderr.close()
        sys.exit(Exit.OK)
    sys.exit(result if isinstance(result, int) else Exit.OK)


def _terminated(number: int, frame: FrameType | None) -> None:
    # An exception, so that whatever is half made is removed on the way out.
    sys.exit(128 + number)


def complain(message: str, hint: str | None) -> None:
    """Prints an error as one line, and what to do next as another."""
    click.echo(f"sifprov: error: {printable(message)}", err=True)
    if hint:
        click.echo(f"sifprov: hint: {printable(hint)}", err=True)
