"""What ImageNet's classifier knows, as training pairs: a made-up feature and texts of each class.

The classifier of the image tower says which features are of which of 1,000 classes. Under the
assumption of linear discriminant analysis (classes are Gaussian with one covariance), weights are
``w_c = Cov^-1 (mean_c - mean)`` up to a factor and what is common to all classes, so the mean of a
class is where its weights point to, turned by the covariance. Photos are not needed for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_DISTANCE = 8.0
"""How far from the mean: then the classifier itself names the class for 99 of 100."""
_SCATTER = 0.6
"""Of a training photo's own difference from the mean, which every example gets."""

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Prototypes:
    """C classes: the centre of each among photo features [C, I], and texts of each [C, P, J]."""

    centres: Array
    texts: Array


def class_centres(weights: Array, photos: Array) -> Array:
    """Where each class lies among the features of photos: [C, I], [N, I] -> [C, I]."""
    mean = photos.mean(0, dtype=np.float64)
    away = photos - mean
    covariance = away.T @ away / len(photos)  # [I, I]
    different = weights - weights.mean(0)
    centres: Array = (mean + _DISTANCE * different @ covariance).astype(np.float32)
    return centres


class PrototypeSampler:
    """Batches of made-up features and texts of classes, standardised like the photos'."""

    def __init__(
        self, centres: Tensor, texts: Tensor, photos: Tensor, *, random: torch.Generator
    ) -> None:
        """Standardised centres [C, I], texts [C, P, J] and photos [N, I]; ``random`` draws."""
        self._centres = centres
        self._texts = texts
        self._photos = photos
        self.random = random

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Features [count, I] and texts [count, J] of as many classes, no class twice."""
        import torch

        classes = torch.randperm(len(self._centres), generator=self.random)[:count]
        photo = torch.randint(len(self._photos), (count,), generator=self.random)
        text = torch.randint(self._texts.shape[1], (count,), generator=self.random)
        # Standardised photos have mean zero, so a photo is its own difference from the mean.
        features = self._centres[classes] + _SCATTER * self._photos[photo]
        return features, self._texts[classes, text]
