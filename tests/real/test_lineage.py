"""The last container tells the whole way back when every ancestor is gone: both ways, on either
runtime, as root and as an ordinary user."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
import zlib
from pathlib import Path

from sifprov.embedded import read_embedded
from sifprov.groups import is_lineage
from sifprov.model.record import Record
from sifprov.records import read_records
from sifprov.sif import open_image
from tests.real.job import COPY, Job
from tests.real.wrapjob import WrapJob

MORE = "cat /Inputs/*.txt > /Outputs/more.txt; cat /Inputs/*.txt /Inputs/*.txt > /Outputs/twice.txt"


def stored(path: Path) -> dict[str, bytes]:
    """The container's own records, as they are stored, by digest."""
    with open_image(str(path)) as (file, image):
        found = {s.digest: s.record.to_bytes() for s in read_records(file, image) if s.record}
    assert all(digest == "sha256:" + hashlib.sha256(d).hexdigest() for digest, d in found.items())
    return found


def embedded(path: Path) -> dict[str, bytes]:
    with open_image(str(path)) as (file, image):
        found = read_embedded(file, image)
    assert not found.errors
    return {d: data for d, data in found.documents.items() if b"sifprov.record/1" in data}


def output(job: Job, name: str) -> None:
    job.cli("data", "create", "-q", name, "--free", "1M", "--mount", "/Outputs").expect()


def binds(source: str, target: str) -> tuple[str, str]:
    folder = "/Inputs" if source.startswith("input") else "/Outputs"
    return (f"{source}:/Inputs:image-src={folder},ro", f"{target}:/Outputs:image-src=/Outputs")


def through_three(job: Job) -> dict[str, bytes]:
    """input -> output -> second, sealed -> third; then all but the last is deleted. Returns what
    those carried."""
    output(job, "second.sif")
    output(job, "third.sif")
    job.exec("sh", "-c", COPY).expect()
    job.exec("sh", "-c", MORE, binds=binds("output.sif", "second.sif")).expect()
    job.cli("data", "seal", "-q", "second.sif").expect()
    last = job.exec("sh", "-c", MORE, binds=binds("second.sealed.sif", "third.sif")).expect()
    assert "sifprov" not in last.stderr
    gone = ["input.sif", "output.sif", "second.sif", "second.sealed.sif"]
    carried = {d: data for name in gone for d, data in stored(job.path(name)).items()}
    for name in gone:
        job.path(name).unlink()
    return carried


def check(job: Job) -> None:
    carried = through_three(job)
    third = job.path("third.sif")
    # An origin, two runs, and the sealed container's own origin; byte for byte.
    assert len(carried) == 4
    assert embedded(third) == carried
    records = {d: Record.from_bytes(data) for d, data in (stored(third) | carried).items()}
    named = {c.record for r in records.values() for c in r.containers} - {None}
    assert named == set(carried)
    job.check_file_system("third.sif")
    by_the_runtime(job, carried)
    trail = json.loads(job.cli("trail", "--json", "third.sif").expect().stdout)
    assert all(digest in json.dumps(trail) for digest in carried)
    # A second run on the same inputs adds nothing: there are none any more that it could read.
    info = json.loads(job.cli("data", "info", "--json", "third.sif").expect().stdout)
    assert info["lineage"]["objects"] == 1 and info["lineage"]["broken"] == 0


def by_the_runtime(job: Job, carried: dict[str, bytes]) -> None:
    """As docs/formats.md says it, by standard tools alone."""
    # The object behind the partition.
    done = job.run([job.runtime, "sif", "dump", "2", "third.sif"]).expect()
    document = json.loads(done.stdout)
    assert document["schema"] == "sifprov.lineage/1"
    whole = zlib.decompress(base64.b64decode(document["data"]))
    assert document["digest"] == "sha256:" + hashlib.sha256(whole).hexdigest()
    pieces, at = [], 0
    for size in document["sizes"]:
        pieces.append(whole[at : at + size])
        at += size
    assert set(carried.values()) <= set(pieces) and at == len(whole)


def test_by_the_plugin(either: Job) -> None:
    check(either)


def test_by_the_wrapper(wrap_job: WrapJob) -> None:
    check(wrap_job)


