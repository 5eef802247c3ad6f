"""W3C PROV of real runs, with all that a real record holds."""

from __future__ import annotations

from sifprov.export.prov import FORMATS, document, export
from sifprov.lineage import build
from sifprov.trail import read_trail
from tests.real.wrapjob import WrapJob
from tests.unit.provcheck import read, violations


def test_real_runs_export_to_valid_documents(wrap_job: WrapJob) -> None:
    words = {"SIFPROV_NOTE": "a\tnote", "SIFPROV_METRICS": "r2=0.93", "SLURM_JOB_ID": "4711"}
    job = "cat /Inputs/data.txt > /Outputs/copy.txt; echo done"
    wrap_job.exec("sh", "-c", job, env=words, options=("--log",)).expect()
    wrap_job.cli("annotate", "output.sif", "--note", "looked at").expect()
    wrap_job.exec("sh", "-c", "echo more >> /Outputs/copy.txt; exit 3").expect(3)
    wrap_job.cli("data", "seal", "-q", "output.sif", "sealed.sif").expect()
    graph = build(read_trail(str(wrap_job.path("sealed.sif"))))
    for fmt in FORMATS:
        found = read(export(graph, fmt), fmt)
        assert violations(found) == []
        assert found == document(graph)
    shown = export(graph, "prov-n")
    for word in ("sealed.sif", 'sifprov:job_id="4711"', "sifprov:exit_code=3", "sifprov:Log'",
                 "sifprov:Metric'", "prov:Revision", "sifprov:platform_cpu=", "sifprov:user_name=",
                 "sifprov:binds=", '"[\\"looked at\\"]"', "sifprov:BaseImage'"):  # fmt: skip
        assert word in shown, word
    assert "sifprov:problem" not in shown
