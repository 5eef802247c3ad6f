"""What verify says of good, broken and incomplete containers, check by check."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner
from tests.unit.schemas import problems
from tests.unit.sifs import OUT, add, add_object, make_sif, run_record
from tests.unit.verified import Site, make_site, sign

from pyext2fs.debugfs import Debugfs
from sifprov.cli import main
from sifprov.content import Deadline, scan_folder
from sifprov.errors import Exit, FileError
from sifprov.frozen import replace
from sifprov.model.canonical import Json
from sifprov.model.container import (
    APPLICATION,
    FOLDER,
    OUTPUT,
    PROVISIONAL,
    Container,
)
from sifprov.model.fact import Fact
from sifprov.model.log import Collector
from sifprov.model.record import Record
from sifprov.placement import METADATA, SIDECAR, Place, append_to
from sifprov.seal import seal
from sifprov.sidecar import beside
from sifprov.sif import open_image
from sifprov.survivors import lock_range
from sifprov.verify import BROKEN, GOOD, INCOMPLETE, Check, Report, Verdict, verify


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("made")
    (folder / "then").mkdir()
    site = make_site(folder / "then")
    site.run()
    site.run()
    # Nothing is at the place that records name.
    return Site((folder / "then").rename(folder / "now"))


@pytest.fixture
def site(made: Site, tmp_path: Path) -> Site:
    """A copy: ancestors stand beside the output."""
    for path in (made.app, made.input, made.out):
        shutil.copy2(path, tmp_path / path.name)
    return Site(tmp_path)


def check(report: Report, name: str) -> Check:
    return next(c for c in report.checks if c.name == name)


def poke(path: Path, data: bytes, *, before: bytes) -> None:
    """Overwrites the first place where `before` stands in the partition."""
    with open_image(str(path), write=True) as (file, image):
        whole = path.read_bytes()
        at = whole.index(before, image.descriptors[0].offset)
        os.pwrite(file.fileno(), data, at)


def test_all_is_good(site: Site) -> None:
    for full in (False, True):
        report = verify(str(site.out), full=full)
        assert report.verdict == GOOD and report.exit_code == Exit.OK
        names = [c.name for c in report.checks]
        assert names == [
            "header", "objects", "records", "chain", "content", "lineage", "application",
            "ancestors", "signatures",
        ]  # fmt: skip
        assert check(report, "signatures").verdict is Verdict.NOT_CHECKED
        document = json.loads(json.dumps(report.to_json()))
        assert problems("sifprov.verify/1", document) == []
        assert document["full"] is full and document["uuid"]
        document["checks"][0]["verdict"] = "fine"
        assert problems("sifprov.verify/1", document)


def test_what_is_no_sif(tmp_path: Path) -> None:
    path = tmp_path / "x.sif"
    path.write_bytes(b"no SIF" * 100)
    report = verify(str(path))
    assert report.verdict == BROKEN and [c.name for c in report.checks] == ["header"]
    path.write_bytes(b"")
    assert verify(str(path)).verdict == BROKEN
    with pytest.raises(FileError, match=r"none\.sif"):
        verify(str(tmp_path / "none.sif"))


def test_a_container_without_records_is_incomplete(tmp_path: Path, site: Site) -> None:
    report = verify(str(site.app))
    assert report.verdict == INCOMPLETE and report.exit_code == Exit.MISSING
    assert check(report, "records").text == "it carries no record"
    assert check(report, "content").verdict is Verdict.NOT_CHECKED
    path = make_sif(tmp_path / "empty.sif")
    assert check(verify(str(path)), "content").text == "no record tells it"


def test_the_file_that_changed_is_named(site: Site) -> None:
    poke(site.out, b"START 7", before=b"start 7\n")
    found = check(verify(str(site.out)), "content")
    assert found.verdict is Verdict.BROKEN
    assert "altered from outside" in found.text
    assert [f.text for f in found.findings[1:]] == ["Outputs/07.txt is changed"]


def touch(path: Path, name: bytes) -> None:
    """Sets the ctime of a file in a container far ahead, as a change by a mount sets it to now."""
    with open_image(str(path)) as (_, image):
        offset = image.descriptors[0].offset
    with Debugfs(path, offset) as fs:
        entry = next(e for p, e in fs.walk() if p == name)
    request = f"set_inode_field <{entry.ino}> ctime @0x7fffffff"
    subprocess.run(
        ["/usr/sbin/debugfs", "-w", "-R", request, f"{path}?offset={offset}"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip


def test_a_change_with_a_time_is_told_apart(site: Site) -> None:
    """As a program makes it that mounts the container."""
    touch(site.out, b"Outputs/07.txt")
    assert verify(str(site.out)).verdict == GOOD  # the same bytes were written
    poke(site.out, b"START 7", before=b"start 7\n")
    text = check(verify(str(site.out)), "content").text
    assert text.startswith("changed at 2038-01-19T03:14:07.000000000Z, after its newest record, by")


def test_such_a_change_of_an_ancestor_is_seen_without_full(site: Site) -> None:
    touch(site.input, b"Inputs/07.txt")
    assert verify(str(site.out)).verdict == GOOD
    poke(site.input, b"SOURCE 7", before=b"source 7\n")
    assert "its content is" in check(verify(str(site.out)), "ancestors").text


def test_a_list_of_files_that_is_gone(site: Site) -> None:
    with open_image(str(site.out), write=True) as (file, image):
        gone = [d for d in image.descriptors if d.name.startswith(b"metadata.lineage")]
        for item in gone:
            os.pwrite(file.fileno(), b"\0", image.header.place(item.slot) + 4)
        free = image.header.dfree + len(gone)
        os.pwrite(file.fileno(), free.to_bytes(8, "little"), 80)
    report = verify(str(site.out))
    assert report.verdict == INCOMPLETE
    assert check(report, "lineage").text.startswith("the list of files sha256:")
    # Then a change is seen, and what changed cannot be named.
    poke(site.out, b"START 7", before=b"start 7\n")
    assert len(check(verify(str(site.out)), "content").findings) == 1


def changed_output(record: Record, **fields: Any) -> Record:
    its = tuple(replace(c, **fields) if c.role == OUTPUT else c for c in record.containers)
    return replace(record, containers=its)


def test_a_provisional_record_promises_nothing(site: Site) -> None:
    other = "tree-v1:" + "0" * 64
    site.run(lambda r: changed_output(r, digest=other, files=None, marks=(PROVISIONAL,)))
    report = verify(str(site.out))
    assert report.verdict == INCOMPLETE
    assert "a process still wrote" in check(report, "content").text


def test_a_record_that_does_not_know_the_content(site: Site) -> None:
    site.run(lambda r: changed_output(r, digest=None, files=None, reason="too late"))
    report = verify(str(site.out))
    assert report.verdict == INCOMPLETE
    assert check(report, "content").text == "its newest record does not know it: too late"


def test_in_use(site: Site) -> None:

    with open_image(str(site.out), write=True) as (file, image):
        item = image.descriptors[0]
        fcntl.fcntl(file, 37, lock_range(fcntl.F_WRLCK, item.offset, item.size))
        report = verify(str(site.out))
    assert report.verdict == INCOMPLETE
    assert check(report, "content").text == "not read: a run is using it"


def test_a_file_system_that_was_not_unmounted(site: Site) -> None:
    with open_image(str(site.out), write=True) as (file, image):
        at = image.descriptors[0].offset + 1024 + 0x60
        flags = os.pread(file.fileno(), 1, at)[0]
        os.pwrite(file.fileno(), bytes([flags | 4]), at)
    report = verify(str(site.out))
    assert report.verdict == INCOMPLETE
    assert "was not unmounted" in check(report, "content").text


def test_missing_ancestors_are_named_and_found_below_a_folder(site: Site, tmp_path: Path) -> None:
    away = tmp_path / "archive" / "deep" / "er"
    away.mkdir(parents=True)
    site.app.rename(away / "renamed.bin")
    site.input.rename(away / "another.sif")
    report = verify(str(site.out))
    assert report.verdict == INCOMPLETE and report.exit_code == Exit.MISSING
    assert "app.sif" in check(report, "application").text
    assert "what its records say is known" in check(report, "ancestors").text
    report = verify(str(site.out), [str(tmp_path / "archive")], full=True)
    assert report.verdict == GOOD
    assert check(report, "ancestors").text == "1 found and unchanged"


def test_an_ancestor_that_changed_is_seen_by_full_alone(site: Site) -> None:
    poke(site.input, b"SOURCE 7", before=b"source 7\n")
    assert verify(str(site.out)).verdict == GOOD
    report = verify(str(site.out), full=True)
    assert report.verdict == BROKEN
    found = check(report, "ancestors").findings
    assert "its content is tree-v1:" in found[0].text
    assert found[1].text.endswith("in.sif: Inputs/07.txt is changed")


def test_an_application_that_changed(site: Site) -> None:
    with open_image(str(site.app), write=True) as (file, image):
        os.pwrite(file.fileno(), b"xx", image.descriptors[0].offset + 77)
    assert verify(str(site.out)).verdict == GOOD
    report = verify(str(site.out), full=True)
    assert check(report, "application").verdict is Verdict.BROKEN


def test_an_ancestor_with_other_records(site: Site) -> None:
    """One of its UUID that lacks the record which it carried then."""
    with open_image(str(site.input), write=True) as (file, image):
        for item in image.descriptors:
            if item.name.startswith(b"metadata.json"):
                os.pwrite(file.fileno(), b"\0", image.header.place(item.slot) + 4)
        free = image.header.dfree + 1
        os.pwrite(file.fileno(), free.to_bytes(8, "little"), 80)
    report = verify(str(site.out))
    assert check(report, "ancestors").verdict is Verdict.BROKEN
    assert "carries other records than the one" in check(report, "ancestors").text


def test_an_ancestor_that_later_runs_wrote_to(site: Site) -> None:
    """Nothing is wrong, but what the run saw is not there any more."""
    container = verify(str(site.input)).uuid
    assert container
    later = changed_output(run_record(container), digest="tree-v1:" + "1" * 64)
    add(site.input, replace(later, recorded="2100-01-01T00:00:00Z"))
    report = verify(str(site.out))
    assert check(report, "ancestors").verdict is Verdict.MISSING
    assert "changed its content" in check(report, "ancestors").text


def test_an_ancestor_of_another_time_of_making(site: Site) -> None:
    with open_image(str(site.input), write=True) as (file, image):
        os.pwrite(file.fileno(), (image.header.created - 5).to_bytes(8, "little"), 64)
    assert "was created" in check(verify(str(site.out)), "ancestors").text


@pytest.mark.skipif(not shutil.which("mksquashfs"), reason="mksquashfs is not there")
def test_a_sealed_copy_stands_for_the_original_and_is_good_itself(site: Site) -> None:
    sealed = site.folder / "sealed.sif"
    seal(str(site.input), str(sealed))
    site.input.unlink()
    assert verify(str(sealed), full=True).verdict == GOOD
    assert verify(str(site.out), full=True).verdict == GOOD
    own = site.folder / "out.sealed.sif"
    seal(str(site.out), str(own))
    report = verify(str(own), full=True)
    assert report.verdict == GOOD
    assert check(report, "chain").text.startswith("each of 4 ")


def test_a_record_of_another_container(site: Site) -> None:
    add(site.out, run_record(UUID(int=7)))
    text = check(verify(str(site.out)), "chain").text
    assert "speaks of container 00000000-0000-0000-0000-000000000007" in text


def test_records_in_a_metadata_container(site: Site) -> None:
    place = Place(METADATA, str(site.folder / "records.sif"))
    site.run(place=place)
    site.run(place=place)
    report = verify(place.path)
    assert report.verdict == GOOD, report
    assert check(report, "content").text.startswith("that of 1 containers")
    assert check(report, "chain").text.startswith("those of 1 containers")
    report = verify(str(site.out), metadata=place.path)
    assert report.verdict == GOOD
    assert check(report, "metadata").text == f"2 records of it in {place.path}"
    assert problems("sifprov.verify/1", json.loads(json.dumps(report.to_json()))) == []
    whole = Path(place.path).read_bytes()
    Path(place.path).write_bytes(whole.replace(b'"true"', b'"mule"', 1))
    assert check(verify(str(site.out), metadata=place.path), "metadata").verdict is Verdict.BROKEN
    Path(place.path).write_bytes(whole)
    poke(site.out, b"START 7", before=b"start 7\n")
    assert check(verify(place.path), "content").verdict is Verdict.BROKEN


def test_records_in_a_sidecar(site: Site) -> None:
    place = Place(SIDECAR, str(site.folder / "records.jsonl"))
    for _ in range(3):
        site.run(place=place)
    path = Path(place.path)
    assert verify(place.path).verdict == GOOD
    lines = [n for n, line in enumerate(path.read_bytes().split(b"\n")) if b"captured_by" in line]
    whole = path.read_bytes().split(b"\n")
    for other in (
        [line for n, line in enumerate(whole) if n != lines[1]],
        [
            line.replace(b"0.1.0", b"0.1.1") if n == lines[0] else line
            for n, line in enumerate(whole)
        ],
        [*whole[: lines[0]], whole[lines[1]], whole[lines[0]], *whole[lines[1] + 1 :]],
    ):
        path.write_bytes(b"\n".join(other))
        assert verify(place.path).verdict == BROKEN
    site.out.unlink()
    path.write_bytes(b"\n".join(whole))
    report = verify(place.path)
    assert report.verdict == INCOMPLETE
    assert "not found" in check(report, "content").text


def test_a_folder_and_its_sidecar(tmp_path: Path) -> None:

    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "a.txt").write_text("a\n")
    digest = scan_folder(str(folder), Deadline()).digest
    record = run_record(OUT)
    its = Container(
        OUTPUT, "results", str(folder), OUT, None, None, "/results", None, True, False, digest,
        None, None, (FOLDER,),
    )  # fmt: skip
    record = replace(record, containers=(its,))
    append_to(Place(SIDECAR, beside(str(folder))), record)
    assert verify(str(folder)).verdict == GOOD
    (folder / "a.txt").write_text("b\n")
    report = verify(str(folder))
    assert report.verdict == BROKEN
    assert "changed by no recorded run" in check(report, "content").text


@pytest.fixture
def no_runtime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SIFPROV_RUNTIME", raising=False)


@pytest.mark.usefixtures("no_runtime")
def test_what_a_signature_speaks_of_is_compared_without_a_key(site: Site) -> None:
    for group in (1, 2):
        sign(site.out, group)
    report = verify(str(site.out))
    found = check(report, "signatures")
    assert report.verdict == GOOD and found.verdict is Verdict.NOT_CHECKED
    assert "is on PATH" in found.text and "3 of 3 records" in str(found.findings)
    report = verify(str(site.out), signed=True)
    assert report.verdict == INCOMPLETE
    assert "not covered by a valid signature" in check(report, "signatures").text
    # A record that joins the group, or leaves it, breaks it.
    poke(site.out, b"zzzz", before=b"start 7\n")
    assert check(verify(str(site.out)), "signatures").verdict is Verdict.BROKEN


def fake_runtime(folder: Path, output: str, code: int, error: str = "") -> str:
    path = folder / "singularity"
    path.write_text(
        "#!/bin/sh\n[ $1 = --version ] && echo singularity-ce version 4.3.3 && exit 0\n"
        f"cat <<'E'\n{output}\nE\ncat >&2 <<'E'\n{error}\nE\nexit {code}\n"
    )
    path.chmod(0o755)
    return str(path)


def test_who_signed_is_told_harmlessly(site: Site, tmp_path: Path) -> None:
    sign(site.out, 2)
    row = {"Signer": {"Name": "A\x1b[31m <a@b>", "Fingerprint": "ab12"}}
    runtime = fake_runtime(tmp_path, json.dumps({"SignerKeys": [row]}), 0)
    done = CliRunner().invoke(main, ["verify", "--runtime", runtime, str(site.out)])
    assert done.exit_code == 0
    assert r"valid, by A\x1b[31m <a@b> AB12" in done.output
    signed = verify(str(site.out), signed=True, runtime=runtime)
    assert "the data is not covered" in check(signed, "signatures").text
    for text in ("[]", '{"SignerKeys": 5}', "no JSON", '{"SignerKeys": [{"Signer": 5}]}'):
        runtime = fake_runtime(tmp_path, text, 0)
        report = verify(str(site.out), runtime=runtime)
        assert check(report, "signatures").verdict is Verdict.GOOD
    runtime = fake_runtime(tmp_path, "", 255, "FATAL:   integrity compromised: 1")
    report = verify(str(site.out), runtime=runtime)
    assert check(report, "signatures").verdict is Verdict.BROKEN
    error = "FATAL: openpgp: signature made by unknown entity"
    runtime = fake_runtime(tmp_path, "", 255, error)
    report = verify(str(site.out), runtime=runtime)
    assert check(report, "signatures").verdict is Verdict.NOT_CHECKED


def run_verb(*argv: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["verify", *map(str, argv)], standalone_mode=False)
    if isinstance(done.exception, FileError):
        return done.exception.exit_code, str(done.exception)
    return int(done.return_value), done.output


def test_the_command(site: Site) -> None:
    code, output = run_verb(site.out)
    assert code == 0 and output.endswith("out.sif: good\n")
    assert run_verb("-q", site.out) == (0, "")
    assert len(run_verb("-v", site.out)[1]) > len(output)
    poke(site.out, b"START 7", before=b"start 7\n")
    code, output = run_verb("-q", site.out)
    assert code == 1
    lines = output.splitlines()
    assert lines[0].startswith("broken       content")
    assert lines[-1].endswith("out.sif: broken (content)")
    assert any("Outputs/07.txt is changed" in line for line in lines)
    code, output = run_verb("--json", site.out)
    assert code == 1 and json.loads(output)["verdict"] == "broken"
    site.app.unlink()
    site.input.unlink()
    assert run_verb(site.out)[0] == 1  # broken wins
    code, output = run_verb(site.folder / "no.sif")
    assert code == Exit.USAGE and "no.sif" in output


def test_read_only_files_are_enough(site: Site) -> None:
    for path in (site.out, site.input, site.app):
        path.chmod(0o444)
    site.folder.chmod(0o555)
    before = site.out.read_bytes()
    assert verify(str(site.out), full=True).verdict == GOOD
    site.folder.chmod(0o755)
    assert site.out.read_bytes() == before


def test_a_log_that_is_gone_and_one_that_is_nobodys(site: Site) -> None:

    data = Collector(1000, ("stdout",))
    data.add("stdout", b"hello\n")
    log = data.log().to_bytes()
    digest = "sha256:" + hashlib.sha256(log).hexdigest()

    def with_log(record: Record) -> Record:
        assert record.run
        value: Json = {"bytes": 6, "cut": 0, "digest": digest, "object": "metadata.log.json"}
        fact = Fact("log", value, source="relay of the wrapper")
        return replace(record, run=replace(record.run, facts=(fact,)))

    site.run(with_log)
    report = verify(str(site.out))
    assert report.verdict == INCOMPLETE
    assert check(report, "records").text.startswith(f"the log {digest} of record")
    add_object(site.out, log, name=b"metadata.log.json", group=2)
    assert verify(str(site.out)).verdict == GOOD
    add_object(site.out, log.replace(b"hello", b"olleh"), name=b"metadata.log.json", group=2)
    report = verify(str(site.out))
    assert report.verdict == GOOD
    assert "a log that no record names" in str(report.to_json())
    assert APPLICATION in str(report.to_json())
