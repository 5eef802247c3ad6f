"""Signatures of the real runtime: appending breaks none, `sifprov sign` makes `verify` hold."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.real.harness import ROOT, Finished, Runner

APPEND = """
import sys, time
from dataclasses import replace
from uuid import uuid4
from sifprov.model.timestamp import from_ns
from sifprov.records import append_record
from tests.unit.sifs import container, run, run_record
from sifprov.model.record import OUTPUT
now = from_ns(time.time_ns())
for _ in range(int(sys.argv[2])):
    def build(image, previous):
        me = image.header.uuid
        return replace(run_record(me), id=uuid4(), previous=previous, recorded=now,
            run=replace(run(), started=now, ended=now))
    append_record(sys.argv[1], build, now=int(time.time()))
"""


@dataclass(frozen=True)
class Signer:
    """A container `output.sif`, and the programs with a key ring of their own."""

    run: Runner
    singularity: str
    sifprov: str
    path: Path

    @property
    def env(self) -> dict[str, str]:
        return {"SINGULARITY_SYPGPDIR": str(self.run.folder / "keys")}

    def runtime(self, *argv: str | Path) -> Finished:
        return self.run([self.singularity, *argv], env=self.env, timeout=60)

    def sign(self, *argv: str) -> Finished:
        program = [self.sifprov, "sign", "--runtime", self.singularity]
        return self.run([*program, *argv, self.path], env=self.env, timeout=120)

    def verify(self, *options: str) -> int:
        return self.runtime("verify", "--local", *options, self.path).code

    def append(self, count: int = 1) -> None:
        """Appends records as captures of runs that end now."""
        folders = f"{ROOT}:{ROOT / 'pytools'}"
        subprocess.run(
            [sys.executable, "-c", APPEND, self.path, str(count)],
            env={"PYTHONPATH": folders}, check=True, timeout=120,
        )  # fmt: skip

    def trail(self) -> dict[str, Any]:
        done = self.run([self.sifprov, "trail", "--json", self.path]).expect()
        found: dict[str, Any] = json.loads(done.stdout)["container"]
        return found

    def tree(self) -> str:
        return self.run([self.sifprov, "trail", self.path]).expect().stdout

    def objects(self) -> list[tuple[int, bytes]]:
        """Every object's id and bytes but for the signatures, as the runtime dumps them."""
        lines = self.runtime("sif", "list", self.path).expect().stdout.splitlines()
        ids = [int(line.split("|")[0]) for line in lines if line[:1].isdigit()]
        return [
            (i, subprocess.run([self.singularity, "sif", "dump", str(i), self.path],
                               capture_output=True, check=True, timeout=60).stdout)
            for i in ids
        ]  # fmt: skip


@pytest.fixture
def signer(run_as: Runner, singularity: str, sifprov: str) -> Signer:
    made = Signer(run_as, singularity, sifprov, run_as.folder / "output.sif")
    made.runtime(
        "key", "newpair", "--name", "test", "--email", "test@example.org", "--comment", "test",
        "--password", "", "--push=false", "--bit-length", "2048",
    ).expect()  # fmt: skip
    run_as([sifprov, "data", "create", made.path, "--free", "512K", "--mount", "/Outputs"]).expect()
    return made


def test_signed_records_verify_and_stay_valid(signer: Signer) -> None:
    signer.append(3)
    assert signer.verify() != 0
    done = signer.sign().expect()
    assert done.stdout == "signed: group 1, 2\n"
    assert signer.verify() == 0
    signed = signer.objects()
    signer.append(2)
    # The old signatures hold; only the new group is not signed yet.
    assert signer.verify("-g", "1") == 0
    assert signer.verify("-g", "2") == 0
    assert signer.verify() != 0
    trail = signer.trail()
    assert [r["signed"] for r in trail["records"]] == [True] * 3 + [False] * 2
    assert [s["covers"] for s in trail["signatures"]] == ["data", "records"]
    assert signer.sign("--records-only").expect().stdout == "signed: group 3\n"
    assert all(item in signer.objects() for item in signed)
    assert signer.verify("-g", "3") == 0


