"""verify on real containers: filled by runs on either runtime, signed with a real key, and then
changed in every way that a signature is to show."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sifprov.frozen import replace
from sifprov.groups import by_offset
from sifprov.model.canonical import record_digest
from sifprov.model.record import Record
from sifprov.sif import DataType, Descriptor, open_image, read_object
from sifprov.sif.format import EXTRA_OFFSET, USED_OFFSET, counters, own_digest
from tests.real.job import COPY
from tests.real.wrapjob import WrapJob


def keys(job: WrapJob, folder: str = "keys") -> dict[str, str]:
    """A key ring of its own."""
    name = "APPTAINER_KEYSDIR" if job.is_apptainer else "SINGULARITY_SYPGPDIR"
    return {name: str(job.path(folder))}


def verify(
    job: WrapJob, *options: str | Path, ring: str = "keys", path: str | Path = "output.sif"
) -> dict[str, Any]:
    """The report, of which the exit code is the verdict."""
    argv = [job.sifprov, "verify", "--json", "--runtime", job.runtime, *options, path]
    done = job.run(argv, env=job.env(keys(job, ring)), timeout=120)
    report: dict[str, Any] = json.loads(done.stdout)
    assert done.code == {"good": 0, "broken": 1, "incomplete": 3}[report["verdict"]], done.stderr
    assert done.stderr == ""
    return report


def check(report: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(c for c in report["checks"] if c["name"] == name)
    return found


def problems(report: dict[str, Any]) -> dict[str, str]:
    return {c["name"]: c["text"] for c in report["checks"] if c["verdict"] in ("broken", "missing")}


@pytest.fixture
def ran(wrap_job: WrapJob) -> WrapJob:
    """Two runs, the second of which used what the first made."""
    wrap_job.shell(COPY).expect()
    wrap_job.cli("data", "create", "second.sif", "--free", "1M", "--mount", "/Second").expect()
    binds = (
        "output.sif:/Outputs:image-src=/Outputs,ro", "second.sif:/Second:image-src=/Second",
    )  # fmt: skip
    script = "wc -l < /Outputs/copy.txt > /Second/lines.txt"
    wrap_job.exec("sh", "-c", script, binds=binds).expect()
    return wrap_job


def test_a_chain_of_runs_is_good(ran: WrapJob) -> None:
    for path in ("output.sif", "second.sif", "input.sif"):
        for options in ((), ("--full",)):
            report = verify(ran, *options, path=path)
            assert report["verdict"] == "good", problems(report)
    report = verify(ran, "--full", path="second.sif")
    # Of the first run's result, and of the input that only the first run knew.
    assert check(report, "ancestors")["text"] == "2 found and unchanged"
    assert check(report, "application")["text"] == "1 found and unchanged"
    ran.path("input.sif").unlink()
    assert "input.sif" in problems(verify(ran, path="second.sif"))["ancestors"]


def test_an_ordinary_run_that_nobody_recorded(ran: WrapJob) -> None:
    bind = "output.sif:/Outputs:image-src=/Outputs"
    ran.bare("-B", bind, ran.app, "sh", "-c", "echo more > /Outputs/more.txt").expect()
    report = verify(ran)
    found = check(report, "content")
    assert found["verdict"] == "broken"
    assert "after its newest record, by no recorded run" in found["text"]
    assert "Outputs/more.txt is new" in [f["text"] for f in found["findings"]]
    # Quick sees it of an ancestor too, by the times in it.
    report = verify(ran, path="second.sif")
    assert "its content is" in problems(report)["ancestors"]


@pytest.mark.not_for(user="root")
def test_a_byte_that_was_altered_from_outside(ran: WrapJob) -> None:
    path = ran.path("output.sif")
    at = path.read_bytes().index(b"one\ntwo\n")
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"0")
    report = verify(ran)
    found = check(report, "content")
    assert found["verdict"] == "broken" and "altered from outside" in found["text"]
    assert [f["text"] for f in found["findings"][1:]] == ["Outputs/copy.txt is changed"]
    assert verify(ran, path="second.sif")["verdict"] == "good"
    assert "ancestors" in problems(verify(ran, "--full", path="second.sif"))


def test_while_a_run_writes(ran: WrapJob) -> None:
    """The content cannot be read then, and verify says so."""
    here = str(ran.run.folder)
    script = "echo x > /Outputs/x; while [ ! -e go ]; do sleep 0.1; done"
    options = ("-B", here, "--pwd", here)
    run = threading.Thread(target=ran.exec, args=("sh", "-c", script), kwargs={"options": options})
    run.start()
    try:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            report = verify(ran)
            if report["verdict"] == "incomplete":
                break
        assert list(problems(report)) == ["content"]
        assert "not read: " in problems(report)["content"]
    finally:
        ran.path("go").touch()
        run.join(30)
    assert verify(ran)["verdict"] == "good"


@pytest.fixture
def signed(ran: WrapJob) -> WrapJob:
    """Three runs' records and the data, signed with a new key."""
    for _ in range(2):
        ran.shell(COPY).expect()
    new = [
        ran.runtime, "key", "newpair", "--name", "test", "--email", "test@example.org",
        "--comment", "test", "--password", "", "--push=false", "--bit-length", "2048",
    ]  # fmt: skip
    ran.run(new, env=ran.env(keys(ran)), timeout=60).expect()
    argv = [ran.sifprov, "sign", "--runtime", ran.runtime, "output.sif"]
    ran.run(argv, env=ran.env(keys(ran)), timeout=120).expect()
    return ran


