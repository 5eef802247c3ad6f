"""The command line of a step. Pure.

What was recorded stays: global options, action, options, binds of the host's folders, arguments.
The program, the binds of containers and the application are those of the replay.
"""

from __future__ import annotations

from collections.abc import Mapping

from sifprov.errors import MissingError
from sifprov.model.container import Container
from sifprov.model.record import Run
from sifprov.replay import translate
from sifprov.replay.steps import Found, Step
from sifprov.runtime.argv import (
    CommandLine,
    image_bind,
    parse,
    without_image_binds,
)
from sifprov.runtime.binds import Bind, binds, holders

_SCRIPTS = "/.singularity.d/actions/"


def recorded(run: Run) -> CommandLine:
    """Returns a run's command line; where it is no plain one, what ran in the container, by `exec`.
    Raises MissingError where the record holds neither."""
    line = parse(run.argv)
    if line:
        return line
    if not run.command:
        raise MissingError("the record holds no command line, so it cannot be replayed")
    script = run.command[0].removeprefix(_SCRIPTS)
    action = script if script in ("run", "shell", "test") else "exec"
    args = run.command[1:] if run.command[0] != script else run.command
    return CommandLine("", (), action, (), "", args)


def command(step: Step, files: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the command line of a step; `files` are the absolute paths of the states that it
    reads and makes, by state."""
    line = recorded(step.run)
    usable = translate.options(line.options, step.run.runtime_name, step.runtime.name)
    argv = [step.runtime.path]
    for option in line.globals:
        argv += option.tokens
    argv += [line.action, *without_image_binds(usable.options)]
    for item in step.inputs:
        path = item.path if isinstance(item, Found) else files[item.state]
        argv += _bind(item.container, path, read_only=True)
    for target in step.outputs:
        argv += _bind(target.container, files[target.state], read_only=False)
    return (*argv, step.application.path, *line.args)


def _bind(container: Container, path: str, *, read_only: bool) -> tuple[str, ...]:
    return image_bind(path, container.mount or "/", container.source or "/", read_only=read_only)


def writes_elsewhere(run: Run) -> tuple[str, ...]:
    """Returns by which options a run could write into its application or into an overlay: files
    that are there, and that no record speaks of."""
    found = []
    for option in recorded(run).options:
        letters = option.switches if option.value is not None else option.name
        short = not option.tokens[0].startswith("--") and "w" in letters
        if short or (option.name == "writable" and option.value not in translate.OFF):
            found.append("--writable")
        elif option.name == "overlay" and option.value:
            found += [f"--overlay {o}" for o in option.value.split(",") if not o.endswith(":ro")]
    fact = next((f.value for f in run.facts if f.name == "isolation"), None)
    if isinstance(fact, dict) and fact.get("writable") is True:
        found.append("--writable")
    return tuple(dict.fromkeys(found))


def host_binds(run: Run) -> tuple[Bind, ...]:
    """Returns the binds of the host's files and folders in a run's command line."""
    line = recorded(run)
    apptainer = translate.family(run.runtime_name) == translate.APPTAINER
    try:
        found = binds(holders(line, {}, apptainer=apptainer), apptainer=apptainer)
    except ValueError:
        return ()  # the runtime will refuse it
    return tuple(b for b in found if not b.of_image)
