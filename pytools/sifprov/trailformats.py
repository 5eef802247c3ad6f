"""The formats of a trail by name, and the file that one is written to. What only one of them needs
is imported for that one."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from importlib import import_module

from sifprov.errors import FileError, SifprovError
from sifprov.frozen import dataclass
from sifprov.lineage import build
from sifprov.newfile import scratch_beside, sync, sync_folder
from sifprov.sif.format import MAGIC
from sifprov.trail import Trail

TREE = "tree"
# Behind the line of the header that starts a SIF as a program.
_MAGIC_AT = 32


@dataclass(frozen=True)
class Style:
    """How the tree is drawn: see `render.tree.draw`."""

    colour: bool = False
    depth: int | None = None
    collapse: bool = False


def _tree(trail: Trail, style: Style) -> str:
    from sifprov.render.colour import Palette
    from sifprov.render.tree import render

    return render(trail, Palette(style.colour), depth=style.depth, collapse=style.collapse)


def _json(trail: Trail, style: Style) -> str:
    from sifprov.lineage.document import document, dumps

    return dumps(document(trail, build(trail)))


def _picture(name: str) -> Callable[[Trail, Style], str]:
    def text(trail: Trail, style: Style) -> str:
        return str(import_module(f"sifprov.render.{name}").render(build(trail)))

    return text


def _page(trail: Trail, style: Style) -> str:
    from sifprov.measured import measured_in
    from sifprov.render.html import render

    return render(build(trail), trail.documents, measured_in(trail))


def _graphviz(trail: Trail, style: Style) -> str:
    from sifprov.render.dot import render_svg

    return render_svg(build(trail))


def _prov(name: str) -> Callable[[Trail, Style], str]:
    def text(trail: Trail, style: Style) -> str:
        from sifprov.export.prov import export

        return export(build(trail), name)

    return text


def file_text(trail: Trail, path: str, format_: str, style: Style) -> str:
    """Returns which run made the file at `path`, as JSON or in words. Raises NoRecordError,
    MissingError."""
    from sifprov.fileorigin import file_origin
    from sifprov.lineage.document import dumps
    from sifprov.render.colour import Palette
    from sifprov.render.fileorigin import render

    graph = build(trail)
    found = file_origin(trail, graph, path)
    return (
        dumps(found.to_json()) if format_ != TREE else render(found, graph, Palette(style.colour))
    )


def script_text(trail: Trail) -> str:
    """Returns the shell script that does it all again."""
    from sifprov.render.script import script

    carriers = (trail.start, *trail.ancestors.values())
    known = ((c.identity.uuid, c.identity.partition) for c in carriers)
    return script(build(trail), {u: p.size for u, p in known if u and p})


FORMATS: Mapping[str, Callable[[Trail, Style], str]] = {
    TREE: _tree,
    "json": _json,
    **{name: _picture(name) for name in ("dot", "mermaid", "svg")},
    "svg-graphviz": _graphviz,
    "html": _page,
    **{name: _prov(name) for name in ("prov-n", "prov-json", "prov-xml", "prov-ttl")},
}
# What the name of a file says, the longer endings first.
_ENDINGS = (
    (".prov.json", "prov-json"), (".provjson", "prov-json"), (".prov.xml", "prov-xml"),
    (".provx", "prov-xml"), (".provn", "prov-n"), (".ttl", "prov-ttl"), (".json", "json"),
    (".dot", "dot"), (".gv", "dot"), (".mmd", "mermaid"), (".mermaid", "mermaid"), (".svg", "svg"),
    (".html", "html"), (".htm", "html"), (".txt", TREE),
)  # fmt: skip


def format_of(wanted: str | None, output: str | None) -> str:
    """Returns the name of the format: `wanted`, else what the name of the file says, else the tree.
    Raises SifprovError for a name that says nothing."""
    if wanted or not output:
        return wanted or TREE
    for ending, name in _ENDINGS:
        if output.lower().endswith(ending):
            return name
    raise SifprovError(
        f"{output}: its name does not say what to write", hint="say it with --format"
    )


def write(path: str, text: str) -> None:
    """Writes `text`, with a newline at its end, into the file at `path`.

    What stood there is replaced when all is on the disk, and keeps its permissions; a pipe or a
    device is written to. A container is never replaced. Raises FileError.
    """
    data = text.rstrip("\n").encode("utf-8", "backslashreplace") + b"\n"
    real = os.path.realpath(path)
    try:
        before = os.stat(real) if os.path.lexists(real) else None
        if before and not stat.S_ISREG(before.st_mode):
            with open(real, "wb", buffering=0) as file:
                _write_all(file.fileno(), data)
            return
        if before and _is_container(real):
            raise FileError(f"{path}: is a container, which this does not replace")
        with scratch_beside(real) as temporary:
            with open(temporary, "wb") as file:
                file.write(data)
                if before:
                    os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
            sync(temporary)
            os.rename(temporary, real)
            sync_folder(real)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from error


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _is_container(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(_MAGIC_AT + len(MAGIC)).endswith(MAGIC)
