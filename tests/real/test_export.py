"""Exports of real runs, read back by other people's programs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import oras.oci
import pytest
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

from sifprov.export.dsse import key_id
from tests.real.wrapjob import WrapJob
from tests.unit.crates import issues, of_type, read, shelf, strictest

HIDDEN = "hunter2-do-not-tell"


def metadata(crate: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((crate / "ro-crate-metadata.json").read_bytes())
    return found


def test_a_crate_of_real_runs_is_accepted_and_read_back(wrap_job: WrapJob, tmp_path: Path) -> None:
    words = {"SIFPROV_NOTE": "a\tnote", "SIFPROV_METRICS": "r2=0.93", "SLURM_JOB_ID": "4711"}
    job = "cat /Inputs/data.txt > /Outputs/copy.txt; echo done"
    wrap_job.exec(
        "sh", "-c", job, "sh", f"--password={HIDDEN}", env=words, options=("--log",)
    ).expect()
    wrap_job.cli("annotate", "output.sif", "--tag", "paper=draft").expect()
    wrap_job.exec("sh", "-c", "echo more >> /Outputs/copy.txt; exit 3").expect(3)
    call = ("export", "output.sif", "--format", "ro-crate")
    printed = wrap_job.cli(*call).expect().stdout
    wrap_job.cli(*call, "-o", "crate").expect()
    wrap_job.cli(*call, "--with-data", "-o", "full").expect()
    wrap_job.cli(*call, "-o", "crate.zip").expect()
    crate, full = wrap_job.path("crate"), wrap_job.path("full")
    assert printed == (crate / "ro-crate-metadata.json").read_text(encoding="utf-8")

    place = shelf(tmp_path)
    for at in (crate, full):
        assert issues(at, strictest(metadata(at)), place) == []
    found = read(wrap_job.path("crate.zip"))
    runs = sorted((a for a in of_type(found, "CreateAction") if "#run-" in a.id),
                  key=lambda a: str(a["startTime"]))  # fmt: skip
    assert [a["actionStatus"].rpartition("/")[2] for a in runs] == [
        "CompletedActionStatus", "FailedActionStatus",
    ]  # fmt: skip
    first, second = runs
    assert second["error"] == "exit code 3"
    assert first["sifprov:job_id"] == "4711"
    assert first["agent"].type == "Person"
    assert {p["name"]: p["value"] for p in first["additionalProperty"]} == {
        "r2": "0.93", "paper": "draft",
    }  # fmt: skip
    assert second["object"] == first["object"]
    assert second["result"]["isBasedOn"] == first["result"]
    assert first["instrument"]["sifprov:image"] == first["containerImage"]
    assert HIDDEN not in printed

    files = [e for e in metadata(full)["@graph"] if e["@id"].startswith("containers/")]
    assert {e["alternateName"] for e in files} == {
        "input.sif", "output.sif", Path(wrap_job.app).name,
    }  # fmt: skip
    for entity in files:
        data = (full / entity["@id"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entity["sha256"]
    copy = next(full / e["@id"] for e in files if e["alternateName"] == "output.sif")
    wrap_job.cli("verify", "-q", "--search", full / "containers", copy).expect()


def test_a_signed_statement_holds_until_the_container_changes(wrap_job: WrapJob) -> None:
    line = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", "key.pem"]
    wrap_job.run(line).expect()
    wrap_job.run(["openssl", "pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"]).expect()
    wrap_job.exec("sh", "-c", "cat /Inputs/data.txt > /Outputs/copy.txt").expect()
    made = ("--format", "in-toto", "--key", "key.pem", "-o", "output.intoto.json")
    wrap_job.cli("export", "output.sif", *made).expect()

    envelope = json.loads(wrap_job.path("output.intoto.json").read_bytes())
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key: Any = load_pem_public_key(wrap_job.path("public.pem").read_bytes())
    theirs = Envelope.from_dict(envelope)
    theirs.verify([SSlibKey.from_crypto(key, keyid=key_id(key))], 1)
    statement = json_format.Parse(theirs.payload, statement_pb2.Statement())
    assert statement.subject[0].name == "output.sif"
    assert dict(statement.subject[0].digest) == {
        "sifprov-tree-v1": wrap_job.content_now().partition(":")[2]
    }

    check = ("verify", "--attestation", "output.intoto.json", "--public-key", "public.pem")
    good = wrap_job.cli(*check, "output.sif").expect()
    assert "signed by the key" in good.stdout
    wrap_job.cli("annotate", "output.sif", "--note", "a word changes nothing").expect()
    wrap_job.cli(*check, "output.sif").expect()
    wrap_job.exec("sh", "-c", "echo more >> /Outputs/copy.txt").expect()
    gone = wrap_job.cli(*check, "output.sif")
    assert gone.code == 1
    assert "it speaks of tree-v1:" in gone.stdout


def test_annotations_of_a_real_run_are_what_oras_reads(wrap_job: WrapJob) -> None:
    wrap_job.exec("sh", "-c", "echo x > /Outputs/x", "sh", f"--token={HIDDEN}").expect()
    wrap_job.cli("export", "output.sif", "--format", "oci", "-o", "annotations.json").expect()
    read_back = oras.oci.Annotations(str(wrap_job.path("annotations.json")))
    found = read_back.get_annotations("$manifest")
    record = wrap_job.last()
    assert found["sifprov.record.id"] == record["id"]
    assert found["org.opencontainers.image.created"] == record["run"]["ended"]
    assert json.loads(found["sifprov.run.argv"]) == record["run"]["argv"]
    assert read_back.get_annotations("output.sif") == {
        "org.opencontainers.image.title": "output.sif"
    }
    assert HIDDEN not in json.dumps(found)
    assert "--token=" in found["sifprov.run.argv"]


@pytest.mark.parametrize("format_", ["ro-crate", "in-toto", "oci"])
def test_a_container_without_a_record_is_told_in_one_line(wrap_job: WrapJob, format_: str) -> None:
    done = wrap_job.cli("export", "output.sif", "--format", format_, "-o", "out").expect(1)
    assert "carries no record" in done.stderr
    assert not wrap_job.path("out").exists()
