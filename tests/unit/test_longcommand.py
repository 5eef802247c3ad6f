"""A command line with very many binds, as a folded trail shows it."""

from __future__ import annotations

import pytest

from sifprov.render.longcommand import shortened
from sifprov.terminal import command


def binds(count: int, option: str = "-B") -> list[str]:
    return [word for n in range(count) for word in (option, f"fits/{n}.sif:/Sweep/{n}")]


@pytest.mark.parametrize("option", ["-B", "--mount"])
def test_many_binds_are_counted(option: str) -> None:
    shown = shortened(["singularity", "exec", *binds(200, option), "app.sif", "sh", "-c", "a b"])
    first = " ".join(binds(3, option))
    assert shown == (
        f"singularity exec {first} … 196 more binds … "
        f"{option} fits/199.sif:/Sweep/199 app.sif sh -c 'a b'"
    )
    assert "… 3 more binds …" in shortened(binds(7))


@pytest.mark.parametrize(
    "argv", [[], ["-B"], ["app", *binds(6), "-B"], [*binds(4), "app", *binds(4)], ["a\x1bb", "-B"]]
)
def test_everything_else_is_shown_as_it_is(argv: list[str]) -> None:
    assert shortened(argv) == command(argv)
