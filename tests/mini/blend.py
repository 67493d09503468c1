"""Two spaces as one: the learnt one, and that of the names of ImageNet's classes.

The second is ConSE (Norouzi et al. 2014, arXiv 1312.5650): a picture stands where the texts of its
classes stand, each weighed by its probability, in MiniLM's own space, where the question needs no
projection. It knows a thousand things by name that 6,000 photos do not show. A score is

    LEARNED cos(u, t) + (1 - LEARNED) <s, unit(m)>,    s = GAIN (p E - mean of p E),

for a picture's learnt feature u and class probabilities p, and a text's learnt feature t and
MiniLM feature m. ``s`` has the length that comes out: of a picture that is nothing of the thousand
it is short, and then it counts little. Both spaces side by side are turned onto the directions in
which pictures and texts vary most; that is linear, so it costs two small products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.numpy_layers import softmax_, unit
from tests.mini.ensemble import principal_axes

LEARNED = 0.7
GAIN = 1.5

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Classifier:
    """ImageNet's: weights [I, C] and bias [C] on pooled features [N, I]."""

    weight: Array
    bias: Array

    def probabilities(self, pooled: Array) -> Array:
        """[N, I] to [N, C]."""
        found: Array = softmax_(pooled @ self.weight + self.bias)
        return found


@dataclass(frozen=True, slots=True)
class Blend:
    """What turns both parts of a picture, and of a text, into W numbers.

    Attributes:
        learned: [U, W], of the unit learnt feature of either side.
        classes: [C, W], of a picture's probabilities; ``offset`` [W] is added.
        texts: [J, W], of a text's unit MiniLM feature.
    """

    learned: Array
    classes: Array
    offset: Array
    texts: Array

    def of_photos(self, learned: Array, probabilities: Array) -> Array:
        """[N, U], [N, C] to [N, W]; what the image graph computes."""
        blended: Array = unit(learned) @ self.learned + probabilities @ self.classes + self.offset
        return blended

    def of_texts(self, learned: Array, pooled: Array) -> Array:
        """[N, U], [N, J] to [N, W]; what the text tower computes."""
        blended: Array = unit(learned) @ self.learned + unit(pooled) @ self.texts
        return blended


def class_texts(phrasings: Sequence[Array]) -> Array:
    """The place of each class in MiniLM's space: the mean of its texts [C, J] each, unit."""
    return unit(np.sum([unit(texts) for texts in phrasings], axis=0))


def fit_blend(
    places: Array,
    photos: tuple[Array, Array],
    texts: Sequence[tuple[Array, Array]],
    width: int,
) -> Blend:
    """The blend that keeps most of what photos and texts differ in.

    Args:
        places: [C, J], the classes in MiniLM's space.
        photos: learnt features [N, U] and probabilities [N, C] of the training photos.
        texts: learnt features [N, U] and MiniLM features [N, J] of several kinds of text.
        width: W.
    """
    learned, probabilities = photos
    shown = probabilities @ places  # [N, J]
    centre = shown.mean(0)
    first, second = np.float32(LEARNED**0.5), np.float32((1 - LEARNED) ** 0.5)
    outputs = [np.concatenate([first * unit(learned), second * GAIN * (shown - centre)], axis=1)]
    for own, pooled in texts:
        outputs.append(np.concatenate([first * unit(own), second * unit(pooled)], axis=1))
    axes = principal_axes(outputs, width)  # [U + J, W]
    split = learned.shape[1]
    gain = np.float32(GAIN) * second
    return Blend(
        learned=first * axes[:split],
        classes=gain * (places @ axes[split:]),
        offset=-gain * (centre @ axes[split:]),
        texts=second * axes[split:],
    )
