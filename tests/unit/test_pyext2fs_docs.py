"""The example in docs/pyext2fs.md runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pyext2fs

DOCUMENT = Path(__file__).parents[2] / "docs" / "pyext2fs.md"


def test_the_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "two words").write_text("text\n")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, str(DOCUMENT), "exec"), {})  # noqa: S102 - it is ours
    assert "nothing-here" in capsys.readouterr().out


def test_every_module_is_listed() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    folder = Path(pyext2fs.__file__).parent
    names = {p.stem for p in folder.glob("*.py") if not p.stem.startswith("_")}
    assert names == set(re.findall(r"^\| `pyext2fs\.(\w+)`", text, re.MULTILINE))