@pytest.mark.not_for(user="root")
def test_who_signed_what(signed: WrapJob) -> None:
    report = verify(signed, "--signed")
    assert report["verdict"] == "good", problems(report)
    texts = [f["text"] for f in check(report, "signatures")["findings"]]
    assert "group 1 (the data): valid, by test (test) <test@example.org> " in texts[0]
    assert "group 2 (3 of 3 records): valid, by test (test) <test@example.org> " in texts[1]
    # Somebody else, without the key, sees that nothing was changed, but not by whom it is.
    report = verify(signed, ring="others")
    assert report["verdict"] == "good"
    assert check(report, "signatures")["verdict"] == "not checked"
    assert verify(signed, "--signed", ring="others")["verdict"] == "incomplete"


def records(path: Path) -> list[Descriptor]:
    with open_image(str(path)) as (_, image):
        return by_offset(image)


def drop(path: Path, gone: list[Descriptor]) -> None:
    """Takes objects away, as `sif del` does: the SIF stays sound."""
    with open_image(str(path), write=True) as (file, image):
        for item in gone:
            os.pwrite(file.fileno(), b"\0", image.header.place(item.slot) + USED_OFFSET)
        left = [d for d in image.descriptors if d not in gone]
        end = max(d.end for d in left)
        os.pwrite(file.fileno(), *counters(image.header, len(left), end, image.header.modified))


def rewrite(path: Path, change: Callable[[int, Record], Record]) -> None:
    """Writes the whole chain anew, with the digests that fit: no byte of it is wrong by itself."""
    previous = None
    with open_image(str(path), write=True) as (file, image):
        for number, item in enumerate(by_offset(image)):
            record = change(number, Record.from_bytes(read_object(file, item)))
            if number:
                # It is named twice: as the one before, and as what the output carried.
                its = tuple(
                    replace(c, record=previous) if c.uuid == record.container else c
                    for c in record.containers
                )
                record = replace(record, previous=previous, containers=its)
            data = record.to_bytes()
            assert len(data) == item.size
            previous = record_digest(data)
            os.pwrite(file.fileno(), data, item.offset)
            place = image.header.place(item.slot) + EXTRA_OFFSET
            os.pwrite(file.fileno(), own_digest(item.datatype, data), place)


