"""Which machine and which versions the figures belong to."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

from c2v.cores import usable_cores

PACKAGES = ("torch", "open_clip_torch", "onnxruntime", "av", "decord", "hnswlib", "numpy")


def describe() -> dict[str, str | int | float]:
    """Processor, cores, memory, system and versions, by name."""
    facts: dict[str, str | int | float] = {
        "processor": _processor(),
        "cores": usable_cores(),
        "memory_gb": _memory_gb(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    for name in PACKAGES:
        try:
            facts[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            facts[name] = "absent"
    return facts


def sentence(facts: dict[str, str | int | float]) -> str:
    """The same in one line, for under the table."""
    head = "{processor}, {cores} cores, {memory_gb} GB, {system}, Python {python}".format(**facts)
    return ", ".join([head, *(f"{name} {facts[name]}" for name in PACKAGES)])


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def _memory_gb() -> float:
    if "SC_PHYS_PAGES" not in os.sysconf_names:
        return 0.0
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1)
