"""`sifprov run`"""

from __future__ import annotations

from sifprov.commands.wrapped import wrapped


@wrapped("run")
def command() -> None:
    """Run an application container's runscript, and record the run.

    Takes the arguments of `singularity run` and `apptainer run`, and needs no plugin. The options
    below are sifprov's, and stand anywhere before IMAGE; everything else is the runtime's and
    reaches it unchanged. A run that binds no data container is left alone.

    Containers that declare themselves inputs are bound read-only, so that runs can share them; a
    bind that says `rw` is not touched. The exit code is the runtime's, or 255 when it could not be
    started.

    \b
    Examples:
      sifprov run --in in.sif --out result.sif app.sif --steps 100
      sifprov run -B out.sif:/Outputs:image-src=/Outputs app.sif
    """
