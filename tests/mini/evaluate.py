"""Retrieval on the photos of Flickr8k, by the files and classes that a search uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tests.mini.flickr import CAPTIONS, Split, read_picture, read_split

if TYPE_CHECKING:
    from c2v.encoder import Bundle

CUTS = (1, 5, 10)
_CHUNK = 64

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Recalls:
    """Percentages of queries whose target is among the first 1, 5 and 10."""

    text_to_image: tuple[float, ...]
    image_to_text: tuple[float, ...]


def evaluate(bundle: Bundle, data: Path, split: Split = "test") -> Recalls:
    """Encode the photos and captions of one part of the split and rank them as a library does.

    Raises:
        DataError: the data set is not whole.
    """
    photos = read_split(data, split)
    vectors = [
        bundle.embed_video(features[:, None], np.ones((len(features), 1), np.bool_))
        for features in _features(bundle, photos.paths)
    ]
    texts = bundle.embed_text(photos.texts())
    return recalls(bundle.for_library(np.concatenate(vectors)), bundle.as_questions(texts))


def recalls(images: Array, texts: Array) -> Recalls:
    """R@K of both directions.

    Every caption is a query of its own; a photo is found with its best caption. A tie counts
    against the model.

    Args:
        images: [N, V] as a library keeps them.
        texts: [N * 5, V] as a library is asked, the captions of one photo side by side.
    """
    similarity = texts @ images.T  # [N * 5, N]
    count = len(images)
    owner = np.arange(count).repeat(CAPTIONS)
    own = similarity[np.arange(len(texts)), owner]  # [N * 5]
    caption_rank = (similarity >= own[:, None]).sum(1)  # 1 is the best
    # A photo's own captions do not stand in each other's way.
    foreign = np.where(owner[:, None] == np.arange(count), -np.inf, similarity)
    best = own.reshape(count, CAPTIONS).max(1)  # [N]
    photo_rank = 1 + (foreign >= best).sum(0)
    return Recalls(_recall(caption_rank), _recall(photo_rank))


def _recall(ranks: NDArray[np.int64]) -> tuple[float, ...]:
    return tuple(100 * float((ranks <= cut).mean()) for cut in CUTS)


def _features(bundle: Bundle, paths: Sequence[Path]) -> list[Array]:
    return [
        bundle.encode_frames(
            np.stack([read_picture(path) for path in paths[start : start + _CHUNK]])
        )
        for start in range(0, len(paths), _CHUNK)
    ]
