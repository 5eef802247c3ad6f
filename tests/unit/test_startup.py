"""The helper starts from one file where that was made by its own interpreter, else as ever; and
nothing on its way imports what takes long."""

from __future__ import annotations

import marshal
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sifprov.pluginadmin import payload
from sifprov.pluginadmin.place import Place
from sifprov.runtime.find import Runtime

SLOW = {
    "typing",
    "platform",
    "_uuid",
    "hashlib",
    "datetime",
    "dataclasses",
    "inspect",
    "subprocess",
}
# Takes the place of the work, and tells where modules came from.
REPORT = """\
import sys
from sifprov.helper import main
slow = {slow!r}
assert type(__import__("uuid").uuid4()).__name__ == "UUID"
print([m.__spec__.loader.__name__ if isinstance(m.__spec__.loader, type) else "file"
       for m in (sys.modules["sifprov.capture"], sys.modules["json"])],
      sorted(slow & set(sys.modules)), sys.modules["sifprov.capture"].__file__)
import platform, sifprov.replay
print(platform.system(), sifprov.replay.__name__)
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("installed")
    place = Place(Runtime("/x", "singularity-ce", "4.3.3"), top / "root", top)
    return payload.copy_helper(place, sys.executable)


def start(script: Path, tmp_path: Path, bundle: bytes | None = None) -> list[str]:
    """What REPORT says in the place of the helper's work, with another `bundle` if one is given."""
    text = script.read_text()
    if bundle is not None:
        other = tmp_path / "modules"
        other.write_bytes(bundle)
        text = text.replace(str(script.with_name("modules")), str(other))
    report = REPORT.format(slow=SLOW)
    start = tmp_path / "start.py"
    start.write_text(text.partition("from sifprov.helper")[0] + report)
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(start)], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_helper_comes_out_of_one_file(script: Path, tmp_path: Path) -> None:
    first, second = start(script, tmp_path)
    origin = script.parent / "sifprov" / "capture" / "__init__.py"
    assert first == f"['Finder', 'Finder'] [] {origin}"
    # What is not in the file is found all the same, and what was left out is as it should be.
    assert second == "Linux sifprov.replay"


def test_a_file_of_another_interpreter_or_half_a_one_is_passed_over(
    script: Path, tmp_path: Path
) -> None:
    good = script.with_name("modules").read_bytes()
    mine = sys.version.encode() + b"\0"
    assert good.startswith(mine)
    for other in (b"", b"3.99.0" + good[6:], mine, good[: len(good) // 2], b"not one"):
        assert start(script, tmp_path, other)[0].startswith("['file', 'file'] ")


def test_what_the_file_holds_was_compiled_of_the_modules_that_are_there(script: Path) -> None:
    data = script.with_name("modules").read_bytes()
    _, modules = marshal.loads(data[data.index(b"\0") + 1 :])  # noqa: S302
    for name, (code, path, folder) in modules.items():
        assert code.co_filename == path and Path(path).is_file(), name
        assert folder == (os.path.dirname(path) if path.endswith("__init__.py") else ""), name
    assert {"sifprov", "sifprov.helper", "pyext2fs.inodes", "json"} <= set(modules)


def test_the_way_of_the_helper_imports_nothing_slow() -> None:
    code = (
        "import sys\nfrom sifprov.startup import quick_uuid\nquick_uuid()\nimport sifprov.helper\n"
        f"import pyext2fs.inodes\nprint(sorted({SLOW!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({path()!r})\n{code}"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "[]\n"


def path() -> str:
    """Where the packages are."""
    import sifprov

    return os.path.dirname(os.path.dirname(sifprov.__file__))
