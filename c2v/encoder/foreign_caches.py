"""Folders that other libraries keep: below c2v's cache, like everything else of c2v."""

from __future__ import annotations

import os
from typing import Final

from c2v.config import cache_dir

_FOLDERS: Final = {"TORCHINDUCTOR_CACHE_DIR": "torchinductor", "MPLCONFIGDIR": "matplotlib"}


def keep_caches_here() -> None:
    """Call it before torch makes a module or an optimiser, and before matplotlib is imported.

    Left alone the one makes a folder among the temporary files, which stays, although nothing is
    compiled; the other writes a list of fonts to the user's cache. Whoever set the variable chose
    another place.
    """
    for variable, folder in _FOLDERS.items():
        os.environ.setdefault(variable, str(cache_dir() / folder))
