"""Containers of the thesis's prototype, made with each runtime's own tools, beside runs of ours."""

from __future__ import annotations

import json
import pwd
from pathlib import Path

from sifprov.export.prov import document, export
from sifprov.lineage import build
from sifprov.trail import read_trail
from tests.corpus.prototype import COMMAND, uuid_of
from tests.corpus.prototype import build as build_prototype
from tests.real.wrapjob import WrapJob
from tests.unit.provcheck import violations

FORMATS = ("json", "dot", "mermaid", "svg", "html")


def made(job: WrapJob) -> Path:
    """The prototype's workflow in the job's folder; returns the result."""
    account = pwd.getpwnam(job.run.user)
    owner = (account.pw_uid, account.pw_gid)
    return build_prototype(job.runtime, Path(job.app), job.path("old"), owner)


def test_it_is_shown_and_exported(wrap_job: WrapJob) -> None:
    result = made(wrap_job)
    shown = wrap_job.cli("trail", result).expect().stdout
    for word in ("knn.sif", "train.sif", "eval.sif", COMMAND, "does not tell: when the run began"):
        assert word in shown
    assert str(uuid_of(result)) in shown
    for fmt in FORMATS:
        assert "predictions.sif" in wrap_job.cli("trail", result, "--format", fmt).expect().stdout
    assert violations(document(build(read_trail(str(result))))) == []
    graph = json.loads(wrap_job.cli("trail", "--json", result).expect().stdout)["graph"]
    assert [a["kind"] for a in graph["activities"]] == ["foreign-making"] * 3 + ["foreign-run"]
    assert wrap_job.cli("trail", wrap_job.path("old/knn.sif")).expect().stdout.count("made,") == 1


def test_a_run_of_ours_goes_on_behind_it(wrap_job: WrapJob) -> None:
    result = made(wrap_job)
    before = result.read_bytes()
    binds = (f"{result}:/predictions:image-src=/predictions,ro",
             "output.sif:/Outputs:image-src=/Outputs")  # fmt: skip
    wrap_job.exec("sh", "-c", "cat /predictions/* > /Outputs/copy", binds=binds).expect()
    assert wrap_job.last()["containers"][1]["record"] is None
    shown = wrap_job.cli("trail", "output.sif").expect().stdout
    assert COMMAND in shown
    assert "train.sif" in shown
    graph = build(read_trail(str(wrap_job.path("output.sif"))))
    assert violations(document(graph)) == []
    written = export(graph, "prov-n")
    assert "prov:Revision" in written
    assert 'sifprov:recorded_by="another program"' in written
    # Reading an old container writes nothing into it, and writing into one keeps its document.
    assert result.read_bytes() == before
    wrap_job.exec("sh", "-c", "echo 7 >> /predictions/predictions.csv",
                  binds=(f"{result}:/predictions:image-src=/predictions",)).expect()  # fmt: skip
    assert wrap_job.last(str(result))["run"]["exit_code"] == 0
    shown = wrap_job.cli("trail", result).expect().stdout
    assert shown.index("exit code 0") < shown.index(COMMAND)
    wrap_job.check_file_system(str(result))