def test_signing_twice_changes_nothing(signer: Signer) -> None:
    signer.append()
    signer.sign().expect()
    before = signer.path.read_bytes()
    assert "signed already" in signer.sign().expect().stdout
    assert signer.path.read_bytes() == before


def test_hundreds_of_runs_behind_a_signature(signer: Signer) -> None:
    """Bundling leaves what is signed alone, and a bundle can be signed as well."""
    signer.append(4)
    signer.sign().expect()
    signer.append(200)
    assert signer.verify("-g", "1") == 0
    assert signer.verify("-g", "2") == 0
    records = signer.trail()["records"]
    assert len(records) == 204
    assert [r["signed"] for r in records] == [True] * 4 + [False] * 200
    chain = [None, *(r["digest"] for r in records[:-1])]
    assert [r["record"]["previous"] for r in records] == chain
    # The data was signed, then changed: says the record, not yet the bytes.
    signer.sign("--records-only").expect()
    assert signer.verify() == 0
    signer.append(100)
    for group in "123":
        assert signer.verify("-g", group) == 0
    assert len(signer.trail()["records"]) == 304


def test_a_full_table_makes_room_for_signatures(signer: Signer) -> None:
    signer.append(83)
    assert len(signer.objects()) == 84
    signer.sign().expect()
    assert signer.verify() == 0
    assert len(signer.trail()["records"]) == 83


def test_data_that_was_changed_after_signing(signer: Signer) -> None:
    signer.append()
    signer.sign().expect()
    assert not signer.trail()["changed_after_signing"]
    _write_into_partition(signer)
    signer.append()
    assert signer.trail()["changed_after_signing"]
    assert "no longer holds" in signer.tree()
    assert signer.verify("-g", "1") != 0
    assert signer.verify("-g", "2") == 0
    before = signer.path.read_bytes()
    done = signer.sign().expect(2)
    assert "group 1 was changed after it was signed" in done.stderr
    assert "--records-only" in done.stderr and "sif del 3" in done.stderr
    assert signer.path.read_bytes() == before
    # Both ways that the hint names.
    signer.sign("--records-only").expect()
    assert signer.verify("-g", "3") == 0
    signer.runtime("sif", "del", "3", signer.path).expect()
    signer.sign().expect()
    assert signer.verify() == 0


def _write_into_partition(signer: Signer) -> None:
    """As a run does: one byte in the superblock's volume name."""
    list_ = signer.runtime("sif", "list", signer.path).expect().stdout
    first = next(line for line in list_.splitlines() if line[:1] == "1")
    offset = int(first.split("|")[3].split("-")[0])
    with signer.path.open("r+b") as file:
        file.seek(offset + 1024 + 120)
        file.write(b"changed")


def test_a_key_that_is_not_there(signer: Signer) -> None:
    signer.append()
    before = signer.path.read_bytes()
    done = signer.sign("--key", "7").expect(2)
    assert "could not sign group 1" in done.stderr and "key list --secret" in done.stderr
    assert signer.path.read_bytes() == before


def test_a_container_without_records(signer: Signer) -> None:
    assert "no record to sign" in signer.sign().expect(1).stderr
    assert signer.verify() != 0


def test_the_key_of_a_file(signer: Signer) -> None:
    openssl = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "key.pem"]
    signer.run(openssl).expect()
    signer.run(["openssl", "ec", "-in", "key.pem", "-pubout", "-out", "pub.pem"]).expect()
    signer.append(2)
    signer.sign("--key", "key.pem").expect()
    done = signer.runtime("verify", "--key", "pub.pem", signer.path)
    assert done.code == 0, done.stderr
    # A signature of this kind is read too.
    _write_into_partition(signer)
    assert "group 1 was changed" in signer.sign().expect(2).stderr
