"""`sifprov exec`"""

from __future__ import annotations

from sifprov.commands.wrapped import wrapped


@wrapped("exec")
def command() -> None:
    """Run a command in an application container, and record the run.

    Takes the arguments of `singularity exec` and `apptainer exec`, and needs no plugin. The options
    below are sifprov's, and stand anywhere before IMAGE; everything else is the runtime's and
    reaches it unchanged. A run that binds no data container is left alone.

    Containers that declare themselves inputs are bound read-only, so that runs can share them; a
    bind that says `rw` is not touched. The exit code is the runtime's, or 255 when it could not be
    started.

    \b
    Examples:
      sifprov exec -B in.sif:/Inputs:image-src=/Inputs app.sif gnuplot plot.gp
      sifprov exec --in in.sif --out result.sif app.sif gnuplot plot.gp
      sifprov exec --runtime apptainer --userns --in in.sif --out result.sif app.sif ./analyse
    """
