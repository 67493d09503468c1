"""From pretrained weights and photos to the folder of the bundle."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from c2v.encoder.bundle_config import BundleConfig, HeadConfig, ImageConfig
from c2v.encoder.sealing import bundle_draft, seal_bundle
from c2v.encoder.tensors import write_tensors
from c2v.encoder.text.wordpiece import VOCABULARY_NAME, WordPieceTokenizer
from c2v.encoder.towers.minilm_numpy import TENSORS_NAME, MiniLM
from c2v.encoder.towers.onnx_image import GRAPH_NAME
from tests.mini import sources
from tests.mini.calibration import PHOTOS, calibrate
from tests.mini.ensemble import fit_ensemble
from tests.mini.features import caption_features, evenly, photo_features, text_config
from tests.mini.fit import Recipe
from tests.mini.flickr import read_split
from tests.mini.image_graph import write_image_graph
from tests.mini.lite0 import SIDE, layers
from tests.mini.text_tensors import CONTEXT, encoder_tensors, projection_tensors

NAME = "mini"
CARD_NAME = "README.md"
VIEWS = 6  # of each training photo: itself, mirrored, and random parts
MEMBERS = 3  # trainings that are folded into one

_SOURCE = (
    "EfficientNet-Lite0 (ImageNet) and sentence-transformers/all-MiniLM-L6-v2, "
    "projections trained on Flickr8k by tests.mini"
)
_LICENCE = "Apache-2.0; the photos it was trained on were given for research, see README.md"


def train_bundle(
    data: Path, target: Path, recipe: Recipe, *, on_step: Callable[[str], None]
) -> BundleConfig:
    """Train on the photos in ``data`` and write (or replace) the bundle ``target``.

    A model card that stands in ``target`` already is kept.

    Raises:
        DataError: the data set is not whole.
        ModelError: a package of pretrained weights is not installed, or the target is not writable.
    """
    sources.require_onnx()
    network, text_tensors = layers(sources.image_weights()), encoder_tensors(sources.text_weights())
    vocabulary = sources.vocabulary()
    photos = read_split(data, "train")
    text = text_config(CONTEXT, vocabulary.splitlines())
    tokenizer = WordPieceTokenizer(vocabulary.splitlines(), text)

    on_step(f"{len(photos.texts())} captions through MiniLM")
    captions = caption_features(MiniLM(text_tensors), tokenizer, photos)
    on_step(f"{len(photos.paths)} photos, {VIEWS} views each, through EfficientNet-Lite0")
    ranges = calibrate(network, evenly(photos.paths, PHOTOS), seed=recipe.seed)
    with tempfile.TemporaryDirectory() as scratch:
        graph = Path(scratch) / GRAPH_NAME
        write_image_graph(graph, network, ranges)
        views = photo_features(graph, photos.paths, views=VIEWS, seed=recipe.seed)
    on_step(f"{MEMBERS} trainings of {recipe.passes} passes over the captions")
    photo_side, caption_side, losses = fit_ensemble(views, captions, recipe, members=MEMBERS)
    on_step(f"loss {losses[0]:.3f} at the first step, {losses[-1]:.3f} at the last")

    card = target / CARD_NAME
    card_text = card.read_text(encoding="utf-8") if card.is_file() else ""
    with bundle_draft(target, overwrite=True) as draft:
        write_image_graph(draft / GRAPH_NAME, network, ranges, photo_side)
        write_tensors(draft / TENSORS_NAME, text_tensors | projection_tensors(caption_side))
        (draft / TENSORS_NAME).chmod(0o644)  # safetensors writes private files
        (draft / VOCABULARY_NAME).write_text(vocabulary, encoding="utf-8", newline="\n")
        if card_text:
            (draft / CARD_NAME).write_text(card_text, encoding="utf-8", newline="\n")
        return seal_bundle(
            draft,
            name=NAME,
            feature_dim=recipe.feature_dim,
            vector_dim=recipe.feature_dim,
            image=ImageConfig(
                family="onnx",
                side=SIDE,
                resize="shortest",
                interpolation="bicubic",
                mean=(0.5, 0.5, 0.5),
                std=(0.5, 0.5, 0.5),
                settings={},
            ),
            text=text,
            head=HeadConfig("meanP", {"feature_dim": recipe.feature_dim}),
            parts={GRAPH_NAME: "image", TENSORS_NAME: "text", VOCABULARY_NAME: "text"},
            source=_SOURCE,
            licence=_LICENCE,
        )
