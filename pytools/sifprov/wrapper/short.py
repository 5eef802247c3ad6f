"""The short forms: `--in data.sif` and `--out result.sif` become binds, by what the containers say
of themselves. A result that is not there is made, with much room and few bytes, and trimmed to its
content when the run has ended; when nothing ran, it goes away again. With `--atomic` it is made
under another name (atomic.py).
"""

from __future__ import annotations

import os

from sifprov.errors import MissingError, SifprovError
from sifprov.frozen import NamedTuple
from sifprov.runtime.argv import image_bind, parse
from sifprov.wrapper.line import Typed
from sifprov.wrapper.quick import EXT3, look

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sifprov.wrapper.atomic import Late

_SIZE = 1 << 30
# Small blocks keep small results small; for large ones they cost time.
_SMALL_BLOCKS = 1024
_OUTPUTS = "/Outputs"


class Short(NamedTuple):
    """The command line with the binds, the containers that were made for this run, and the plain
    folders that count as its outputs, each with the place where it is bound. `late` are those of
    the containers that get their names when all went well."""

    typed: Typed
    made: tuple[str, ...]
    folders: tuple[tuple[str, str], ...] = ()
    late: tuple[Late, ...] = ()


def expand(typed: Typed) -> Short:
    """Puts the binds into a command line. Raises SifprovError; then nothing is made."""
    ours, line = typed.ours, typed.line
    if line is None or not (ours.all("in") or ours.all("out")):
        if ours.last("atomic") is not None:
            raise SifprovError("--atomic is for containers that --out makes")
        if ours.last("size") is not None:
            raise SifprovError("--size is for containers that --out makes")
        return Short(typed, ())
    words = [word for value in ours.all("in") for word in _input(value)]
    wanted = [_split(value) for value in ours.all("out")]
    folders = tuple((path, folder or _OUTPUTS) for path, folder in wanted if _is_folder(path))
    wanted = [(path, folder) for path, folder in wanted if not _is_folder(path)]
    missing = [(path, folder) for path, folder in wanted if not os.path.lexists(path)]
    if ours.last("size") is not None and not missing:
        raise SifprovError(
            "--size is for containers that --out makes, and all are there",
            hint="'sifprov data grow' enlarges a container",
        )
    late: list[Late] = []
    if ours.last("atomic") is not None:
        from sifprov.wrapper.atomic import plan  # few runs ask for it

        late += plan(wanted, missing, folders)
    parts = {each.path: each.part for each in late}
    for path, folder in folders:
        words += image_bind(path, folder, None)
    for path, folder in wanted:
        if (path, folder) not in missing:
            words += _output(path, folder)
    sizes = _sizes(ours.all("size"), len(missing))
    made: list[str] = []
    try:
        for (path, folder), size in zip(missing, sizes, strict=True):
            words += _make(parts.get(path, path), folder, size)
            made.append(parts.get(path, path))
    except BaseException:
        remove(made)
        raise
    # Behind the action, for a `--` may stand before the image.
    at = 1 + sum(len(option.tokens) for option in line.globals)
    argv = (*typed.argv[: at + 1], *words, *typed.argv[at + 1 :])
    return Short(typed._replace(argv=argv, line=parse(argv)), tuple(made), folders, tuple(late))


def _split(value: str) -> tuple[str, str]:
    """Takes `data.sif:/Inputs` apart; a file of the whole name counts first."""
    path, colon, folder = value.rpartition(":/")
    if not colon or os.path.lexists(value):
        return value, ""
    from sifprov.roles import check_mount

    return path, check_mount("/" + folder)


def _is_folder(path: str) -> bool:
    """Whether a plain folder is meant. Raises MissingError for one that is not there."""
    if os.path.isdir(path):
        return True
    if path.endswith("/"):
        raise MissingError(f"--out {path}: no such folder", hint=f"make it: mkdir {path}")
    return False


def _input(value: str) -> tuple[str, str]:
    path, folder = _split(value)
    if not os.path.lexists(path):
        raise MissingError(f"--in {path}: no such container")
    if os.path.isdir(path):
        name = os.path.basename(os.path.abspath(path))
        raise SifprovError(
            f"--in {path}: a folder, not a data container",
            hint=f"make it one: sifprov data create {name}.sif --from {path} --mount /Inputs",
        )
    quick = look(path)
    if quick is None:
        raise SifprovError(f"--in {path}: not a data container")
    if not folder and not quick.mount:
        raise SifprovError(
            f"--in {path}: it does not say where it is to be bound",
            hint=f"say it: --in {path}:/Inputs",
        )
    return image_bind(path, folder or quick.mount, quick.mount or "/", read_only=True)


def _output(path: str, folder: str) -> tuple[str, str]:
    quick = look(path)
    if quick is None:
        raise SifprovError(f"--out {path}: not a data container")
    if quick.fs != EXT3:
        raise SifprovError(
            f"--out {path}: it is sealed, so nothing can be written into it",
            hint="name a container that is not there, and it will be made",
        )
    if not folder and not quick.mount:
        raise SifprovError(
            f"--out {path}: it does not say where it is to be bound",
            hint=f"say it: --out {path}:/Outputs",
        )
    return image_bind(path, folder or quick.mount, quick.mount or "/", read_only=False)


def _sizes(texts: tuple[str, ...], count: int) -> list[int]:
    """The sizes of so many containers: one for all, or one for each in their order."""
    if not texts:
        return [_SIZE] * count
    from sifprov.sizes import parse_size

    sizes = [parse_size(text) for text in texts]
    return sizes if len(sizes) == count else sizes[-1:] * count


def _make(path: str, folder: str, size: int) -> tuple[str, str]:
    from sifprov.create import create_data
    from sifprov.model.record import OUTPUT

    mount = folder or _OUTPUTS
    block_size = _SMALL_BLOCKS if size <= _SIZE else None
    create_data(path, mount=mount, role=OUTPUT, free=size, block_size=block_size)
    return image_bind(path, mount, mount, read_only=False)


def remove(made: list[str] | tuple[str, ...]) -> None:
    """Removes containers that were made for a run that was never started."""
    for path in made:
        os.unlink(path)


def trim_made(made: tuple[str, ...]) -> list[str]:
    """Makes containers as small as their content. Returns what could not be done, a line each."""
    import time

    from sifprov.grow import trim

    problems = []
    for path in made:
        try:
            trim(path, now=int(time.time()))
        except (SifprovError, OSError) as error:
            problems.append(f"{path} was not trimmed to its content: {error}")
    return problems
