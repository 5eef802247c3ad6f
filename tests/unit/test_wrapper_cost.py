"""What is on the user's clock before the runtime starts stays little."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sifprov.create import create_data
from sifprov.errors import MissingError
from sifprov.runtime import find

SLOW = ("click", "json", "dataclasses", "inspect", "subprocess", "threading", "uuid", "datetime")
# Prepares a run and tells what was imported for it.
PREPARE = f"""\
import sys
from sifprov.wrapper import main
typed = main.take_out(["/r", "exec", "-B", "in.sif:/i:image-src=/In", "app.sif", "x"])
assert main.prepare(typed, {{}}, add_ro=True).argv[3].endswith(",ro")
print([m for m in {SLOW!r} if m in sys.modules], len(sys.modules))
"""


def test_no_slow_module_is_imported_before_the_start(tmp_path: Path) -> None:
    create_data(str(tmp_path / "in.sif"), mount="/In", role="input")
    done = subprocess.run(
        [sys.executable, "-I", "-c", PREPARE],
        cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[] ")


def test_the_way_in_leads_past_click(tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    runtime.write_text('#!/bin/sh\necho ran "$@"\nexit 5\n')
    runtime.chmod(0o755)
    program = "import sys; sys.modules['click'] = None; from sifprov.__main__ import entry; entry()"
    done = subprocess.run(
        [sys.executable, "-c", program, "exec", "--runtime", runtime, "app.sif", "a b"],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (5, "ran exec app.sif a b\n", "")


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that is no script, and a count of how often its version was asked."""
    path = tmp_path / "singularity"
    path.write_bytes(b"\x7fELF no script")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(find, "identify", lambda p: asked(path, p))
    return path


def asked(path: Path, name: str) -> find.Runtime:
    with (path.parent / "asked").open("a") as file:
        file.write("x")
    return find.Runtime(name, "singularity-ce", "4.3.3")


def times(runtime: Path) -> int:
    return len((runtime.parent / "asked").read_text())


def test_a_version_is_asked_once_for_each_program(runtime: Path) -> None:
    first = find.identify_once(str(runtime))
    assert find.identify_once(str(runtime)) == first
    assert times(runtime) == 1
    runtime.write_bytes(b"\x7fELF another one")
    assert find.identify_once(str(runtime)) == first
    assert times(runtime) == 2


def test_a_script_is_asked_again_for_it_may_start_anything(runtime: Path) -> None:
    runtime.write_text("#!/bin/sh\n")
    for _ in range(2):
        find.identify_once(str(runtime))
    assert times(runtime) == 2


@pytest.mark.parametrize("text", ["", "[]", "{", '{"%s": ["x"]}', '{"%s": 1}', "[" * 100000])
def test_a_broken_memory_is_no_memory(runtime: Path, text: str) -> None:
    store = runtime.parent / "cache" / "sifprov" / "runtimes.json"
    store.parent.mkdir(parents=True)
    store.write_text(text.replace("%s", str(runtime)))
    assert find.identify_once(str(runtime)).version == "4.3.3"
    assert json.loads(store.read_text())[str(runtime)][1:] == ["singularity-ce", "4.3.3"]


def test_what_cannot_be_remembered_is_asked(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    for _ in range(2):
        find.identify_once(str(runtime))
    assert times(runtime) == 2
    monkeypatch.setattr(find, "identify", refuses)
    with pytest.raises(MissingError):
        find.identify_once(str(runtime))


def refuses(path: str) -> find.Runtime:
    raise MissingError(f"{path}: does not run")
