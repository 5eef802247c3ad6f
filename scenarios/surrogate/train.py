#!/usr/bin/env python3
"""Trains a neural network to stand in for the simulation: `train IN OUT WIDTH LAYERS`.

IN has what simulate.py left. A multilayer perceptron with LAYERS hidden layers of WIDTH neurons
learns the traces from the velocities, by three quarters of the models; the others test it. Into
OUT go `metrics.json` (r2, rmse and loss of the test, and how many weights there are), `loss.csv`
and `traces.csv`, in which three tested models are simulated and predicted.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import mean_squared_error, r2_score
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

SAMPLE = 0.02  # s between two samples of a trace


def main():
    source, out, width, layers = Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:5])
    velocities = np.load(source / "velocities.npy")
    traces = np.load(source / "traces.npy")
    tested = np.arange(len(traces)) % 4 == 3
    inputs, outputs = StandardScaler().fit(velocities[~tested]), StandardScaler(with_std=False)
    outputs.fit(traces[~tested])
    scale = traces[~tested].std()
    network = MLPRegressor(
        (width,) * layers, max_iter=250, learning_rate_init=0.003, random_state=1
    )
    # It is stopped after so many rounds on purpose, so that every network costs about the same.
    warnings.simplefilter("ignore", ConvergenceWarning)
    network.fit(inputs.transform(velocities[~tested]), outputs.transform(traces[~tested]) / scale)
    predicted = outputs.inverse_transform(
        network.predict(inputs.transform(velocities[tested])) * scale
    )
    truth = traces[tested]
    metrics = {
        "r2": round(float(r2_score(truth.ravel(), predicted.ravel())), 4),
        "rmse": round(float(np.sqrt(mean_squared_error(truth, predicted))), 5),
        "loss": round(float(network.loss_), 5),
        "weights": sum(w.size for w in (*network.coefs_, *network.intercepts_)),
    }
    (out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    np.savetxt(out / "loss.csv", network.loss_curve_, fmt="%.6g")
    time = np.arange(truth.shape[1]) * SAMPLE
    shown = [time, *(column for n in range(3) for column in (truth[n], predicted[n]))]
    np.savetxt(out / "traces.csv", np.column_stack(shown), fmt="%.6g", delimiter=",")
    print(" ".join(f"{name}={value}" for name, value in metrics.items()))


main()
