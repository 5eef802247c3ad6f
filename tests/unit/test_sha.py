"""SHA-256 is the same, whoever makes it."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from sifprov import sha


@pytest.mark.parametrize("size", [0, 1, 1000, sha._LITTLE - sha._CALL, sha._LITTLE, 3 << 20])
def test_the_digest_is_that_of_hashlib(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sha, "_done", 0)
    data = bytes(range(256)) * (size // 256 + 1)
    assert sha.sha256(data[:size]).digest() == hashlib.sha256(data[:size]).digest()
    pieces = sha.sha256(size=size)
    pieces.update(data[:size])
    assert pieces.hexdigest() == hashlib.sha256(data[:size]).hexdigest()


def test_openssl_is_loaded_for_much_and_only_then() -> None:
    code = (
        "import sys\nfrom sifprov.sha import sha256\n"
        "def much(): return '_hashlib' in sys.modules\n"
        "sha256(bytes(1000)); sha256(size=1 << 18); print(much())\n"
        "sha256(size=1 << 20); print(much())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False\nTrue\n"


def test_many_little_ones_are_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sha, "_done", 0)
    kinds = [type(sha.sha256(bytes(4096))) for _ in range(200)]
    assert kinds[0] is not kinds[-1] is type(hashlib.sha256())
