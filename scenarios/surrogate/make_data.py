"""Writes the design of the simulations: `make_data.py FOLDER`, the same at every call.

Models of the ground with six layers, drawn as a Latin hypercube about a velocity that grows with
the depth. They are synthetic, and measured nowhere.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

MODELS, LAYERS, SPREAD = 400, 6, 0.10


def design() -> list[list[float]]:
    """Returns the velocities (m/s) of each model, from the top."""
    chance = random.Random(2024)  # noqa: S311 - no secret: a fixed seed
    columns = []
    for layer in range(LAYERS):
        middle = 1600 + 320 * layer
        cells = [(n + chance.random()) / MODELS for n in range(MODELS)]
        chance.shuffle(cells)
        columns.append([middle * (1 + SPREAD * (2 * cell - 1)) for cell in cells])
    return [list(row) for row in zip(*columns, strict=True)]


def main() -> None:
    """Writes `design.csv`."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    head = ",".join(f"layer{n}" for n in range(1, LAYERS + 1))
    rows = [",".join(f"{value:.2f}" for value in row) for row in design()]
    (folder / "design.csv").write_text("\n".join([head, *rows]) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
