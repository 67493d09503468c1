"""From pretrained weights and photos to all that the bundle is written of."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle_config import TextConfig
from c2v.encoder.numpy_layers import unit
from c2v.encoder.text.wordpiece import WordPieceTokenizer
from c2v.encoder.towers.minilm_numpy import MiniLM
from c2v.encoder.towers.onnx_image import GRAPH_NAME
from c2v.errors import DataError
from tests.mini import sources
from tests.mini.blend import Blend, class_texts, fit_blend
from tests.mini.calibration import PHOTOS, Range, calibrate
from tests.mini.classes import class_phrasings
from tests.mini.ensemble import Side, apply, fit_ensemble
from tests.mini.features import (
    caption_features,
    evenly,
    photo_features,
    text_config,
    text_features,
)
from tests.mini.fit import Recipe
from tests.mini.flickr import Photos, read_split
from tests.mini.image_graph import Outputs, write_image_graph
from tests.mini.lite0 import Layer, layers
from tests.mini.prototypes import Prototypes, class_centres
from tests.mini.text_tensors import CONTEXT, Tensors, encoder_tensors

VIEWS = 6  # of each training photo: itself, mirrored, and random parts
WIDTH = 511  # of a feature; the hub bias makes it 512 in a library
NEIGHBOURS, WEIGHT = 10, 0.5  # of the hub bias
_BANK = (1750, 250)  # captions of Flickr8k and of COCO that tell what is near to everything

Array = NDArray[np.float32]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """Both towers and the bank of the hub bias [S, WIDTH], with what it gives on the average."""

    network: Sequence[Layer]
    ranges: Mapping[str, Range]
    outputs: Outputs
    text: TextConfig
    text_tensors: Tensors
    caption_side: Side
    vocabulary: str
    bank: Array
    typical: float


@dataclass(frozen=True, slots=True, eq=False)
class _Texts:
    """MiniLM's features of all that is read: [N, 5, 384] of captions, [*, 384] of the rest."""

    captions: Array
    coco: Array
    classes: tuple[Array, ...]


def learn(data: Path, coco: Path, recipe: Recipe, *, on_step: Say) -> Made:
    """Train on the photos in ``data``; ``coco`` is a CSV of captions.

    Raises:
        DataError: a data set is not whole.
        ModelError: a package of pretrained weights is not installed.
    """
    network, text_tensors = layers(sources.image_weights()), encoder_tensors(sources.text_weights())
    classifier, vocabulary = sources.classifier(), sources.vocabulary()
    photos, others = read_split(data, "train"), _coco_captions(coco)
    text = text_config(CONTEXT, vocabulary.splitlines())
    texts = _read_texts(
        MiniLM(text_tensors),
        WordPieceTokenizer(vocabulary.splitlines(), text),
        photos,
        others,
        on_step,
    )
    on_step(f"{len(photos.paths)} photos, {VIEWS} views each, through EfficientNet-Lite0")
    ranges = calibrate(network, evenly(photos.paths, PHOTOS), seed=recipe.seed)
    with tempfile.TemporaryDirectory() as scratch:
        graph = Path(scratch) / GRAPH_NAME
        write_image_graph(graph, network, ranges)
        views = photo_features(graph, photos.paths, views=VIEWS, seed=recipe.seed)

    centres = class_centres(classifier.weight.T, views[0])
    classes = Prototypes(centres, np.stack(texts.classes, axis=1))
    members = (None, classes, classes)
    on_step(f"{len(members)} trainings of {recipe.passes} passes over the captions")
    photo_side, caption_side, losses = fit_ensemble(views, texts.captions, recipe, members=members)
    on_step(f"loss {losses[0]:.3f} at the first step, {losses[-1]:.3f} at the last")

    learned, probabilities = apply(photo_side, views[0]), classifier.probabilities(views[0])
    read = (texts.captions[:, 0], texts.coco, texts.classes[0])
    blend = fit_blend(
        class_texts(texts.classes[:3]),
        (learned, probabilities),
        [(apply(caption_side, pooled), pooled) for pooled in read],
        WIDTH,
    )
    bank = _bank(texts, caption_side, blend)
    typical = _typical_bias(unit(blend.of_photos(learned, probabilities)), unit(bank))
    outputs = Outputs(photo_side, classifier, blend)
    return Made(
        network, ranges, outputs, text, text_tensors, caption_side, vocabulary, bank, typical
    )


def _read_texts(
    encoder: MiniLM,
    tokenizer: WordPieceTokenizer,
    photos: Photos,
    coco: Sequence[str],
    on_step: Say,
) -> _Texts:
    on_step(f"{len(photos.texts())} captions and {len(coco)} of COCO through MiniLM")
    return _Texts(
        caption_features(encoder, tokenizer, photos),
        text_features(encoder, tokenizer, coco),
        tuple(text_features(encoder, tokenizer, one) for one in class_phrasings()),
    )


def _coco_captions(file: Path) -> list[str]:
    """Every fifth caption of a CSV of them: one of each picture."""
    try:
        with file.open(encoding="utf-8", newline="") as rows:
            return [row["caption"] for row in csv.DictReader(rows)][::5]
    except (OSError, KeyError) as error:
        raise DataError(f"{file} is no CSV with a column caption: {error}") from error


def _bank(texts: _Texts, caption_side: Side, blend: Blend) -> Array:
    """Features [S, WIDTH] of sentences spread evenly over both lists."""
    flickr = texts.captions.reshape(-1, texts.captions.shape[-1])
    lists = ((flickr, _BANK[0]), (texts.coco, _BANK[1]))
    chosen = np.concatenate(
        [rows[np.linspace(0, len(rows) - 1, count).astype(int)] for rows, count in lists]
    )
    return blend.of_texts(apply(caption_side, chosen), chosen)


def _typical_bias(photos: Array, bank: Array) -> float:
    """What the hub bias of the training photos is on the average."""
    near = np.partition(photos @ bank.T, len(bank) - NEIGHBOURS, axis=1)[:, -NEIGHBOURS:]
    return WEIGHT * float(near.mean())