def lie(number: int, record: Record) -> Record:
    assert record.run
    words = tuple(word.replace("Inputs", "Outfit") for word in record.run.argv)
    return replace(record, run=replace(record.run, argv=words)) if number == 0 else record


def test_what_an_unkeyed_chain_cannot_show_a_signature_does(signed: WrapJob) -> None:
    path, copy = signed.path("output.sif"), signed.path("copy.sif")
    shutil.copy2(path, copy)
    with open_image(str(path)) as (_, image):
        signatures = list(image.select(DataType.SIGNATURE))
    changes: list[Callable[[], None]] = [
        lambda: drop(path, records(path)[-1:]),
        lambda: drop(path, records(path)[-2:]),
        lambda: rewrite(path, lie),
    ]
    for change in changes:
        shutil.copy2(copy, path)
        change()
        for ring in ("keys", "others"):
            report = verify(signed, ring=ring)
            assert list(problems(report)) == ["signatures"], (change, ring, problems(report))
            assert report["verdict"] == "broken"
        # The chain alone is good, as it says of itself: nothing else names what was changed.
        drop(path, signatures)
        report = verify(signed)
        assert report["verdict"] == "good", problems(report)
        # So who wants signatures must ask for them.
        report = verify(signed, "--signed")
        assert report["verdict"] == "incomplete" and "signatures" in problems(report)
    # What was made from it still knows the record, and takes the copy for what it used.
    shutil.copy2(copy, path)
    drop(path, signatures)
    rewrite(path, lie)
    assert verify(signed, path="second.sif")["verdict"] == "good"
    copy.unlink()
    report = verify(signed, path="second.sif")
    assert "carries other records" in problems(report)["ancestors"]


@pytest.mark.not_for(user="root")
def test_a_signature_that_was_altered_is_never_good(signed: WrapJob) -> None:
    path = signed.path("output.sif")
    with open_image(str(path)) as (_, image):
        signatures = image.select(DataType.SIGNATURE)
    whole = path.read_bytes()
    for item in signatures:
        for at in (item.offset + 60, item.offset + item.size // 2, item.end - 80):
            changed = bytearray(whole)
            changed[at] ^= 1
            path.write_bytes(changed)
            assert verify(signed, "--signed")["verdict"] != "good", (item.id, at - item.offset)
    path.write_bytes(whole)
    assert verify(signed, "--signed")["verdict"] == "good"


@pytest.mark.not_for(user="root")
def test_data_that_a_run_changed_after_it_was_signed(signed: WrapJob) -> None:
    signed.shell("echo more > /Outputs/more.txt").expect()
    report = verify(signed)
    assert list(problems(report)) == ["signatures"]
    assert "a recorded run changed it after it was signed" in problems(report)["signatures"]
    texts = [f["text"] for f in check(report, "signatures")["findings"]]
    assert any(t.startswith("group 2 (3 of 4 records): valid, by test") for t in texts)


@pytest.mark.not_for(user="root")
def test_the_key_of_a_file(ran: WrapJob) -> None:
    openssl = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "key.pem"]
    ran.run(openssl).expect()
    ran.run(["openssl", "ec", "-in", "key.pem", "-pubout", "-out", "pub.pem"]).expect()
    argv = [ran.sifprov, "sign", "--key", "key.pem", "--runtime", ran.runtime, "output.sif"]
    ran.run(argv, env=ran.env(keys(ran)), timeout=60).expect()
    report = verify(ran, "--signed", "--key", "pub.pem")
    assert report["verdict"] == "good", problems(report)
    assert "valid, by the key in pub.pem" in check(report, "signatures")["text"]
    assert check(verify(ran), "signatures")["verdict"] == "not checked"
    drop(ran.path("output.sif"), records(ran.path("output.sif"))[-1:])
    for options in ((), ("--key", "pub.pem")):
        assert verify(ran, *options)["verdict"] == "broken"
