"""The two towers of an encoder, behind two small protocols.

Stage 1 of c2v: an image tower turns a frame into a feature, a text tower turns the tokens of a
sentence into features of the same space. Each family of towers lives in its own module, imported
only when :mod:`c2v.encoder.towers.making` makes one of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from c2v.errors import ModelError

if TYPE_CHECKING:
    from c2v.encoder.bundle_config import BundleConfig


@dataclass(frozen=True, slots=True)
class TextFeatures:
    """Token features of N texts, not normalised.

    Attributes:
        tokens: [N, L, D] float32.
        mask: [N, L] bool; the last True of a row is the pooled feature of the text (EOT in CLIP).
    """

    tokens: NDArray[np.float32]
    mask: NDArray[np.bool_]

    def pooled(self) -> NDArray[np.float32]:
        """[N, D]: the feature at the last masked position of each text."""
        last = self.mask.shape[1] - 1 - np.argmax(self.mask[:, ::-1], axis=1)  # [N]
        pooled: NDArray[np.float32] = self.tokens[np.arange(len(self.tokens)), last]
        return pooled


class ImageTower(Protocol):
    """Frames to features."""

    def encode(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """[N, side, side, 3] uint8 RGB to [N, D] float32, not normalised; any N."""
        ...


class TextTower(Protocol):
    """Tokens to features."""

    def encode(self, ids: NDArray[np.int64], mask: NDArray[np.bool_]) -> TextFeatures:
        """Ids [N, L] and mask [N, L] (True up to the end token) to features; any N."""
        ...


@runtime_checkable
class WordTower(Protocol):
    """A text tower that gives one feature a text, and can be asked for its words, too."""

    def encode_words(self, ids: NDArray[np.int64], mask: NDArray[np.bool_]) -> TextFeatures:
        """As ``encode`` of other towers: a feature a token, the last one that of the text."""
        ...


def no_such_precision(config: BundleConfig, precision: str, where: str = "") -> ModelError:
    """Numbers were asked for that the image tower of a bundle cannot compute with."""
    return ModelError(
        f"--precision {precision} was asked for, which {config.name} cannot do{where}",
        hint="--precision auto (or c2v config unset precision), or another --model",
    )


def require_keys(
    state: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]], *, what: str
) -> None:
    """Compare names and shapes strictly.

    Raises:
        ModelError: naming the first key that is missing, unknown or of another shape.
    """
    missing = sorted(set(expected) - set(state))
    if missing:
        raise ModelError(f"{what}: {len(missing)} weights are missing, the first is {missing[0]}")
    unknown = sorted(set(state) - set(expected))
    if unknown:
        raise ModelError(f"{what}: {len(unknown)} weights are unknown, the first is {unknown[0]}")
    for name, shape in expected.items():
        if tuple(state[name]) != tuple(shape):
            raise ModelError(
                f"{what}: {name} has shape {list(state[name])}, expected {list(shape)}"
            )
