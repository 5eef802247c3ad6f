"""Builds a corpus of SIF files with the real tools, each in another state that they can leave.

    python -m tests.corpus.build RUNTIME APP.sif FOLDER

RUNTIME is singularity or apptainer, APP.sif any application container. What cannot be built on
this machine is printed with the reason. Needs no network.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

LEGACY_DATA = 32768
TABLE, SIZE = 4096, 585


class CannotBuildError(Exception):
    """A file of the corpus that this machine cannot make; the text says why."""


@dataclass(frozen=True)
class Tools:
    """The runtime, an application container, and a folder for what is needed on the way."""

    runtime: str
    app: Path
    work: Path

    def __call__(self, *argv: str | Path) -> str:
        """Runs the runtime; returns its standard output."""
        done = subprocess.run(
            [self.runtime, *argv],
            env={**os.environ, "PATH": f"{os.environ['PATH']}:{self.work / 'bin'}",
                 "SINGULARITY_DISABLE_CACHE": "1", "APPTAINER_DISABLE_CACHE": "1",
                 "SINGULARITY_SYPGPDIR": str(self.work / "keys"),
                 "APPTAINER_KEYSDIR": str(self.work / "keys")},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        if done.returncode:
            raise CannotBuildError((done.stderr.strip() or done.stdout.strip())[-300:])
        return done.stdout

    def object(self, size: int) -> Path:
        """A file with `size` bytes that look random."""
        path = self.work / f"object-{size}"
        data = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(size // 32 + 1))
        path.write_bytes(data[:size])
        return path

    def add(self, sif: Path, size: int, kind: int, *options: str | int) -> None:
        """Adds an object of this type."""
        words = map(str, options)
        self("sif", "add", "--datatype", str(kind), *words, sif, self.object(size))

    def new(self, sif: Path) -> None:
        self("sif", "new", sif)


def empty(t: Tools, sif: Path) -> None:
    t.new(sif)


def every_type(t: Tools, sif: Path) -> None:
    t.new(sif)
    for kind in (1, 2, 3, 6, 7):
        t.add(sif, 100 + kind, kind, "--filename", f"object {kind}")
    t.add(sif, 200, 8)
    t.add(sif, 300, 10)
    t.add(sif, 301, 11)


def every_sbom(t: Tools, sif: Path) -> None:
    t.new(sif)
    for name in ("cyclonedx-json", "cyclonedx-xml", "github-json", "spdx-json", "spdx-rdf",
                 "spdx-tag-value", "spdx-yaml", "syft-json"):  # fmt: skip
        t.add(sif, 50, 9, "--sbomformat", name)


def every_signature(t: Tools, sif: Path) -> None:
    t.new(sif)
    for number in range(1, 6):
        t.add(sif, 70, 5, "--signhash", number, "--signentity",
              "433FE984155206BD962725E20E8713472A879943")  # fmt: skip


def every_partition(t: Tools, sif: Path) -> None:
    t.new(sif)
    arch = 0
    for fs in range(1, 5):
        for part in (1, 3, 4):
            arch = arch % 12 + 1
            t.add(sif, 5000 + fs, 4, "--partfs", fs, "--parttype", part, "--partarch", arch)
    t.add(sif, 9000, 4, "--partfs", 1, "--parttype", 2, "--partarch", 2)


def groups_and_links(t: Tools, sif: Path) -> None:
    t.new(sif)
    for group in (1, 2, 2, 9, 0x0FFFFFFF):
        t.add(sif, 64, 7, "--groupid", group)
    for link in (1, 3, 0xF0000002):
        t.add(sif, 65, 7, "--link", link)


def names(t: Tools, sif: Path) -> None:
    t.new(sif)
    for name in ("a" * 127, "name with spaces", "naïve-日本語", "a\\b'c\"", "metadata.json"):
        t.add(sif, 10, 6, "--filename", name)


def alignments(t: Tools, sif: Path) -> None:
    t.new(sif)
    for size, alignment in ((1, 1), (3, 7), (10, 4096), (4097, 65536), (5, 0)):
        t.add(sif, size, 7, "--alignment", alignment)


def empty_objects(t: Tools, sif: Path) -> None:
    t.new(sif)
    t.add(sif, 6, 7)
    t.add(sif, 0, 7)
    t.add(sif, 0, 4, "--partfs", 1, "--parttype", 3, "--partarch", 2)
    t.add(sif, 0, 7, "--alignment", 1 << 21)


def full(t: Tools, sif: Path) -> None:
    t.new(sif)
    for _ in range(48):
        t.add(sif, 33, 7)


def deleted(*which: int) -> Callable[[Tools, Path], None]:
    def build(t: Tools, sif: Path) -> None:
        t.new(sif)
        for size in (100, 200, 300, 400):
            t.add(sif, size, 7, "--groupid", 1)
        for number in which:
            t("sif", "del", str(number), sif)

    return build


def slot_used_again(t: Tools, sif: Path) -> None:
    deleted(2, 3)(t, sif)
    t.add(sif, 77, 6)


def application(t: Tools, sif: Path) -> None:
    shutil.copy(t.app, sif)


def built(t: Tools, sif: Path) -> None:
    """An application that `build` makes of a folder."""
    root = t.work / f"root-{sif.stem}"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "x").write_text("x")
    t("build", sif, root)


def primary_moved(t: Tools, sif: Path) -> None:
    every_partition(t, sif)
    t("sif", "setprim", "1", sif)


def with_overlay(t: Tools, sif: Path) -> None:
    shutil.copy(t.app, sif)
    t("overlay", "create", "--size", "64", sif)


def _key(t: Tools) -> None:
    if not (t.work / "keys" / "pgp-secret").exists():
        t("key", "newpair", "--name", "x", "--email", "x@example.org", "--comment", "x",
          "--password", "", "--push=false", "--bit-length", "2048")  # fmt: skip


def signed(t: Tools, sif: Path) -> None:
    _key(t)
    shutil.copy(t.app, sif)
    t("sign", sif)


def signed_twice(t: Tools, sif: Path) -> None:
    _key(t)
    groups_and_links(t, sif)
    t("sign", "--group-id", "2", sif)
    t("sign", "--sif-id", "1", sif)
    t("sign", "--group-id", "2", sif)


def signed_by_pem(t: Tools, sif: Path) -> None:
    key = t.work / "key.pem"
    subprocess.run(
        ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    groups_and_links(t, sif)
    t("sign", "--key", key, sif)


def encrypted(t: Tools, sif: Path) -> None:
    """Needs device-mapper."""
    pem, public = t.work / "rsa.pem", t.work / "rsa-public.pem"
    commands: tuple[list[str | Path], ...] = (
        ["openssl", "genrsa", "-traditional", "-out", pem, "2048"],
        ["openssl", "rsa", "-in", pem, "-RSAPublicKey_out", "-out", public],
    )
    for argv in commands:
        subprocess.run(argv, check=True, capture_output=True, timeout=60)
    t("build", "--encrypt", "--pem-path", public, sif, t.app)


def encrypted_by_hand(t: Tools, sif: Path) -> None:
    """What `build --encrypt` leaves, in the descriptors: the file system's type is changed."""
    t.new(sif)
    t.add(sif, 9000, 4, "--partfs", 1, "--parttype", 2, "--partarch", 2, "--groupid", 1)
    t.add(sif, 344, 8, "--link", 1)
    with sif.open("r+b") as file:
        file.seek(TABLE + 201)
        file.write(struct.pack("<i", 5))  # encrypted squashfs
        file.seek(TABLE + SIZE + 201)
        file.write(struct.pack("<ii", 2, 0x200))  # PEM, RSA-OAEP


