"""Containers as the thesis's prototype leaves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.unit.sifs import add_object, make_sif

TRAIN, EVAL, KNN, PREDICTIONS = (UUID(f"00000000-0000-4000-8000-0000000000{n}") for n in
                                 ("a1", "a2", "a3", "a4"))  # fmt: skip
COMMAND = "python3 /knn_train.py -m /predictions/     python3 /knn_predict.py -m /predictions/"


def named(name: str, uuid: UUID) -> dict[str, str]:
    """How a document names a container."""
    return {"Name": name, "UUID": str(uuid)}


def static(name: str, uuid: UUID, trail: Any = None) -> dict[str, Any]:
    """The document of a container that no run made."""
    return {"UUID": str(uuid), "Name": name, "CreationTime": "2022-05-15T13:18:29-04:00",
            "ExecutionCommand": "no operation", "RecordTrail": trail}  # fmt: skip


def result(**changes: Any) -> dict[str, Any]:
    """The document of the result."""
    return {
        "UUID": str(PREDICTIONS), "Name": "predictions",
        "CreationTime": "2022-05-15T13:18:30-04:00", "ExecutionCommand": COMMAND,
        "RecordTrail": {
            "InputContainers": [named("train", TRAIN), named("eval", EVAL)],
            "ApplicationContainer": named("knn", KNN),
            "OutputContainer": named("predictions", PREDICTIONS),
        },
        **changes,
    }  # fmt: skip


def put(path: Path, uuid: UUID, document: Any, name: bytes = b"metadata") -> Path:
    """Makes a container with this document, as Go's encoder writes JSON."""
    make_sif(path, uuid=uuid, name=path.stem.encode())
    data = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    add_object(path, data, name=name, group=1)
    return path


def workflow(folder: Path) -> Path:
    """Makes the thesis's fourth scenario: two inputs, an application, a result. Returns that."""
    for name, uuid in (("train", TRAIN), ("eval", EVAL)):
        trail = {"InputContainers": None, "ApplicationContainer": None,
                 "OutputContainer": named(name, uuid)}  # fmt: skip
        put(folder / f"{name}.sif", uuid, static(name, uuid, trail))
    put(folder / "knn.sif", KNN, static("knn", KNN))
    return put(folder / "predictions.sif", PREDICTIONS, result(), b"metadata.json")
