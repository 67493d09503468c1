"""Pieces of texts as the rows of ids that a text tower takes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle_config import TextConfig


def id_rows(
    pieces: Iterable[list[int]], config: TextConfig
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Ids [N, context], padded, and mask [N, context], True from start to end token."""
    start = [] if config.start_id is None else [config.start_id]
    rows = [[*start, *own][: config.context - 1] + [config.end_id] for own in pieces]
    ids = np.full((len(rows), config.context), config.pad_id, np.int64)
    mask = np.zeros((len(rows), config.context), np.bool_)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = True
    return ids, mask
