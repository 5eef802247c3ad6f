#!/usr/bin/env python3
"""Simulates what a geophone on the surface hears of layered ground: `simulate DESIGN.csv OUT`.

DESIGN.csv has one model of the ground a line: the velocities (m/s) of its layers, from the top. The
acoustic wave equation in one dimension, u_tt = c(z)² u_zz, is solved by second-order finite
differences for all of them at once; a Ricker wavelet enters at the surface, which absorbs what
comes back (Engquist and Majda), as does the bottom. Into OUT go `velocities.npy` (models, layers)
and `traces.npy` (models, samples), both float32.
"""

import sys
from pathlib import Path

import numpy as np

DEPTH, CELLS = 1600.0, 160  # m
DT, STEPS = 0.002, 800  # s
PEAK = 12.0  # Hz, of the wavelet
EVERY = 10  # steps between two samples
FIRST = 120  # of the steps: before, there is the wavelet alone


def simulate(velocities):
    """Returns the traces (models, samples) of `velocities` (models, layers) in m/s."""
    models, layers = velocities.shape
    dz = DEPTH / CELLS
    layer = np.minimum(np.arange(CELLS) * layers // CELLS, layers - 1)
    courant = velocities[:, layer] * DT / dz
    if courant.max() >= 1:
        raise SystemExit(f"a velocity of {velocities.max():.0f} m/s is too fast for this grid")
    squared = courant**2
    first, last = courant[:, 0], courant[:, -1]
    before = np.zeros((models, CELLS))
    now = np.zeros((models, CELLS))
    traces = np.empty((models, (STEPS - FIRST) // EVERY))
    for step in range(STEPS):
        after = 2 * now - before
        after[:, 1:-1] += squared[:, 1:-1] * (now[:, 2:] - 2 * now[:, 1:-1] + now[:, :-2])
        after[:, 0] = now[:, 0] + first * (now[:, 1] - now[:, 0])
        after[:, -1] = now[:, -1] - last * (now[:, -1] - now[:, -2])
        phase = (np.pi * PEAK * (step * DT - 1.2 / PEAK)) ** 2
        after[:, 1] += (1 - 2 * phase) * np.exp(-phase) * squared[:, 1]
        before, now = now, after
        if step >= FIRST and (step - FIRST) % EVERY == EVERY - 1:
            traces[:, (step - FIRST) // EVERY] = now[:, 1]
    return traces


def main():
    design, out = sys.argv[1], Path(sys.argv[2])
    velocities = np.loadtxt(design, delimiter=",", skiprows=1, ndmin=2)
    traces = simulate(velocities)
    np.save(out / "velocities.npy", velocities.astype(np.float32))
    np.save(out / "traces.npy", traces.astype(np.float32))
    print(f"{len(traces)} models of {velocities.shape[1]} layers, {traces.shape[1]} samples each")


main()
