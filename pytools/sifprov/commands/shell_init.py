"""`sifprov shell-init`"""

from __future__ import annotations

import click

from sifprov.wrapper.functions import FUNCTIONS


@click.command("shell-init")
@click.argument("shell", type=click.Choice(sorted(FUNCTIONS)))
def command(shell: str) -> None:
    """Print functions by which plain `singularity exec` and `apptainer exec` are recorded.

    They stand for the two programs in this shell: `exec`, `run` and `shell` go to sifprov with the
    runtime that would have run, everything else to the runtime itself. For sites whose runtime
    loads no plugin; where a plugin is active, a run is recorded once all the same.

    \b
    Examples:
      eval "$(sifprov shell-init bash)"      # in ~/.bashrc, or in a job script
      eval "$(sifprov shell-init zsh)"       # in ~/.zshrc
      sifprov shell-init fish | source       # in ~/.config/fish/config.fish
    """
    click.echo(FUNCTIONS[shell], nl=False)
