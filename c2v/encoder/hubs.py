"""The hub bias: a segment that is near to every sentence stands back.

In a space of many dimensions some segments are among the nearest of very many sentences, whatever
these say. So a segment's score is its inner product with the question less its *bias*: ``weight``
times the mean inner product with those sentences of a bank that are nearest to it. That is the
videos' half of CSLS (Conneau et al. 2018, arXiv 1710.04087, section 2.3: neighbours 10, weight
1/2); the half of the question is the same for all segments of an answer.

A library keeps it as one more number of each vector, ``[v, GAIN (typical - bias)]``, and a question
in words is ``[t, 1 / GAIN]``: still one inner product, which every index knows. A question of
pictures is ``[v, 0]``: between clips the bias does not count. ``typical``, the average bias, keeps
scores where they were.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.tensors import read_tensors
from c2v.errors import ModelError

if TYPE_CHECKING:
    from c2v.encoder.bundle_config import HubConfig
    from c2v.encoder.heads import Head

HUBS_NAME: Final = "hubs.safetensors"
GAIN: Final = 4.0
"""Biases differ by a few hundredths, which an index that keeps the directions in which vectors
differ most would drop; times this they are among them."""
_LEVELS = 127

Array = NDArray[np.float32]


class Hubs:
    """The bank of an encoder, as vectors of its head."""

    def __init__(self, settings: HubConfig, bank: Array) -> None:
        """``bank`` is [S, H], unit length."""
        if len(bank) < settings.neighbours:
            raise ModelError(
                f"{HUBS_NAME} has {len(bank)} sentences, {settings.neighbours} are needed"
            )
        self._settings = settings
        self._bank = bank

    @classmethod
    def load(cls, directory: Path, settings: HubConfig, head: Head) -> Hubs:
        """The bank of the bundle in ``directory``, through its head.

        Raises:
            ModelError: the file is absent, damaged or not the bank of such a head.
        """
        tensors = read_tensors(directory / HUBS_NAME)
        try:
            features = tensors["sentences.int8"] * tensors["sentences.scale"][:, None]  # [S, D]
        except KeyError as error:
            raise ModelError(f"{directory / HUBS_NAME} lacks {error}") from error
        one = np.ones((len(features), 1), np.bool_)
        return cls(settings, head.embed_text(features[:, None], one))

    def column(self, vectors: Array) -> Array:
        """What stands beside the vectors [N, H] of segments in a library: [N].

        A vector at a time, so that its number does not depend on those beside it.
        """
        found = biases(vectors, self._bank, neighbours=self._settings.neighbours)
        bias = np.float32(self._settings.weight) * found
        column: Array = np.float32(GAIN) * (np.float32(self._settings.typical) - bias)
        return column


def biases(vectors: Array, bank: Array, *, neighbours: int) -> Array:
    """The mean inner product of vectors [N, H] with the nearest of a bank [S, H]: [N]."""
    beyond = len(bank) - neighbours
    means = [np.partition(bank @ vector, beyond)[-neighbours:].mean() for vector in vectors]
    return np.array(means, np.float32)


def bank_tensors(features: Array) -> dict[str, NDArray[Any]]:
    """Sentence features [S, D], in 8 bits with a scale a row, as :meth:`Hubs.load` reads them."""
    peak = np.abs(features).max(1)
    scale = np.where(peak > 0, peak / _LEVELS, 1).astype(np.float32)
    levels = np.rint(features / scale[:, None]).astype(np.int8)
    return {"sentences.int8": levels, "sentences.scale": scale}
