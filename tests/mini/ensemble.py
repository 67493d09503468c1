"""Several trainings from different starts, folded into one projection.

The cosine of an ensemble is the mean of its members' cosines, that is, the cosine of their outputs
side by side. Those outputs are wide and say much the same, so they are turned onto the directions
in which photos and captions vary most. All of it is linear after the hidden layers, hence the
result has the form of one member with a wider hidden layer, and costs as little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tests.mini.fit import Recipe, fit
from tests.mini.prototypes import Prototypes

Array = NDArray[np.float32]
Side = dict[str, Array]


def fit_ensemble(
    photos: Array,
    captions: Array,
    recipe: Recipe,
    *,
    members: Sequence[Prototypes | None],
) -> tuple[Side, Side, list[float]]:
    """As :func:`tests.mini.fit.fit`, from several starts.

    Args:
        photos: features of each view of each photo, [views, N, I].
        captions: features of each caption of each photo, [N, C, J].
        recipe: the settings; member i is trained with the seed ``recipe.seed + i``.
        members: for each training the classes it learns beside the photos.

    Returns:
        The projection of photos, that of captions, and the losses of the last member.
    """
    photo_sides, caption_sides = [], []
    losses: list[float] = []
    for number, prototypes in enumerate(members):
        own = replace(recipe, seed=recipe.seed + number)
        photo, caption, losses = fit(photos, captions, own, prototypes)
        photo_sides.append(photo)
        caption_sides.append(caption)
    photo_side, photo_output = join(photo_sides, photos[0])
    caption_side, caption_output = join(caption_sides, captions[:, 0])
    axes = principal_axes((photo_output, caption_output), recipe.learned_dim)
    return turn(photo_side, axes), turn(caption_side, axes), losses


def apply(side: Side, features: Array) -> Array:
    """The projection in NumPy: [N, in] to [N, out]."""
    from c2v.encoder.numpy_layers import gelu

    x: Array = (features - side["mean"]) / side["std"]
    up: Array = x @ side["up.weight"] + side["up.bias"]
    linear: Array = x @ side["linear.weight"] + side["linear.bias"]
    down: Array = gelu(up) @ side["down.weight"] + side["down.bias"]
    return linear + down


def join(sides: Sequence[Side], features: Array) -> tuple[Side, Array]:
    """One projection whose output is all outputs side by side, each of mean length 1.

    Returns:
        The projection, and its output for ``features`` [N, in].
    """
    outputs = [apply(side, features) for side in sides]
    gains = [np.float32(1 / np.linalg.norm(output, axis=1).mean()) for output in outputs]
    hidden, width = sides[0]["down.weight"].shape
    down = np.zeros((len(sides) * hidden, len(sides) * width), np.float32)
    for index, (side, gain) in enumerate(zip(sides, gains, strict=True)):
        rows, columns = index * hidden, index * width
        down[rows : rows + hidden, columns : columns + width] = side["down.weight"] * gain

    def beside(name: str, *, scaled: bool) -> Array:
        parts = [
            side[name] * gain if scaled else side[name]
            for side, gain in zip(sides, gains, strict=True)
        ]
        return np.concatenate(parts, axis=-1)

    joined = {
        "mean": sides[0]["mean"],  # of the features, so the same for every member
        "std": sides[0]["std"],
        "linear.weight": beside("linear.weight", scaled=True),
        "linear.bias": beside("linear.bias", scaled=True),
        "up.weight": beside("up.weight", scaled=False),
        "up.bias": beside("up.bias", scaled=False),
        "down.weight": down,
        "down.bias": beside("down.bias", scaled=True),
    }
    scaled = [output * gain for output, gain in zip(outputs, gains, strict=True)]
    return joined, np.concatenate(scaled, axis=1)


def principal_axes(outputs: Sequence[Array], count: int) -> Array:
    """The ``count`` orthonormal directions that keep most of all outputs, [in, count].

    Inner products of turned photos and turned captions are the old ones, but for the directions
    that are left out.
    """
    covariance = sum((output.T.astype(np.float64) @ output) / len(output) for output in outputs)
    _, vectors = np.linalg.eigh(covariance)  # ascending
    axes: Array = vectors[:, ::-1][:, :count].astype(np.float32)
    return axes


def turn(side: Side, axes: Array) -> Side:
    """The projection followed by ``x @ axes``."""
    return side | {
        name: side[name] @ axes
        for name in ("linear.weight", "linear.bias", "down.weight", "down.bias")
    }
