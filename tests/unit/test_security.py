"""Threats that no other test looks at: see docs/security.md."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from tests.unit.test_sitelog import END, first_line

from sifprov.model.redact import redact_environment
from sifprov.model.request import dump_request, parse_request
from sifprov.pluginadmin.payload import copy_helper, helper_command
from sifprov.pluginadmin.place import Place
from sifprov.runtime.find import Runtime

EVIL = "import os\nopen(os.environ.get('EVIL') or {path!r}, 'a').write(__name__)\n"


def test_no_variable_and_no_folder_of_the_user_reaches_the_helper(tmp_path: Path) -> None:
    """Modules of the user's, wherever Python might look for them, are not imported."""
    place = Place(Runtime("/x", "singularity-ce", "4.3.3"), tmp_path / "root", tmp_path)
    script = copy_helper(place, sys.executable)
    evil, mark = tmp_path / "evil", tmp_path / "mark"
    site = evil / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"
    for folder in (evil, evil / "sifprov", site):
        folder.mkdir(parents=True, exist_ok=True)
    text = EVIL.format(path=str(mark))
    for module in (
        "json.py", "base64.py", "struct.py", "usercustomize.py", "sitecustomize.py",
        "sifprov/__init__.py",
    ):  # fmt: skip
        (evil / module).write_text(text)
    (site / "usercustomize.py").write_text(text)
    environment = {
        **os.environ, "PYTHONPATH": str(evil), "PYTHONSTARTUP": str(evil / "json.py"),
        "PYTHONUSERBASE": str(evil), "PYTHONHOME": "", "EVIL": str(mark), "HOME": str(evil),
    }  # fmt: skip
    done = subprocess.run(
        helper_command(sys.executable, script), input=first_line() + END, env=environment,
        cwd=evil, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert not mark.exists(), mark.read_text()


def test_a_secret_variable_is_left_out_and_never_written() -> None:
    given = (
        ("LANG", "C"), ("OMP_API_TOKEN", "canary-1"), ("SINGULARITYENV_DB_PASSWORD", "canary-2"),
        ("APPTAINERENV_URL", "https://user:canary-3@host/"), ("LC_NOTE", "Bearer canary-4canary-4"),
    )  # fmt: skip
    kept = dict(redact_environment(given))
    assert kept["LANG"] == "C" and "canary" not in str(kept)
    assert not {"OMP_API_TOKEN", "SINGULARITYENV_DB_PASSWORD"} & kept.keys()
    request = replace(parse_request(first_line()), environment=given)
    assert b"canary" not in dump_request(request)
