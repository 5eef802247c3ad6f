"""The data containers that an instance holds, as the runtime wrote them down when it started.

    CONFIG/instances/KIND/HOST/USER/NAME/NAME.json

CONFIG is `.singularity` or `.apptainer` in the user's home, KIND `sing` or `app`. The file holds
the engine's configuration in base64; its list of images has the real paths. Where they were
bound it does not say: they say so themselves. Source: internal/pkg/instance of both projects.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from sifprov.frozen import NamedTuple
from sifprov.runtime.binds import Bind
from sifprov.wrapper.quick import look

PREFIX = "instance://"
_DATA = 4
_MAX_FILE = 16 << 20


class Instance(NamedTuple):
    """The application container of an instance, and the data containers that it holds."""

    image: str
    data: tuple[Bind, ...]


def find(image: str, environ: Mapping[str, str], *, apptainer: bool) -> Instance | None:
    """Returns what is known of the instance `instance://NAME`."""
    name = image.removeprefix(PREFIX)
    if not name or "/" in name or name in (".", ".."):
        return None
    for folder in _folders(environ, apptainer=apptainer):
        try:
            with open(os.path.join(folder, name, f"{name}.json"), "rb") as file:
                return _parse(file.read(_MAX_FILE))
        except OSError:
            continue
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
    return None


def _folders(environ: Mapping[str, str], *, apptainer: bool) -> list[str]:
    import pwd

    dot, kind, prefix = (
        (".apptainer", "app", "APPTAINER") if apptainer else (".singularity", "sing", "SINGULARITY")
    )
    try:
        entry = pwd.getpwuid(os.getuid())
    except KeyError:
        return []
    bases = [environ.get(f"{prefix}_CONFIGDIR", "")]
    bases += [os.path.join(home, dot) for home in (environ.get("HOME", ""), entry.pw_dir) if home]
    host = os.uname().nodename
    return [os.path.join(b, "instances", kind, host, entry.pw_name) for b in bases if b]


def _parse(data: bytes) -> Instance:
    import base64
    import json

    document = json.loads(data)
    engine = json.loads(base64.b64decode(document["config"]))["engineConfig"]
    found = []
    for image in engine["jsonConfig"]["imageList"]:
        if image["usage"] != _DATA:
            continue
        path = str(image["path"])
        quick = look(path)
        folder = (quick.mount if quick else "") or "/"
        options = {"image-src": folder} | ({} if image["writable"] else {"ro": ""})
        found.append(Bind(path, folder, options, 0, -1))
    return Instance(str(document["image"]), tuple(found))
