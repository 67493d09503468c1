"""Which videos a search may answer with: path patterns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path


def path_matches(path: str, patterns: Sequence[str]) -> bool:
    """Whether ``path`` (absolute) is meant by at least one of ``patterns``.

    A pattern is a file, a folder (everything below it) or a glob in which ``*`` also crosses
    folders. Relative ones are tried from the current folder and then at any depth, so that
    ``holidays``, ``holidays/*.mp4`` and ``*.mkv`` all mean what they seem to.
    """
    return any(_matches_one(path, pattern) for pattern in patterns)


def _matches_one(path: str, pattern: str) -> bool:
    expanded = os.path.normcase(os.path.expanduser(pattern)).rstrip("/\\")  # noqa: PTH111
    path = os.path.normcase(path)
    anchored = str(Path.cwd() / expanded)  # an absolute pattern stays as it is
    tries = [anchored]
    if not os.path.isabs(expanded):  # noqa: PTH117 - the pattern is no path yet
        floating = expanded[2:] if expanded.startswith(("./", ".\\")) else f"*{os.sep}{expanded}"
        tries.append(floating)
    return any(fnmatchcase(path, t) or fnmatchcase(path, t + os.sep + "*") for t in tries)
