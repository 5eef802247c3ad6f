"""Builds containers as the thesis's prototype left them, with the runtime's own tools.

    python -m tests.corpus.prototype RUNTIME APP.sif FOLDER

Its plugin wrote by the SIF library what `sif new` and `sif add` write: a partition named like the
container, ext3 with the files in a folder of that name, and a document (JSON.Generic) `metadata`,
or `metadata.json` in a result, in the default group. The result's file system is what a run left.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from sifprov.sif import open_image
from tests.corpus.build import Tools

_PARTITION, _JSON = "4", "6"
# The scenario with two inputs, whose application runs two programs one behind the other.
COMMAND = "sh /train.sh -t /train/train.csv     sh /predict.sh -e /eval/eval.csv"
FILES = {
    "train": {"train.csv": "x,y\n1,2\n2,4\n"},
    "eval": {"eval.csv": "x\n3\n"},
    "predictions": {"predictions.csv": "y\n6\n"},
}


def build(runtime: str, app: Path, folder: Path, owner: tuple[int, int] | None = None) -> Path:
    """Builds train.sif, eval.sif, knn.sif and predictions.sif; returns the last. `owner`: whose
    files they and what is in them are to be."""
    work = folder / "work"
    work.mkdir(parents=True)
    t = Tools(runtime, app, work)
    for name in ("train", "eval"):
        path = _data(t, folder, name, owner)
        _static(t, path, {"InputContainers": None, "ApplicationContainer": None,
                          "OutputContainer": _named(path)})  # fmt: skip
    knn = folder / "knn.sif"
    shutil.copy(app, knn)
    _static(t, knn, None)
    path = _data(t, folder, "predictions", owner)
    inputs = [_named(folder / f"{name}.sif") for name in ("train", "eval")]
    trail = {"InputContainers": inputs, "ApplicationContainer": _named(knn),
             "OutputContainer": _named(path)}  # fmt: skip
    _add(t, path, "metadata.json", _document(path, COMMAND, trail))
    _give(folder, owner)
    return path


def uuid_of(path: Path) -> UUID:
    """The UUID in a container's header."""
    with open_image(str(path)) as (_, image):
        return image.header.uuid


def _data(t: Tools, folder: Path, name: str, owner: tuple[int, int] | None) -> Path:
    """A data container, made as the prototype made them."""
    tree, image = t.work / name, t.work / f"{name}.img"
    (tree / name).mkdir(parents=True)
    for file, text in FILES[name].items():
        (tree / name / file).write_text(text)
    _give(tree, owner)
    with image.open("wb") as file_system:
        file_system.truncate(4 << 20)
    for argv in (["mkfs.ext3", "-q", "-d", str(tree)], ["tune2fs", "-m", "0"]):
        subprocess.run([*argv, image], check=True, capture_output=True, timeout=60)
    path = folder / f"{name}.sif"
    t.new(path)
    t("sif", "add", "--datatype", _PARTITION, "--partfs", "2", "--parttype", "3", "--partarch", "2",
      "--groupid", "1", "--filename", name, path, image)  # fmt: skip
    return path


def _give(folder: Path, owner: tuple[int, int] | None) -> None:
    if owner:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, *owner)


def _static(t: Tools, path: Path, trail: Any) -> None:
    _add(t, path, "metadata", _document(path, "no operation", trail))


def _document(path: Path, command: str, trail: Any) -> dict[str, Any]:
    return {"UUID": str(uuid_of(path)), "Name": path.stem,
            "CreationTime": "2022-05-15T13:18:30-04:00", "ExecutionCommand": command,
            "RecordTrail": trail}  # fmt: skip


def _named(path: Path) -> dict[str, str]:
    return {"Name": path.stem, "UUID": str(uuid_of(path))}


def _add(t: Tools, path: Path, name: str, document: dict[str, Any]) -> None:
    file = t.work / name
    file.write_text(json.dumps(document, separators=(",", ":")))
    t("sif", "add", "--datatype", _JSON, "--groupid", "1", "--filename", name, path, file)


if __name__ == "__main__":
    print(build(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
