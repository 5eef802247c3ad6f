"""Makes realistic trails for the benchmarks of the catalog: chains, fan-outs, sweeps and workflows
of several users on several machines.

Records are of real ones' size and form. A container is written as one piece: header, table, a small
partition, lineage and records, each where the program puts it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any
from uuid import UUID

from sifprov.bundle import pack
from sifprov.embedded import SCHEMA as LINEAGE
from sifprov.frozen import replace
from sifprov.groups import LINEAGE_NAME, OBJECT_NAME
from sifprov.model.annotation import Annotation
from sifprov.model.canonical import Json, record_digest
from sifprov.model.container import APPLICATION, INPUT, OUTPUT, Container
from sifprov.model.fact import Fact
from sifprov.model.record import CREATE, EXITED, PLUGIN, Origin, Record, Run
from sifprov.model.timestamp import from_ns
from sifprov.sif import DataType, FsType, PartType, pack_partition
from sifprov.sif.format import (
    DESCRIPTOR_SIZE,
    EXTRA_SIZE,
    NAME_SIZE,
    Descriptor,
    new_header,
)

_BEGIN = 1_780_000_000_000_000_000
_NOW = 1_780_000_000
_SLOTS = 84
_PARTITION = 4096
_USERS = 7
_HOSTS = 12
_IMAGES = 25


class Made:
    """A container with the records that stand in it, and those that it embeds."""

    def __init__(self, uuid: UUID, name: str) -> None:
        self.uuid, self.name = uuid, name
        self.records: list[tuple[str, bytes]] = []
        self.embedded: dict[str, bytes] = {}
        self.content = ""

    @property
    def newest(self) -> str | None:
        """The digest of its newest record."""
        return self.records[-1][0] if self.records else None

    def file(self) -> bytes:
        """The bytes of the SIF."""
        objects: list[tuple[bytes, DataType, bytes, int]] = [
            (b"sifprov:output:/Outputs", DataType.PARTITION, bytes(_PARTITION), 1)
        ]
        if self.embedded:
            data = pack(list(self.embedded.values()), LINEAGE)
            objects.append((LINEAGE_NAME.encode(), DataType.JSON, data, 2))
        objects += [(OBJECT_NAME.encode(), DataType.JSON, d, 2) for _, d in self.records]
        return sif(self.uuid, objects)


def sif(uuid: UUID, objects: Sequence[tuple[bytes, DataType, bytes, int]]) -> bytes:
    """The bytes of a SIF with these objects: name, type, content and group of each."""
    header = new_header(uuid, _NOW, _SLOTS)
    table = bytearray(_SLOTS * DESCRIPTOR_SIZE)
    body = bytearray()
    for slot, (name, kind, data, group) in enumerate(objects):
        at = header.dataoff + len(body)
        is_partition = kind == DataType.PARTITION
        padded = -(-len(data) // 8) * 8 if not is_partition else len(data)
        extra = pack_partition(FsType.EXT3, PartType.DATA, b"00\0") if is_partition else b""
        item = Descriptor(
            slot=slot, datatype=kind, id=slot + 1, group=group, link=0, offset=at, size=len(data),
            padded=padded, created=_NOW, modified=_NOW, uid=0, gid=0,
            name=name.ljust(NAME_SIZE, b"\0"), extra=extra.ljust(EXTRA_SIZE, b"\0"),
        )  # fmt: skip
        struct.pack_into(f"{DESCRIPTOR_SIZE}s", table, slot * DESCRIPTOR_SIZE, item.pack())
        body += data.ljust(padded, b"\0")
    header = replace(header, dfree=_SLOTS - len(objects), datalen=len(body))
    head = header.pack()
    front = head + bytes(header.descroff - len(head)) + bytes(table)
    return front.ljust(header.dataoff, b"\0") + bytes(body)


class Trails:
    """Yields containers, each behind those that it was made from."""

    def __init__(self, seed: int = 1) -> None:
        self._random = Random(seed)  # noqa: S311
        self._count = 0
        self._now = _BEGIN
        self._images = [self._image(n) for n in range(_IMAGES)]

    def make(self, count: int) -> Iterator[Made]:
        """Yields that many containers."""
        left = count
        ways = (self._chain, self._sweep, self._sweep, self._fan_out, self._workflow)
        while left > 0:
            for made in self._random.choice(ways)():
                yield made
                left -= 1
                if left == 0:
                    return

    def fan(self, descendants: int) -> Iterator[Made]:
        """Yields a container and that many that were made from it, a thousand at a time."""
        first = self._origin()
        yield first
        level = [first]
        done = 0
        while done < descendants:
            below = []
            for number in range(min(1000, descendants - done)):
                of = level[number % len(level)]
                below.append(self._run([of], f"step{done}"))
                yield below[-1]
                done += 1
            level = below

    def _uuid(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)

    def _hex(self) -> str:
        return f"{self._random.getrandbits(256):064x}"

    def _chain(self) -> Iterator[Made]:
        """A container whose result goes into the next, twelve times."""
        made = self._origin()
        yield made
        for number in range(12):
            made = self._run([made], f"step{number}")
            yield made

    def _sweep(self) -> Iterator[Made]:
        """One input, one program, sixty parameters."""
        of = self._origin()
        yield of
        job = str(self._random.randrange(10**6, 10**7))
        for number in range(60):
            r2 = f"0.{self._random.randrange(10**6):06d}"
            words = Annotation((), (("campaign", f"c{self._random.randrange(40)}"),), (("r2", r2),))
            yield self._run([of], f"alpha{number}", words, job=job, task=number)

    def _fan_out(self) -> Iterator[Made]:
        """Two levels of eight."""
        of = self._origin()
        yield of
        for number in range(8):
            middle = self._run([of], f"part{number}")
            yield middle
            for inner in range(8):
                yield self._run([middle], f"part{number}.{inner}")

    def _workflow(self) -> Iterator[Made]:
        """Five activities of one execution of a workflow; the last reads two."""
        flow = {
            "name": f"workflow{self._random.randrange(30)}", "id": str(self._uuid()),
            "composition": self._random.choice(("coarse", "fine", "hybrid")),
        }  # fmt: skip
        made = [self._origin()]
        yield made[0]
        for number, activity in enumerate(("prepare", "simulate", "train", "score", "plot")):
            inputs = made[-2:] if number == 4 else made[-1:]
            loss = Annotation((), (), (("loss", f"0.{self._random.randrange(10**6):06d}"),))
            words = loss if activity == "train" else None
            it = self._run(inputs, activity, words, flow={**flow, "activity": activity})
            made.append(it)
            yield it

    def _origin(self) -> Made:
        self._count += 1
        made = Made(self._uuid(), f"input{self._count}.sif")
        made.content = "tree-v1:" + self._hex()
        origin = Origin(f"/home/user{self._random.randrange(_USERS)}/data", made.content)
        record = self._record(made.uuid, CREATE, origin=origin)
        self._add(made, record)
        return made

    def _run(
        self,
        inputs: Sequence[Made],
        what: str,
        words: Annotation | None = None,
        *,
        flow: dict[str, Any] | None = None,
        job: str | None = None,
        task: int = 0,
    ) -> Made:
        self._count += 1
        made = Made(self._uuid(), f"{what}-{self._count}.sif")
        made.content = "tree-v1:" + self._hex()
        image = self._random.choice(self._images)
        folder = f"/project/p{self._count // 500}"
        read = [self._container(INPUT, i, folder, "/Inputs") for i in inputs]
        written = replace(self._container(OUTPUT, made, folder, "/Outputs"), writable=True)
        argv = ["singularity", "exec"]
        for each in (*read, written):
            argv += ["-B", f"{each.path}:{each.mount}:image-src={each.source}"]
        command = ("python3", "/opt/model/run.py", "--step", what, "--out", "/Outputs/result.csv")
        took = Run(
            action="exec", argv=(*argv, image.path, *command), command=command, redacted=(),
            cwd=folder, started=from_ns(self._now), ended=from_ns(self._now + 2_250_000_000),
            outcome=EXITED, exit_code=0 if self._random.random() < 0.97 else 1, signal=None,
            environment=(("LANG", "C.UTF-8"), ("OMP_NUM_THREADS", "4")),
            runtime_name="singularity-ce", runtime_version="4.3.3",
            facts=self._facts(image, flow, job, task),
        )  # fmt: skip
        record = self._record(
            made.uuid, PLUGIN, run=took, containers=(image, *read, written), annotation=words
        )
        for before in inputs:
            made.embedded.update(before.embedded)
            made.embedded.update(before.records)
        self._add(made, record)
        return made

    def _add(self, made: Made, record: Record) -> None:
        data = record.to_bytes()
        made.records.append((record_digest(data), data))

    def _facts(
        self, image: Container, flow: dict[str, Any] | None, job: str | None, task: int
    ) -> tuple[Fact, ...]:
        host = self._random.randrange(_HOSTS)
        user = self._random.randrange(_USERS)
        batch = {"system": "slurm", "job": job, "array_job": job, "task": str(task),
                 "cluster": "main", "partition": "short"}  # fmt: skip
        mounts = [("/home", "/home"), ("/tmp", "/tmp"), ("/scratch", "/scratch"),
                  ("/etc/localtime", "/etc/localtime"), ("/etc/hosts", "/etc/hosts")]  # fmt: skip
        binds: list[Json] = [
            {"destination": to, "read_only": False, "source": of, "type": "ext4"}
            for of, to in mounts
        ]
        binds += [
            {"destination": f"/proc/{n}", "read_only": True, "type": "proc"} for n in range(8)
        ]
        facts = [
            Fact("application", self._application(image), "objects of the container"),
            Fact("batch", batch, "environment") if job else Fact("batch", None, reason="none"),
            Fact("binds", binds, "mount table of the container's process"),
            Fact("isolation", {
                "cleanenv": False, "contain": False, "environment": ["HOME", "LANG", "PATH"],
                "fakeroot": False, "namespaces": ["mount"], "no_home": False, "not_mounted": [],
                "nvidia": False, "rocm": False, "writable": False, "writable_tmpfs": False,
            }, "engine configuration"),
            Fact("platform", {
                "architecture": "x86_64", "cpu": "AMD EPYC 7763 64-Core Processor", "cpus": 64,
                "gpus": [], "host": f"node{host:02}", "kernel": "Linux 6.1.0-23-amd64",
                "memory_bytes": 270_000_000_000,
            }, "uname, /proc, /sys"),
            Fact("resources", {
                "peak_memory_bytes": self._random.randrange(10**9), "scope": "container",
                "storage_read_bytes": 4096, "storage_write_bytes": 8192, "system_us": 120_000,
                "user_us": self._random.randrange(10**7), "wall_us": 2_250_000,
            }, "wait4, clock"),
            Fact("started", True, "the runtime and its process"),
            Fact("user", {"name": f"user{user}", "uid": 1000 + user}, "passwd"),
        ]  # fmt: skip
        if flow:
            facts.append(Fact("workflow", flow, "environment"))
        return tuple(sorted(facts, key=lambda f: f.name))

    def _application(self, image: Container) -> dict[str, Any]:
        number = int(image.name.removeprefix("app").removesuffix(".sif"))
        label = "org.label-schema."
        return {
            "bases": [{"bootstrap": "docker", "from": f"python:3.{number}-slim"}],
            "definition_digest": "sha256:" + f"{number:064x}",
            "entry_point": "exec python3 /opt/model/run.py \"$@\"",
            "environment": {"LC_ALL": "C", "PATH": "/opt/model/bin:$PATH"},
            "labels": {
                label + "build-arch": "amd64",
                label + "build-date": "Thursday_28_May_2026_20:0:0_UTC",
                label + "schema-version": "1.0",
                label + "usage.singularity.deffile.bootstrap": "docker",
                label + "usage.singularity.version": "4.3.3",
                "org.opencontainers.image.authors": f"group{number % 3}",
                "org.opencontainers.image.version": f"1.{number}",
            },
        }  # fmt: skip

    def _image(self, number: int) -> Container:
        return Container(
            role=APPLICATION, name=f"app{number}.sif", path=f"/software/app{number}.sif",
            uuid=self._uuid(), created="2026-05-28T20:00:00Z", modified="2026-05-28T20:00:00Z",
            mount=None, source=None, writable=False, read_only_added=False,
            digest="image-v1:" + self._hex(), reason=None, record=None,
        )  # fmt: skip

    def _container(self, role: str, made: Made, folder: str, mount: str) -> Container:
        return Container(
            role=role, name=made.name, path=f"{folder}/{made.name}", uuid=made.uuid,
            created="2026-05-28T20:00:00Z", modified="2026-05-28T20:00:00Z", mount=mount,
            source=mount, writable=False, read_only_added=role == INPUT, digest=made.content,
            reason=None, record=made.newest,
        )  # fmt: skip

    def _record(
        self,
        container: UUID,
        by: str,
        *,
        run: Run | None = None,
        origin: Origin | None = None,
        containers: tuple[Container, ...] = (),
        annotation: Annotation | None = None,
    ) -> Record:
        self._now += 3_000_000_000
        return Record(
            id=self._uuid(), container=container, previous=None, recorded=from_ns(self._now),
            captured_by=by, version="0.1.0", run=run, origin=origin, containers=containers,
            replays=None, annotation=annotation,
        )  # fmt: skip


def write(folder: str, made: Iterator[Made]) -> int:
    """Writes containers below `folder`, five hundred in a folder; returns how many."""
    count = 0
    for count, it in enumerate(made, 1):
        if count % 500 == 1:
            below = os.path.join(folder, f"{count // 50_000:03}", f"{count // 500:05}")
            os.makedirs(below)
        data = it.file()
        with open(os.path.join(below, it.name), "wb") as file:
            # Unused slots and the partition are holes, as in real ones.
            for at in range(0, len(data), 4096):
                if any(data[at : at + 4096]):
                    file.seek(at)
                    file.write(data[at : at + 4096])
            file.truncate(len(data))
    return count
