"""Which plugins a runtime would load, by its own lists: no plugin is loaded for that.

Source: internal/pkg/plugin/meta.go of both runtimes. `PLUGIN_ROOTDIR/*.meta` is JSON with the
plugin's name, whether it is enabled, and the Go types of its callbacks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from sifprov.frozen import dataclass
from sifprov.pluginadmin.place import NAME

_MONITOR = "MonitorContainer"


@dataclass(frozen=True)
class Installed:
    """One installed plugin; `callbacks` are Go types, as in `singularity.MonitorContainer`."""

    path: Path
    name: str
    enabled: bool
    callbacks: tuple[str, ...]

    @property
    def monitors(self) -> bool:
        """Whether it takes over the wait for a container's end, which only one plugin may."""
        return any(name.rpartition(".")[2] == _MONITOR for name in self.callbacks)


def installed_plugins(root: Path) -> Iterator[Installed]:
    """Yields what the runtime lists. As the runtime does, it passes over what it cannot read."""
    for path in sorted(root.glob("*.meta")):
        try:
            meta = json.loads(path.read_bytes())
            yield Installed(
                path,
                str(meta["Name"]),
                meta.get("Enabled") is True,
                tuple(str(name) for name in meta.get("Callbacks") or ()),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue


def own_plugin(root: Path) -> Installed | None:
    """Returns our plugin's entry."""
    return next((plugin for plugin in installed_plugins(root) if plugin.name == NAME), None)


def rivals(root: Path) -> list[str]:
    """Returns the names of the other enabled plugins that monitor containers.

    Beside one of them ours makes every run fail: "multiple plugins have registered callback".
    """
    return [
        plugin.name
        for plugin in installed_plugins(root)
        if plugin.name != NAME and plugin.enabled and plugin.monitors
    ]
