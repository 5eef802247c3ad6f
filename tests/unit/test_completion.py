"""The shells' completion, which is click's own, finds verbs, options and files."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = "import sys; sys.argv[0] = 'sifprov'; from sifprov.__main__ import entry; entry()"


def completed(words: str, shell: str = "bash") -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={
            **os.environ, "_SIFPROV_COMPLETE": f"{shell}_complete", "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        },
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("sifprov exe", ["plain,exec"]),
        ("sifprov shell-init z", ["plain,zsh"]),
        ("sifprov data see", []),
        ("sifprov data se", ["plain,seal"]),
        ("sifprov exec --runt", ["plain,--runtime"]),
        ("sifprov exec --in da", ["file,da"]),
        ("sifprov run app", ["file,app"]),
        ("sifprov trail out", ["file,out"]),
        ("sifprov rerun --from", ["plain,--from-origin"]),
        ("sifprov rerun out", ["file,out"]),
        ("sifprov rerun --search arch", ["dir,arch"]),
    ],
)
def test_words(words: str, found: list[str]) -> None:
    assert completed(words) == found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_its_script(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "_SIFPROV_COMPLETE": f"{shell}_source"},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert "_SIFPROV_COMPLETE" in done.stdout
