"""Paths as a script gives them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

StrPath = str | os.PathLike[str]


def several(paths: Iterable[StrPath] | StrPath) -> list[StrPath]:
    """A list of paths, also out of a single one."""
    return [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)


def expanded_path(path: StrPath) -> Path:
    """With ``~`` as the home folder; a name such as ~nobody stays as it is."""
    return Path(os.path.expanduser(path))  # noqa: PTH111
