"""The `sifprov` program: dispatch, and errors to exit codes. Nothing else."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from sifprov.errors import EXIT_CODES, Exit, SifprovError
from sifprov.terminal import printable
from sifprov.version import VERSION

# Verb to (module, command object, what `--help` says): a verb is imported when it is used,
# for start-up is on the user's clock.
_VERBS = {
    "data": ("sifprov.commands.data", "Make data containers."),
    "flush": ("sifprov.commands.flush", "Deliver records that wait in the spool."),
    "plugin": ("sifprov.commands.plugin", "Install, look at and remove the runtime's plugin."),
    "rerun": ("sifprov.commands.rerun", "Replay what made a container and compare."),
    "trail": ("sifprov.commands.trail", "Show what made a container."),
}


def exit_code_table() -> str:
    """Returns the table of exit codes as `--help` shows it."""
    rows = "\n".join(f"  {code.value:>3}  {meaning}" for code, meaning in EXIT_CODES.items())
    return "\b\nExit codes:\n" + rows


class Group(click.Group):
    """A group whose verbs are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        command: click.Command = import_module(_VERBS[cmd_name][0]).command
        _add_epilog(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, text) for verb, (_, text) in sorted(_VERBS.items())])


def _add_epilog(command: click.Command) -> None:
    """Shows the one table of exit codes under every verb."""
    command.epilog = exit_code_table()
    if isinstance(command, click.Group):
        for verb in command.commands.values():
            _add_epilog(verb)


@click.command(
    cls=Group,
    epilog=exit_code_table(),
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


def complain(message: str, hint: str | None) -> None:
    """Prints an error as one line, and what to do next as another."""
    click.echo(f"sifprov: error: {printable(message)}", err=True)
    if hint:
        click.echo(f"sifprov: hint: {printable(hint)}", err=True)
