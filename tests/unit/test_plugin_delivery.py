"""Which sifprov the plugin's helper may start: one that nobody but root can have changed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sifprov.pluginadmin import delivery
from sifprov.pluginadmin.delivery import deliver_command


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An interpreter whose packages are all in a folder; here we are root, and /tmp is ours."""
    packages = {}
    for name in delivery._PACKAGES:
        folder = tmp_path / "lib" / name
        (folder / "below").mkdir(parents=True)
        (folder / "below" / "part.py").write_text("")
        packages[name] = str(folder / "__init__.py")
        for file in ("__init__.py", "__main__.py"):
            (folder / file).write_text("")
    said = json.dumps([[str(tmp_path / "lib"), "/nowhere.zip"], packages])
    program = tmp_path / "python3"
    program.write_text(f"#!/bin/sh\ntest \"$1\" = -I || exit 1\ncat <<'E'\n{said}\nE\n")
    program.chmod(0o755)
    monkeypatch.setattr(delivery, "_ROOT", os.getuid())

    def untrusted(path: str) -> Iterator[str]:
        if Path(path).exists() and Path(path).stat().st_mode & 0o022:
            yield path

    monkeypatch.setattr(delivery, "untrusted", untrusted)
    monkeypatch.setattr(delivery, "unreachable", lambda path: iter(()))
    return str(program)


def test_a_program_of_roots_is_named(python: str, tmp_path: Path) -> None:
    main = str(tmp_path / "lib" / "sifprov" / "__main__.py")
    assert deliver_command(python) == (python, "-I", main)


@pytest.mark.parametrize(
    "path", ["python3", "lib", "lib/sqlalchemy", "lib/click/below/part.py", "lib/psycopg/below"]
)
def test_a_package_that_others_can_write_is_not_named(
    python: str, tmp_path: Path, path: str
) -> None:
    place = tmp_path / path
    place.chmod(place.stat().st_mode | 0o002)
    assert deliver_command(python) == ()


def test_nor_is_one_that_is_not_whole_or_that_others_cannot_reach(
    python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as changed:
        changed.setattr(delivery, "unreachable", lambda path: iter([path]))
        assert deliver_command(python) == ()
    with monkeypatch.context() as changed:
        changed.setattr(delivery, "_ROOT", os.getuid() + 1)
        assert deliver_command(python) == ()
    text = Path(python).read_text()
    Path(python).write_text(
        text.replace(json.dumps(str(tmp_path / "lib/psycopg/__init__.py")), "null")
    )
    assert deliver_command(python) == ()
    Path(python).write_text("#!/bin/sh\nexit 1\n")
    assert deliver_command(python) == ()
    assert deliver_command(str(tmp_path / "none")) == ()
