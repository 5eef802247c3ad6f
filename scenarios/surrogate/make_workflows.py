"""Writes the workflow in its three compositions: `make_workflows.py FOLDER [OPTION…]`.

The activities and what they do are the same in each; which container images they share is not.
OPTIONs are handed to the runtime's `exec` of each step.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

# Neurons of a hidden layer, and how many of them.
NETWORKS = ((16, 1), (48, 3), (96, 2))
# By composition: the application containers that simulate, train and draw.
COMPOSITIONS = {
    "coarse": ("all.sif", "all.sif", "all.sif"),
    "hybrid": ("learn.sif", "learn.sif", "plot.sif"),
    "fine": ("simulate.sif", "learn.sif", "plot.sif"),
}


def workflow(composition: str, options: list[str]) -> dict[str, Any]:
    """Returns the document of one composition; all paths are relative to its folder."""
    simulate, train, plot = (f"../{name}" for name in COMPOSITIONS[composition])
    steps: list[dict[str, Any]] = [
        {
            "activity": "simulate",
            "application": simulate,
            "inputs": [{"file": "../design.sif", "mount": "/Design"}],
            "outputs": [{"name": "simulated", "mount": "/Simulated", "free": "4M"}],
            "command": ["simulate", "/Design/design.csv", "/Simulated"],
        }
    ]
    nets = [f"{width}x{layers}" for width, layers in NETWORKS]
    for (width, layers), net in zip(NETWORKS, nets, strict=True):
        steps.append(
            {
                "activity": f"train-{net}",
                "application": train,
                "inputs": [{"output": "simulated", "mount": "/Simulated"}],
                "outputs": [{"name": f"network-{net}", "mount": "/Network", "free": "2M"}],
                "command": ["train", "/Simulated", "/Network", str(width), str(layers)],
                "metrics": "/Network/metrics.json",
                "tags": {"width": str(width), "layers": str(layers)},
            }
        )
    steps.append(
        {
            "activity": "draw",
            "application": plot,
            "inputs": [{"output": f"network-{net}", "mount": f"/{net}"} for net in nets],
            "outputs": [{"name": "picture", "mount": "/Outputs", "free": "2M"}],
            "command": [
                "gnuplot", "-c", "/usr/local/share/surrogate/plot.gp",
                " ".join(f"/{net}" for net in nets),
            ],
        }
    )  # fmt: skip
    if options:
        steps = [{**step, "options": options} for step in steps]
    return {
        "schema": "sifprov.workflow/1",
        "name": "surrogate",
        "composition": composition,
        "steps": steps,
    }


def main() -> None:
    """Writes `COMPOSITION.json` for each."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for composition in COMPOSITIONS:
        document = json.dumps(workflow(composition, sys.argv[2:]), indent=1)
        (folder / f"{composition}.json").write_text(document + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
