"""The machine that the run was on.

Sources: uname(2), sched_getaffinity(2), proc(5), the NVIDIA driver's README (/proc/driver/nvidia),
and the kernel's ABI/testing/sysfs-driver-amd.
"""

from __future__ import annotations

import os

from sifprov.capture.facts.text import read_text
from sifprov.model.canonical import Json
from sifprov.model.fact import Fact

_NVIDIA = "/proc/driver/nvidia/gpus"
_DRM = "/sys/class/drm"
_MAX_GPUS = 64
# One processor's entry is shorter. The kernel makes the text as it is read, so that of a machine
# with hundreds of them costs no more.
_CPU_BYTES = 4096


def platform(*, host: bool = False) -> Fact:
    """Returns kernel, architecture, processor, memory in bytes and GPUs; with `host` its name."""
    system = os.uname()
    value: dict[str, Json] = {
        "architecture": system.machine,
        "cpus": len(os.sched_getaffinity(0)),
        "gpus": [*_gpus()],
        "kernel": f"{system.sysname} {system.release}",
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
    }
    model = cpu_model(read_text("/proc/cpuinfo", _CPU_BYTES))
    if model:
        value["cpu"] = model
    if host:
        value["host"] = system.nodename
    return Fact("platform", value, source="uname, /proc, /sys")


def cpu_model(text: str) -> str | None:
    """Returns the processor's name in /proc/cpuinfo, whose fields differ with architectures."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip().lower(), value.strip())
    for name in ("model name", "cpu model", "cpu", "uarch", "isa"):
        if fields.get(name):
            return fields[name]
    part = " ".join(fields[n] for n in ("cpu implementer", "cpu part") if fields.get(n))
    return part or None


def _gpus(nvidia: str = _NVIDIA, drm: str = _DRM) -> list[str]:
    """Returns the names of the GPUs that the drivers show."""
    found = []
    for bus in _names(nvidia):
        for line in read_text(os.path.join(nvidia, bus, "information"), 4096).splitlines():
            if line.startswith("Model:"):
                found.append(line.removeprefix("Model:").strip())
    for card in _names(drm):
        if not card.removeprefix("card").isdigit():
            continue
        device = os.path.join(drm, card, "device")
        vendor = read_text(os.path.join(device, "vendor"), 64).strip()
        if vendor == "0x10de" and found:
            continue  # NVIDIA's driver has told already
        name = read_text(os.path.join(device, "product_name"), 256).strip()
        number = read_text(os.path.join(device, "device"), 64).strip()
        if name or vendor:
            found.append(name or f"PCI {vendor}:{number}")
    return found[:_MAX_GPUS]


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))[: 4 * _MAX_GPUS]
    except OSError:
        return []
