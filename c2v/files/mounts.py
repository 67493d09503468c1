"""What is mounted where: which folders are the kernel's own, and which drive a path lies on."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TABLE = Path("/proc/self/mountinfo")
"""Linux's; reading it asks no drive anything. Other systems have none."""

_OF_THE_KERNEL = frozenset(
    {
        *("proc", "procfs", "sysfs", "devfs", "devpts", "devtmpfs", "cgroup", "cgroup2"),
        *("binfmt_misc", "bpf", "configfs", "debugfs", "efivarfs", "fusectl", "hugetlbfs"),
        *("mqueue", "nsfs", "pstore", "resctrl", "rpc_pipefs", "securityfs", "selinuxfs"),
        *("sockfs", "tracefs"),
    }
)
"""Kinds of file systems whose files are not stored anywhere: the kernel makes them up."""

_KNOWN_PLACES = ("/proc", "/sys", "/dev")
"""Theirs by custom, where a mount of its own is there, whatever its kind: in a container /dev is
an ordinary file system in memory."""


@dataclass(frozen=True, slots=True)
class Mount:
    """One file system, at one place."""

    point: str
    kind: str
    device: int
    """As ``st_dev`` of the files in it (btrfs' have others)."""


def mounts() -> list[Mount]:
    """What this process sees mounted, in the order in which it was; empty where that is unknown."""
    try:
        lines = os.fsdecode(_TABLE.read_bytes()).splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        # 22 27 0:21 / /proc rw,relatime shared:5 - proc proc rw
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not re.fullmatch(r"\d+:\d+", fields[2]):
            continue
        major, minor = fields[2].split(":")
        point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[4])
        found.append(Mount(point, after.split(" ")[0], os.makedev(int(major), int(minor))))
    return found


def kernel_devices() -> dict[int, str]:
    """``st_dev`` of the file systems that are the kernel's own, with the kind of each."""
    devices = {one.device: one.kind for one in mounts() if one.kind in _OF_THE_KERNEL}
    for place in _KNOWN_PLACES:
        try:
            device, whole = Path(place).stat().st_dev, Path("/").stat().st_dev
        except OSError:  # Windows, a container without it
            continue
        if device != whole:
            devices.setdefault(device, place[1:])
    return devices


def drive_of(path: str, mounted: Sequence[Mount]) -> str:
    """Where the file system of an absolute path is mounted; its folder where nothing is known."""
    points = [one.point for one in mounted if _is_below(path, one.point)]
    return max(points, key=len) if points else os.path.dirname(path)  # noqa: PTH120


def _is_below(path: str, point: str) -> bool:
    return path == point or path.startswith(point.rstrip(os.sep) + os.sep)