def test_a_second_run_adds_the_record_alone(job: Job) -> None:
    job.exec("sh", "-c", COPY).expect()
    first = job.objects("output.sif")
    job.exec("sh", "-c", COPY).expect()
    assert len(job.objects("output.sif")) == len(first) + 1
    assert embedded(job.path("output.sif")) == stored(job.path("input.sif"))


def test_a_replay_holds_what_it_replayed(job: Job) -> None:
    job.exec("sh", "-c", COPY).expect()
    job.cli("rerun", "-q", "output.sif").expect(0)
    ancestors = stored(job.path("input.sif")) | stored(job.path("output.sif"))
    assert embedded(job.path("output.rerun-1.sif")) == ancestors


def test_one_place_for_all_records(job: Job) -> None:
    """The second run's input carries nothing itself: its record stands in that place."""
    output(job, "second.sif")
    meta = {"SIFPROV_METADATA": "meta.sif"}
    job.exec("sh", "-c", COPY, env=meta).expect()
    job.exec("sh", "-c", MORE, binds=binds("output.sif", "second.sif"), env=meta).expect()
    (first, record), (_, second) = stored(job.path("meta.sif")).items()
    (used,) = Record.from_bytes(second).with_role("input")
    assert used.record == first
    assert embedded(job.path("meta.sif")) == stored(job.path("input.sif"))
    # A run that names no such place tells the whole way in its own output.
    output(job, "third.sif")
    job.exec("sh", "-c", MORE, binds=binds("output.sif", "third.sif")).expect()
    assert embedded(job.path("third.sif")) == {**stored(job.path("input.sif")), first: record}


def test_a_record_that_waits_brings_it_along(job: Job) -> None:
    """The input is gone by the time the record is delivered."""
    ancestors = stored(job.path("input.sif"))
    folder = str(job.path("."))
    wait = f"{COPY}; touch ready; while [ ! -e go ]; do sleep 0.05; done"
    done = []

    def run() -> None:
        options = ("-B", folder, "--pwd", folder)
        done.append(job.exec("sh", "-c", wait, options=options))

    running = threading.Thread(target=run)
    running.start()
    while not job.path("ready").exists() and running.is_alive():
        time.sleep(0.05)
    time.sleep(1)  # in which the helper reads what the input carries
    job.path("output.sif").rename(job.path("away.sif"))
    job.path("go").touch()
    running.join()
    assert "waits in" in done[0].expect().stderr
    job.path("input.sif").unlink()
    job.path("away.sif").rename(job.path("output.sif"))
    job.cli("flush").expect()
    assert len(stored(job.path("output.sif"))) == 1
    assert embedded(job.path("output.sif")) == ancestors


def test_it_is_signed_with_the_records(job: Job) -> None:
    keys = {"SINGULARITY_SYPGPDIR": str(job.path("keys"))}
    job.run(
        [job.runtime, "key", "newpair", "--name", "test", "--email", "test@example.org",
         "--comment", "test", "--password", "", "--push=false", "--bit-length", "2048"],
        env=keys, timeout=60,
    ).expect()  # fmt: skip
    job.exec("sh", "-c", COPY).expect()
    before = embedded(job.path("output.sif"))
    sign = [job.sifprov, "sign", "--runtime", job.runtime, "--records-only", "output.sif"]
    assert job.run(sign, env=keys, timeout=60).expect().stdout == "signed: group 2\n"

    def verify(group: str) -> int:
        argv = [job.runtime, "verify", "--local", "-g", group, "output.sif"]
        return job.run(argv, env=keys, timeout=60).code

    assert verify("2") == 0 and before
    # More lineage comes into a group of its own.
    output(job, "second.sif")
    job.exec("sh", "-c", "echo > /Outputs/a", binds=binds("input.sif", "second.sif")).expect()
    job.exec("sh", "-c", "cp /Inputs/a /Outputs", binds=binds("second.sif", "output.sif")).expect()
    assert verify("2") == 0
    assert set(embedded(job.path("output.sif"))) == set(before) | set(
        stored(job.path("second.sif"))
    )
    with open_image(str(job.path("output.sif"))) as (_, image):
        groups = sorted(d.group for d in image.descriptors if is_lineage(d))
        assert groups == [2, 3]
    # A byte of the signed lineage is seen.
    (first,) = [d for d in image.descriptors if is_lineage(d) and d.group == 2]
    with job.path("output.sif").open("r+b") as file:
        file.seek(first.offset + 20)
        file.write(b"Z")
    assert verify("2") != 0