def oci(t: Tools, sif: Path) -> None:
    """An OCI-SIF of a small image in an OCI layout."""
    # `pull` wants to find an OCI runtime, and does not start it.
    (t.work / "bin").mkdir()
    (t.work / "bin" / "runc").symlink_to("/bin/false")
    layout = t.work / "layout"
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(data: bytes, kind: str) -> dict[str, object]:
        value = hashlib.sha256(data).hexdigest()
        (blobs / value).write_bytes(data)
        return {"mediaType": kind, "digest": f"sha256:{value}", "size": len(data)}

    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        info = tarfile.TarInfo("hello")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"hello"))
    image = "application/vnd.oci.image."
    layer = blob(tar.getvalue(), image + "layer.v1.tar")
    config = {
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/hello"]},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    }  # fmt: skip
    manifest = {
        "schemaVersion": 2, "mediaType": image + "manifest.v1+json",
        "config": blob(json.dumps(config).encode(), image + "config.v1+json"), "layers": [layer],
    }  # fmt: skip
    entry = blob(json.dumps(manifest).encode(), image + "manifest.v1+json")
    index = {"schemaVersion": 2, "mediaType": image + "index.v1+json", "manifests": [entry]}
    (layout / "index.json").write_text(json.dumps(index))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    t("pull", "--oci", sif, f"oci:{layout}")


def _moved(source: Path, sif: Path, capacity: int, offset: int) -> None:
    """Lays a SIF out anew, as other versions of the library did: another table, another start."""
    data = bytearray(source.read_bytes())
    head, count = data[:TABLE], struct.unpack_from("<q", data, 88)[0]
    old = struct.unpack_from("<q", data, 112)[0]
    table = bytearray(data[TABLE : TABLE + min(count, capacity) * SIZE])
    used = 0
    for at in range(0, len(table), SIZE):
        if table[at + 4]:
            used += 1
            place = struct.unpack_from("<q", table, at + 17)[0] - old + offset
            struct.pack_into("<q", table, at + 17, place)
    struct.pack_into("<4q", head, 80, capacity - used, capacity, TABLE, capacity * SIZE)
    struct.pack_into("<q", head, 112, offset)
    sif.write_bytes(bytes(head) + bytes(table).ljust(offset - TABLE, b"\0") + bytes(data[old:]))


def laid_out(capacity: int, offset: int) -> Callable[[Tools, Path], None]:
    def build(t: Tools, sif: Path) -> None:
        source = t.work / f"source-{sif.name}"
        groups_and_links(t, source)
        _moved(source, sif, capacity, offset)

    return build


CORPUS: dict[str, Callable[[Tools, Path], None]] = {
    "empty": empty,
    "every-type": every_type,
    "every-sbom": every_sbom,
    "every-signature": every_signature,
    "every-partition": every_partition,
    "groups-and-links": groups_and_links,
    "names": names,
    "alignments": alignments,
    "empty-objects": empty_objects,
    "full": full,
    "first-deleted": deleted(1),
    "middle-deleted": deleted(2, 3),
    "last-deleted": deleted(4),
    "all-deleted": deleted(1, 2, 3, 4),
    "slot-used-again": slot_used_again,
    "application": application,
    "built": built,
    "primary-moved": primary_moved,
    "overlay": with_overlay,
    "signed": signed,
    "signed-twice": signed_twice,
    "signed-by-pem": signed_by_pem,
    "encrypted": encrypted,
    "encrypted-by-hand": encrypted_by_hand,
    "oci": oci,
    "data-at-32768": laid_out(48, LEGACY_DATA),
    "capacity-10": laid_out(10, TABLE + 10 * SIZE),
    "capacity-1000": laid_out(1000, 1 << 20),
}


def build(runtime: str, app: Path, folder: Path) -> Iterator[tuple[str, Path | CannotBuildError]]:
    """Builds the corpus in `folder`; yields each file, or why there is none, by its name."""
    work = folder / "work"
    work.mkdir(parents=True)
    tools = Tools(runtime, app, work)
    for name, make in CORPUS.items():
        path = folder / f"{name}.sif"
        try:
            make(tools, path)
        except CannotBuildError as error:
            yield name, error
        else:
            yield name, path


def main() -> int:
    """Builds it; the exit code is 1 when nothing at all could be built."""
    runtime, app, folder = sys.argv[1:]
    built_ = 0
    for name, made in build(runtime, Path(app), Path(folder)):
        if isinstance(made, Path):
            built_ += 1
            print(f"{name}: {made}")
        else:
            print(f"{name}: cannot be built here: {made}")
    return 0 if built_ else 1


if __name__ == "__main__":
    sys.exit(main())
