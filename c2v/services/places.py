"""Where the library of a name is."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from c2v.config import data_dir, expanded
from c2v.errors import UsageError

StrPath = str | os.PathLike[str]


def library_folder(name: str) -> Path:
    """The folder of a library given by name, or by anything that looks like a path."""
    if "://" in name:
        raise UsageError(
            f"--library {name}: libraries on a server are not supported",
            hint="give a name or a folder",
        )
    looks_like_path = any(mark in name for mark in ("/", "\\", "~")) or name.startswith(".")
    if "\0" in name:
        raise UsageError("--library: a name with a zero byte", hint="give a name or a folder")
    if looks_like_path:
        return expanded(name, where="--library").absolute()
    return data_dir() / "libraries" / name


def several(paths: Iterable[StrPath] | StrPath) -> list[StrPath]:
    return [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)


def expanded_path(path: StrPath) -> Path:
    """With ``~`` as the home folder; a name such as ~nobody stays as it is."""
    return Path(os.path.expanduser(path))  # noqa: PTH111
