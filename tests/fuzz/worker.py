"""One target under libFuzzer: `python -m tests.fuzz.worker TARGET [libFuzzer's options]`.

Needs atheris. Ends with the process, as libFuzzer does.
"""

from __future__ import annotations

import random
import sys

import atheris

# What is imported in here is measured; the standard library is not, which would cost speed.
with atheris.instrument_imports(include=["sifprov", "pyext2fs"]):
    from tests.fuzz.targets import TARGETS

from tests.fuzz.target import Target


def start(target: Target, options: list[str]) -> None:
    """Hands the process over to libFuzzer."""
    mutate = target.mutate

    def custom(data: bytes, most: int, seed: int) -> bytes:
        assert mutate
        return mutate(data, most, random.Random(seed), atheris.Mutate)  # noqa: S311

    if mutate:
        atheris.Setup([sys.argv[0], *options], target.run, custom_mutator=custom)
    else:
        atheris.Setup([sys.argv[0], *options], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    start(TARGETS[sys.argv[1]], sys.argv[2:])
