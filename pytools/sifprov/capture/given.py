"""A plain folder that a data container is made from, where runs have written into it: its sidecar
tells which."""

from __future__ import annotations

import os

from sifprov.capture.lineage import Source, gather
from sifprov.content import Deadline, Tree, make_tree
from sifprov.embedded import Lineage
from sifprov.errors import SifprovError
from sifprov.frozen import replace
from sifprov.identity import Identity, describe
from sifprov.model.record import CHANGED_OUTSIDE, FOLDER, INPUT, Container
from sifprov.sidecar import beside, read_sidecar


def folder_given(source: str, tree: Tree, mount: str) -> tuple[Container, Lineage] | None:
    """Returns the folder `source` as an origin record names it, and what its sidecar holds of its
    ancestors; None where no sidecar tells of it.

    `tree` is the content of the container that was made of it, in which it stands at `mount`.
    """
    path = os.path.abspath(source)
    sidecar = beside(path)
    if not os.path.lexists(sidecar):
        return None
    try:
        stored = reversed(read_sidecar(sidecar))
    except SifprovError:
        return None
    told = ((s, it) for s in stored if s.record and (it := s.record.itself()))
    newest, it = next(((s, it) for s, it in told if FOLDER in it.marks), (None, None))
    if newest is None or it is None:
        return None
    digest = _below(tree, mount)
    marks = (FOLDER,) if it.digest in (None, digest) else (CHANGED_OUTSIDE, FOLDER)
    identity = Identity(path, it.uuid, record=newest.digest)
    container = replace(describe(INPUT, identity, digest), marks=marks)
    return container, gather([Source(newest.digest, (sidecar,))], Deadline())


def _below(tree: Tree, mount: str) -> str:
    """The tree digest of the folder that stands at `mount`."""
    top = os.fsencode(mount.strip("/")) + b"/" if mount.strip("/") else b""
    inside = [
        replace(e, path=e.path.removeprefix(top)) for e in tree.entries if e.path.startswith(top)
    ]
    return make_tree(inside, tree.changed_ns).digest
