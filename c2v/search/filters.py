"""Which videos a search may answer with: path patterns."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from fnmatch import translate
from pathlib import Path


def path_filter(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Whether a path (absolute) is meant by at least one of ``patterns``.

    A pattern is a file, a folder (everything below it) or a glob in which ``*`` also crosses
    folders. Relative ones are tried from the current folder and then at any depth, so that
    ``holidays``, ``holidays/*.mp4`` and ``*.mkv`` all mean what they seem to.
    """
    globs = [glob for pattern in patterns for glob in _globs(pattern)]
    if not globs:
        return lambda _path: False
    matches = re.compile("|".join(translate(glob) for glob in globs)).match
    return lambda path: matches(os.path.normcase(path)) is not None


def _globs(pattern: str) -> list[str]:
    """Globs that match whole paths, in the form ``os.path.normcase`` gives them."""
    expanded = os.path.normcase(os.path.expanduser(pattern)).rstrip("/\\")  # noqa: PTH111
    anchored = str(Path.cwd() / expanded)  # an absolute pattern stays as it is
    tries = [anchored]
    if not os.path.isabs(expanded):  # noqa: PTH117 - the pattern is no path yet
        floating = expanded[2:] if expanded.startswith(("./", ".\\")) else f"*{os.sep}{expanded}"
        tries.append(floating)
    return [glob for one in tries for glob in (one, one + os.sep + "*")]
