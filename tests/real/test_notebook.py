"""The notebook of the documentation, executed from its first cell to its last."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.real.harness import ROOT, SYSTEM_PATH, Runner

EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
book = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(book, timeout=120, kernel_name="python3").execute()
nbformat.write(book, sys.argv[1])
"""


@pytest.mark.not_for(user="user")  # who may not be able to read this environment
@pytest.mark.timeout(400)
def test_the_notebook_runs_and_shows_a_picture_and_a_table(
    run_as: Runner, singularity: str, busybox_sif: str, exec_flags: list[str]
) -> None:
    (run_as.folder / "app.sif").symlink_to(busybox_sif)
    text = (ROOT / "docs" / "notebook.ipynb").read_text(encoding="utf-8")
    flags = "".join(f'\\"{flag}\\", ' for flag in exec_flags)
    book = run_as.folder / "notebook.ipynb"
    book.write_text(text.replace("sifprov.run([", f"sifprov.run([{flags}"))
    book.chmod(0o666)
    path = f"{Path(sys.executable).parent}:{Path(singularity).parent}:{SYSTEM_PATH}"
    env = {"PATH": path, "HOME": str(run_as.folder), "SIFPROV_RUNTIME": singularity}
    run_as([sys.executable, "-c", EXECUTE, str(book)], env=env).expect()
    outputs = [
        output
        for cell in json.loads(book.read_text())["cells"]
        for output in cell.get("outputs", ())
    ]
    assert not [o for o in outputs if o["output_type"] == "error"]
    rich = ["".join(o["data"]["text/html"]) for o in outputs if "text/html" in o.get("data", {})]
    picture, table = rich
    assert "<svg" in picture and "result.sif" in picture
    assert "<table" in table and "points.sif" in table
    assert "<svg" in (run_as.folder / "trail.html").read_text() or (
        run_as.folder / "trail.html"
    ).read_text().startswith("<!")
    assert any("prov" in "".join(o.get("text", "")) for o in outputs)
