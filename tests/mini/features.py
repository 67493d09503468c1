"""Features of photos and captions before the projections, by the classes a search uses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle_config import TextConfig
from c2v.encoder.text.wordpiece import WordPieceTokenizer
from c2v.encoder.towers.minilm_numpy import MiniLM
from c2v.encoder.towers.onnx_image import OnnxImageTower, make_session
from tests.mini.flickr import CAPTIONS, Photos, random_view, read_picture
from tests.mini.lite0 import POOLED_DIM

_CHUNK = 64  # photos in memory at once

Array = NDArray[np.float32]


def photo_features(graph: Path, paths: Sequence[Path], *, views: int = 1, seed: int = 0) -> Array:
    """Pooled features of N photos, [views, N, 1280].

    View 0 is the photo, view 1 its mirror image, every further one a random part of it. The random
    parts depend on the seed and the photo's position alone.
    """
    tower = OnnxImageTower(make_session(graph), feature_dim=POOLED_DIM)
    features = np.empty((views, len(paths), POOLED_DIM), np.float32)
    for start in range(0, len(paths), _CHUNK):
        pictures = [read_picture(path) for path in paths[start : start + _CHUNK]]
        for view in range(views):
            seen = [
                _view(picture, view, seed=seed, position=start + index)
                for index, picture in enumerate(pictures)
            ]
            features[view, start : start + _CHUNK] = tower.encode(np.stack(seen))
    return features


def evenly(paths: Sequence[Path], count: int) -> NDArray[np.uint8]:
    """``count`` photos spread over the list, [count, 224, 224, 3]."""
    chosen = np.linspace(0, len(paths) - 1, count).round().astype(int)
    return np.stack([read_picture(paths[index]) for index in chosen])


def caption_features(encoder: MiniLM, tokenizer: WordPieceTokenizer, photos: Photos) -> Array:
    """Pooled features of the captions, [N, 5, 384]."""
    pooled = encoder.pool(*tokenizer.encode(photos.texts()))
    return pooled.reshape(len(photos.paths), CAPTIONS, -1)


def text_features(encoder: MiniLM, tokenizer: WordPieceTokenizer, texts: Sequence[str]) -> Array:
    """Pooled features of texts, [N, 384]."""
    return encoder.pool(*tokenizer.encode(texts))


def text_config(context: int, vocabulary: Sequence[str]) -> TextConfig:
    """How texts become ids: BERT's special tokens, by their place in the vocabulary."""
    return TextConfig(
        family="minilm",
        tokenizer="wordpiece",
        clean="none",  # the tokenizer lowers and cleans in its own way
        context=context,
        start_id=vocabulary.index("[CLS]"),
        end_id=vocabulary.index("[SEP]"),
        pad_id=vocabulary.index("[PAD]"),
        specials={},
        settings={},
    )


def _view(picture: NDArray[np.uint8], view: int, *, seed: int, position: int) -> NDArray[np.uint8]:
    if view == 0:
        return picture
    if view == 1:
        return picture[:, ::-1]
    return random_view(picture, np.random.default_rng((seed, view, position)))
