"""Real containers for the tests of verify: an application, an input, an output that runs filled."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tests.unit.sifs import add_object, run

from sifprov.carrier import read_carrier
from sifprov.content import Deadline
from sifprov.create import create_data
from sifprov.embedded import Lineage
from sifprov.filestore import new_documents
from sifprov.frozen import replace
from sifprov.groups import by_offset
from sifprov.identity import describe, identify
from sifprov.listing import Tree
from sifprov.model.canonical import record_digest
from sifprov.model.container import APPLICATION, INPUT, OUTPUT
from sifprov.model.files import describe as list_files
from sifprov.model.record import PLUGIN, Record
from sifprov.model.timestamp import from_ns
from sifprov.partition import scan_partition
from sifprov.placement import CONTAINER, Place, append_to
from sifprov.replay.contents import digest_now
from sifprov.room import read_stored
from sifprov.sif import (
    DataType,
    FsType,
    PartType,
    add_partition,
    begin,
    open_image,
    pack_partition,
)
from sifprov.sif.format import GROUP_MASK


@dataclass(frozen=True)
class Site:
    """A folder with `app.sif`, `in.sif` and `out.sif`."""

    folder: Path

    @property
    def app(self) -> Path:
        return self.folder / "app.sif"

    @property
    def input(self) -> Path:
        return self.folder / "in.sif"

    @property
    def out(self) -> Path:
        return self.folder / "out.sif"

    def run(
        self, change: Callable[[Record], Record] = lambda record: record, place: Place | None = None
    ) -> str:
        """Appends the record of a run that used app and input, and left the output as it is."""
        now = time.time_ns()
        tree = tree_of(self.out)
        output = identify(str(self.out))
        files, manifest = list_files(tree)
        app, source = identify(str(self.app)), identify(str(self.input))
        assert output.uuid
        record = change(
            Record(
                id=uuid4(),
                container=output.uuid,
                previous=None,
                recorded=from_ns(now),
                captured_by=PLUGIN,
                version="0.1.0",
                run=replace(run(), started=from_ns(now - 10**9), ended=from_ns(now)),
                origin=None,
                containers=(
                    describe(APPLICATION, app, digest_now(app, APPLICATION)[1]),
                    describe(INPUT, source, tree_of(self.input).digest),
                    replace(describe(OUTPUT, output, tree.digest), writable=True, files=files),
                ),
                replays=None,
            )
        )
        place = place or Place(CONTAINER, str(self.out))
        manifests = {manifest.digest: manifest} if manifest else {}
        own = new_documents(place, record, manifests)
        lineage = Lineage(self._ancestors()).beside(own)
        return append_to(place, record, lineage=lineage)[1]

    def _ancestors(self) -> dict[str, bytes]:
        """The input's records and lists of files, byte for byte."""
        documents = dict(read_carrier(str(self.input), embedded=True).embedded)
        with open_image(str(self.input)) as (file, image):
            for item in by_offset(image):
                documents |= {record_digest(d): d for d in read_stored(file, item)}
        return documents


def tree_of(path: Path) -> Tree:
    """The content of a data container."""
    partition = identify(str(path)).partition
    assert partition
    return scan_partition(str(path), partition, Deadline())


def make_app(path: Path, size: int = 3000) -> Path:
    """Something with a system partition."""
    path.write_bytes(b"")
    now = int(time.time())
    begin(str(path), uuid=uuid4(), now=now, descriptors=4)
    extra = pack_partition(FsType.SQUASHFS, PartType.PRIMARY_SYSTEM, b"02\0")
    item = add_partition(str(path), name=b"squashfs", size=size, extra=extra, now=now)
    with path.open("r+b") as file:
        file.seek(item.offset)
        file.write(os.urandom(size))
    return path


def make_site(folder: Path, *, files: int = 20, descriptors: int = 12) -> Site:
    """Makes the three containers; no run has taken place yet. The output holds `files` files."""
    site = Site(folder)
    for name in ("source", "start"):
        (folder / name / "sub").mkdir(parents=True)
        for number in range(files):
            (folder / name / f"{number:02}.txt").write_bytes(f"{name} {number}\n".encode() * 40)
        (folder / name / "sub" / "large").write_bytes(bytes(range(256)) * 80)
        (folder / name / "link").symlink_to("sub/large")
    make_app(site.app)
    create_data(str(site.input), mount="/Inputs", source=str(folder / "source"))
    create_data(
        str(site.out), mount="/Outputs", source=str(folder / "start"), role=OUTPUT,
        descriptors=descriptors,
    )  # fmt: skip
    return site


def sign(path: Path, group: int) -> None:
    """Adds what stands in a signature of the newer kind, made with no key that anybody has."""
    with open_image(str(path)) as (file, image):
        objects = [d for d in image.descriptors if d.group == group]
        first = min(d.id for d in objects)
        rows = [
            {
                "relativeId": d.id - first,
                "objectDigest": "sha256:"
                + hashlib.sha256(os.pread(file.fileno(), d.size, d.offset)).hexdigest(),
            }
            for d in objects
        ]
    message = base64.b64encode(json.dumps({"version": 1, "objects": rows}).encode()).decode()
    add_object(
        path, json.dumps({"payload": message}).encode(), datatype=DataType.SIGNATURE,
        name=b"", link=GROUP_MASK | group,
    )  # fmt: skip
