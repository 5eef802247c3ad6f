"""Writes the committed seeds anew: `python -m tests.fuzz.make_seeds`.

Small and valid ones, so that a fuzzer starts where parsers say yes. Needs mke2fs, debugfs and
mksquashfs.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
import subprocess
import tempfile
import zlib
from dataclasses import replace
from pathlib import Path

from pyext2fs._inodes import Inodes, put_time
from pyext2fs.debugfs import Debugfs
from sifprov.bundle import pack
from sifprov.embedded import Lineage, pack_lineage
from sifprov.model.annotation import make
from sifprov.model.canonical import dumps, record_digest
from sifprov.model.files import store
from sifprov.model.log import Collector
from sifprov.model.manifest import Manifest
from sifprov.model.report import Process, Where
from sifprov.model.telemetry import Telemetry
from sifprov.sif import DataType, FsType, PartType, pack_partition
from sifprov.sif.format import DESCRIPTOR_SIZE, HEADER_SIZE, NAME_SIZE, Descriptor, new_header
from tests.fuzz.files_targets import BASE
from tests.fuzz.picture_targets import chunked
from tests.fuzz.target import HERE, SEEDS
from tests.unit import livequeue
from tests.unit.sifs import NOW, OUT, descriptor, origin_record, run_record

SLOTS = 4
DATA = HEADER_SIZE + SLOTS * DESCRIPTOR_SIZE


def put(target: str, **seeds: bytes) -> None:
    """Writes seeds of one target."""
    folder = SEEDS / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in seeds.items():
        (folder / name).write_bytes(data)


def sif(*objects: tuple[Descriptor, bytes]) -> bytes:
    """A SIF whose table stands directly behind its header, so that it is small."""
    header = replace(
        new_header(OUT, NOW, SLOTS), descroff=HEADER_SIZE, dataoff=DATA, dfree=SLOTS - len(objects)
    )
    table, data = b"", b""
    for slot, (item, content) in enumerate(objects):
        whole = replace(
            item, slot=slot, id=slot + 1, offset=DATA + len(data), size=len(content),
            padded=len(content),
        )  # fmt: skip
        table, data = table + whole.pack(), data + content
    header = replace(header, datalen=len(data))
    return header.pack() + table.ljust(SLOTS * DESCRIPTOR_SIZE, b"\0") + data


def named(kind: DataType, name: bytes, *, group: int = 1, link: int = 0) -> Descriptor:
    """A descriptor for `sif`."""
    return descriptor(datatype=kind, name=name.ljust(NAME_SIZE, b"\0"), group=group, link=link)


def sif_seeds() -> None:
    extra = pack_partition(FsType.EXT3, PartType.DATA, b"00\0")
    partition = replace(named(DataType.PARTITION, b"sifprov:output:/Outputs"), extra=extra)
    json_object = named(DataType.JSON, b"metadata.json", group=2)
    bundled = named(DataType.JSON, b"metadata.bundle.json", group=2)
    first = origin_record(OUT).to_bytes()
    second = run_record().to_bytes()
    signature = named(DataType.SIGNATURE, b"signature", group=0, link=0xF0000001)
    put(
        "sif-load",
        empty=sif(),
        data=sif((partition, b"P" * 64)),
        signed=sif((partition, b"P" * 64), (json_object, b"{}"), (signature, b"S" * 16)),
    )
    put(
        "sif-records",
        record=sif((partition, b"P" * 16), (json_object, first)),
        records=sif((partition, b"P" * 16), (json_object, first), (json_object, second)),
        bundle=sif((bundled, pack([first, second])), (json_object, second)),
        signed=sif((json_object, first), (signature, b"S"), (json_object, b"sifprov.record/1")),
    )
    put(
        "sif-append",
        room=sif((partition, b"P" * 16), (json_object, first)),
        full=sif((partition, b"P" * 16), (json_object, first), (json_object, second),
                 (json_object, b"sifprov.record/1")),
        bundles=sif((bundled, pack([first])), (json_object, second), (bundled, pack([second])),
                    (partition, b"P")),
        empty=sif(),
    )  # fmt: skip
    (embedded,) = pack_lineage([first])
    lineage = named(DataType.JSON, b"metadata.lineage.json", group=2)
    put("sif-records", lineage=sif((partition, b"P"), (lineage, embedded), (json_object, second)))
    put("sif-append", lineage=sif((lineage, embedded), (json_object, first), (lineage, embedded)))
    digest = "sha256:" + hashlib.sha256(b"P" * 64).hexdigest()
    objects = [{"relativeId": 0, "objectDigest": digest}]
    message = json.dumps({"version": 1, "objects": objects}).encode()
    clear = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
    put(
        "signature",
        clear=clear + message + b"\n-----BEGIN PGP SIGNATURE-----\n",
        envelope=json.dumps({"payload": base64.b64encode(message).decode()}).encode(),
    )
    put("bundle", two=pack([b"one", b"second"]), one=pack([bytes(100)]))
    put("lineage", records=pack_lineage([first, second])[0], one=pack_lineage([bytes(100)])[0])
    put("declaration", output=b"sifprov:output:/Outputs", odd=b"sifprov:input:/a:\xff\0rest")


def document_seeds() -> None:
    put("record", run=run_record().to_bytes(), origin=origin_record().to_bytes())
    for path in sorted((HERE.parent / "golden").glob("record-v1-*.json")):
        put("record", **{path.stem: path.read_bytes()})
    put(
        "canonical",
        values=dumps({"a": [1, None, True, "é\U0001d11e"], "b": {"c": -5}}),
        escapes=b'{"\\u0000\\ud834\\udd1e":"\\n\\u20ac"}',
        odd=b'[1.5, 1e400, 12345678901234567890, {"a":1,"a":2}, "\\ud800"]',
    )

    def raw(text: bytes) -> str:
        return base64.b64encode(text).decode()

    start = {
        "schema": "sifprov.capture-request/1", "event": "start",
        "captured_by": {"kind": "plugin", "version": "0.1.0"},
        "runtime": {"name": "singularity-ce", "version": "4.3.3"},
        "argv": [raw(b"singularity"), raw(b"exec"), raw(b"\xff")], "command": None,
        "cwd": raw(b"/home"), "started": "2026-11-21T14:00:00.123456789Z",
        "environment": {"LANG": "C"}, "image": raw(b"/app.sif"),
        "binds": [{"source": raw(b"/d.sif"), "destination": raw(b"/D"), "image_src": raw(b"/D"),
                   "id": "2", "ro": False, "ro_added": False}],
        "images": [{"path": raw(b"/d.sif"), "writable": True, "usage": 4, "type": 4}],
        "instance": False, "fakeroot": False, "timeout_seconds": 300,
    }  # fmt: skip
    end = {"event": "end", "ended": "2026-11-21T14:00:01Z", "started_process": True,
           "exit_code": 0, "signal": None}  # fmt: skip
    put("request", start=json.dumps(start).encode(), end=json.dumps(end).encode(),
        running=b'{"event": "running"}\n')  # fmt: skip
    somewhere = Where("node7", "0b70f7a9-fbdc-4f51-99a1-e540e02d468b", Process(411, 9), None)
    for name, one in (("start", livequeue.start()), ("end", livequeue.end())):
        put("report", **{name: replace(one, where=somewhere).to_bytes()})


def stored_seeds() -> None:
    """Sidecars, logs, telemetry, annotations."""
    run, origin = run_record(), origin_record(OUT)
    lines = b"".join(r.to_bytes() + b"\n" for r in (origin, run))
    put("sidecar", two=lines, cut=lines + run.to_bytes()[:100], other=origin_record().to_bytes()
        + b"\n", broken=lines + b"{}\n\n" + lines)  # fmt: skip
    ancestor = origin_record().to_bytes()
    lineage = Lineage({record_digest(ancestor): ancestor}).objects(())
    put("sidecar", lineage=b"".join(line + b"\n" for line in (*lineage, run.to_bytes())))
    words = make(["detector 3 was off"], ["paper=draft-2", "sample=7"], ["r2=0.93", "n=-4e9"])
    put("annotation", words=dumps(words.to_json()), note=dumps(make(["é"]).to_json()))
    put("annotation-typed", all=b"a note\0paper=draft-2,sample=7\0r2=0.93", odd=b"\0a,=,b=\0x=y")
    collector = Collector(100, ("stdout", "stderr"))
    for n in range(30):
        collector.add(("stdout", "stderr")[n % 2], b"line %d\n" % n)
    whole = Collector(1000, ("both",))
    whole.add("both", b"\xff one\n")
    put("log", cut=collector.log().to_bytes(), whole=whole.log().to_bytes())
    columns = (("time_us", (50_000, 100_000, 1_000_000)), ("user_us", (0, 40_000, 900_000)),
               ("system_us", (0, 0, 10_000)), ("memory_bytes", (4096, 40_960, 8192)),
               ("network_sent_bytes", (0, 0, 7)))  # fmt: skip
    measured = Telemetry(1_000_000, "/proc", "host", columns)
    put("telemetry", five=measured.to_bytes(),
        time=Telemetry(1, "cgroup v2", None, columns[:1]).to_bytes())  # fmt: skip
    put("log-collector", pieces=b"\x20" + b"\xff".join(b"%d\xc3\xa9" % n for n in range(30)),
        none=b"\0\xff1text",
        cut=b"\xa0" + b"\xff".join(bytes([n]) * 9 for n in range(40)))  # fmt: skip


def files_seeds() -> None:
    """Lists of files."""
    lines = BASE.lines
    odd = (b"b 600 - 8:1f a", b"c 666 - 1:3 b", b"d 1777 - - c", b"s 700 - - c/\xff\n d")
    put("files-lines", base=b"\0".join((*lines, b"")), odd=b"\0".join((*odd, b"")))
    more = Manifest.from_lines([*lines[:2], b"f 600 2 " + b"1" * 64 + b" d/c", *lines[3:]])
    put("files", whole=store(BASE).to_bytes(), delta=store(more, BASE.lines, 1).to_bytes(),
        odd=store(Manifest.from_lines(odd)).to_bytes())  # fmt: skip


def picture_seeds() -> None:
    head = b"\0\0\0\2\0\0\0\3"
    rows = {
        "grey": (b"\x08\0\0\0\0", b"\0\1\2" * 3),
        "colour": (b"\x08\2\0\0\0", (b"\1" + bytes(6)) * 3),
        "opaque": (b"\x08\6\0\0\0", (b"\4" + bytes(8)) * 3),
        "palette": (b"\2\3\0\0\0", b"\0\x10" * 3),
        "deep": (b"\x10\0\0\0\0", (b"\2" + bytes(4)) * 3),
    }
    for name, (kind, data) in rows.items():
        palette = [(b"PLTE", bytes(12)), (b"tRNS", b"\0")] if name == "palette" else []
        chunks = [(b"IHDR", head + kind), *palette, (b"tEXt", b"a\0b")]
        put("picture", **{name: chunked([*chunks, (b"IDAT", zlib.compress(data))])})


def text_seeds() -> None:
    secrets = (
        b"curl\0--token\0abc\0-H\0Authorization: Bearer abcdefgh1234",
        b"--env\0DB_PASS=x,LANG=C\0https://user:pw@host/",
        b"sh\0-c\0X=1 curl --api-key 'a b' \"c\" && wget --password=\\q",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        b"ghp_abcdefghijklmnopqrstuvwxyz\0?sig=abc\0Cookie: a=b\0--pwd\0/x\0--passphrase\0app.sif",
    )
    put("redact", **{f"secret{n}": text for n, text in enumerate(secrets)})
    put("redact-time", **{f"secret{n}": bytes([12, 6]) + s[:40] for n, s in enumerate(secrets)})
    lines = {
        "exec": b"singularity\0-c\0x\0exec\0-ceB\0a.sif:/I:image-src=/I,ro,b:/b\0--pwd=/I\0x\0ls",
        "shell": b"apptainer\0shell\0-s\0/bin/sh\0--\0app.sif",
        "mount": b"apptainer\0run\0--mount\0source=a,image-src=/I\0--bind\0id=2\0a.sif\0--",
    }
    put("argv", **lines)
    put(
        "terminal", ascii=b"plain text", escape="\x1b[2Jé\u202e\U000e0041".encode(),
        bytes=b"\xff\x80\x9b1m", wide="a\u200b\U0001d11e".encode("utf-32-le"),
    )  # fmt: skip
    line = b"36 35 7:0 / /mnt\\040x rw,noatime - ext3 /dev/loop0 rw\n"
    fuse = b"40 35 0:50 / /x/session/data-images/3 rw - fuse.fuse2fs fuse2fs rw\n"
    put("mounts", one=line, fuse=fuse, two=b"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n" + line * 2)
    put("typed", size=b"1.5GiB", mount=b"/Inputs//a", plain=b"4096")


def tree(top: Path) -> None:
    """One of every kind of file that a user can make."""
    (top / "empty").mkdir()
    (top / "folder").mkdir()
    (top / "folder" / "file").write_bytes(b"content\n" * 40)
    (top / "large").write_bytes(os.fsencode("zeros and ones") * 1100)
    os.symlink("folder/file", top / "link")
    os.symlink("x" * 100, top / "longlink")
    os.link(top / "folder" / "file", top / "hard")
    os.mkfifo(top / "fifo")
    with (top / "sparse").open("wb") as file:
        file.seek(40_000)
        file.write(b"end")
    for path in [top, *top.rglob("*")]:
        os.utime(path, (NOW, NOW), follow_symlinks=False)


def filesystem_seeds(scratch: Path) -> None:
    source, image = scratch / "source", scratch / "image"
    source.mkdir()
    tree(source)
    size = 96 * 1024
    image.write_bytes(bytes(size))
    subprocess.run(
        ["mke2fs", "-q", "-F", "-b", "1024", "-I", "256", "-N", "24", "-m", "0",
         "-U", str(OUT), "-E", f"hash_seed={OUT},root_owner=0:0",
         "-O", "none,filetype,sparse_super", "-d", str(source), str(image)],
        check=True,
        env={**os.environ, "MKE2FS_CONFIG": "/dev/null", "E2FSPROGS_FAKE_TIME": str(NOW)},
    )  # fmt: skip
    with image.open("r+b") as file:
        # mke2fs copies the source's ctime, which nobody can set.
        inodes = Inodes(file.fileno(), 0)
        for number in list(inodes.used()):
            inode = inodes.read(number)
            put_time(inode, "ctime", NOW * 10**9)
            inodes.write(number, inode)
    (HERE / "base.ext3.gz").write_bytes(gzip.compress(image.read_bytes(), 9, mtime=0))
    with Debugfs(image) as fs:
        session = fs._session
        put("debugfs-ls", root=session.command("ls -p <2>", 1 << 20), empty=b"\n")
        kinds = {e.name.decode(): session.command(f"stat <{e.ino}>", 1 << 20)
                 for _, e in fs.walk() if b"+" not in e.name}  # fmt: skip
    # The target asks for one inode number.
    put("debugfs-stat", **{k: re.sub(rb"\AInode: \d+", b"Inode: 12", v) for k, v in kinds.items()})
    block = (60 * 1024).to_bytes(2, "little")
    for target in ("ext3-tables", "ext3-debugfs"):
        put(target, same=b"\0\0\0\0", superblock=b"\x18\x04\0\1", block=block + b"\3\1\2\3\4")
    for compressor in ("gzip", "xz", "lzo", "lz4", "zstd", "lzma"):
        packed = scratch / compressor
        subprocess.run(
            ["mksquashfs", str(source), str(packed), "-quiet", "-no-progress", "-nopad",
             "-noappend", "-comp", compressor, "-mkfs-time", "0", "-processors", "1", "-no-xattrs",
             "-b", "4096"],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        put("squashfs", **{compressor: packed.read_bytes()})
    # Metadata as it is: changes reach the reader, not only the decompressor.
    for name, more in (("plain", ["-noF"]), ("blocks", ["-no-fragments"])):
        packed = scratch / name
        subprocess.run(
            ["mksquashfs", str(source), str(packed), "-quiet", "-no-progress", "-nopad",
             "-noappend", "-noI", *more, "-mkfs-time", "0", "-processors", "1", "-no-xattrs",
             "-b", "4096"],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        put("squashfs", **{name: packed.read_bytes()})


def workflow_seeds() -> None:
    step = {
        "activity": "a", "application": "app.sif", "command": ["sh", "-c", "x"],
        "inputs": [{"file": "raw.sif", "mount": "/In"}], "tags": {"t": "1"}, "cpus": 2,
        "outputs": [{"name": "a", "path": "a.sif", "mount": "/A", "free": "4M"}],
        "environment": {"RATE": "1"}, "options": ["--nv"], "memory": "2G", "minutes": 5,
    }  # fmt: skip
    behind = {
        "activity": "b", "application": "app.sif", "action": "run", "inputs": [{"output": "a"}],
        "outputs": [{"name": "b", "layout": "output"}],
    }  # fmt: skip
    ours = {"schema": "sifprov.workflow/1", "name": "w", "composition": "hybrid",
            "steps": [step, behind]}  # fmt: skip
    prototype = {
        "WorkflowName": "w", "ApplicationContainer": {"Name": "knn", "InPath": "knn.def"},
        "InputContainer": [{"Name": "train", "InPath": "data", "Size": 2097152}],
        "OutputContainer": {"Name": "predictions", "Size": 33554432},
    }  # fmt: skip
    provdeploy = {
        "workflow": "w", "path": "example", "machine": "local",
        "act": [{"code": ["a.py", "b.py"], "image": "one", "exec_command": "python a.py"},
                {"code": "c.py", "image": "two", "exec_command": "python c.py"}],
    }  # fmt: skip
    put("workflow", **{name: json.dumps(each).encode() for name, each in (
        ("ours", ours), ("prototype", prototype), ("provdeploy", provdeploy))})  # fmt: skip
    ident = "00000000-0000-4000-8000-000000000001"
    output = {"name": "a", "path": "/a.sif", "record": ident, "digest": "sha256:" + "1" * 64,
              "content": None}  # fmt: skip
    ended = {"activity": "a", "state": "done", "why": "", "exit_code": 0, "milliseconds": 5,
             "outputs": [output]}  # fmt: skip
    whole = {
        "schema": "sifprov.workflow-run/1", "id": ident, "workflow": ours, "folder": "/x",
        "composition": "hybrid", "started": "2026-01-01T00:00:00Z", "steps": [ended],
        "engine": {"name": "snakemake", "version": "9", "executor": "local"},
        "ended": "2026-01-01T00:00:01Z", "state": "complete", "version": "0.1.0",
    }  # fmt: skip
    state = {**ended, "schema": "sifprov.workflow-step/1", "number": 1, "execution": ident}
    wanted = {
        "schema": "sifprov.replay-options/1", "container": "a.sif", "into": "/b.sif", "cwd": "/",
        "search": ["/x"], "inputs": [], "applications": [], "arguments": ["a=b"], "record": "",
        "from_origin": True, "force": False, "metadata": "", "runtime": None,
    }  # fmt: skip
    put("workflow-run", **{name: json.dumps(each).encode() for name, each in (
        ("whole", whole), ("state", state), ("wanted", wanted))})  # fmt: skip


def main() -> None:
    sif_seeds()
    document_seeds()
    stored_seeds()
    files_seeds()
    picture_seeds()
    text_seeds()
    workflow_seeds()
    with tempfile.TemporaryDirectory() as scratch:
        filesystem_seeds(Path(scratch))


if __name__ == "__main__":
    main()
