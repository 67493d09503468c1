"""What versions of c2v that replaced a model in two steps have left when they were killed."""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

_ASIDE = re.compile(r"\.(?P<name>.+)\.old\.[a-z0-9_]{8}")
_DRAFT = re.compile(r"\..+\.[a-z0-9_]{8}")
_ASIDE_NAME = "bundle"
_UNUSED_SECONDS = 86_400.0
"""They had no lock that says whether somebody is at work; none works for a day."""


def settle_earlier(root: Path) -> None:
    """Put a model that stepped aside back, and sweep drafts nobody has touched for a day."""
    try:
        names = sorted(name for name in os.listdir(root) if _DRAFT.fullmatch(name))  # noqa: PTH208
    except OSError:
        return
    for name in names:
        with contextlib.suppress(OSError):
            _settle_one(root / name)


def _settle_one(place: Path) -> None:
    aside = _ASIDE.fullmatch(place.name)
    if aside is not None:
        target, old = place.parent / aside["name"], place / _ASIDE_NAME
        if old.is_dir() and not os.path.lexists(target):
            old.rename(target)
    if place.is_dir() and _unused(place):
        import shutil

        shutil.rmtree(place, ignore_errors=True)


def _unused(place: Path) -> bool:
    touched = [path.stat().st_mtime for path in (place, *place.iterdir())]
    return time.time() - max(touched) > _UNUSED_SECONDS
