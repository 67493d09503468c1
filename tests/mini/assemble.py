"""The folder of the bundle."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from c2v.encoder.bundle_config import (
    BundleConfig,
    HeadConfig,
    HubConfig,
    ImageConfig,
    QuestionConfig,
)
from c2v.encoder.earlier import EARLIER_NAME
from c2v.encoder.hubs import HUBS_NAME, bank_tensors
from c2v.encoder.sealing import bundle_draft, seal_bundle
from c2v.encoder.tensors import write_tensors
from c2v.encoder.text.wordpiece import VOCABULARY_NAME
from c2v.encoder.towers.minilm_numpy import TENSORS_NAME
from c2v.encoder.towers.onnx_image import GRAPH_NAME
from tests.mini import sources
from tests.mini.fit import Recipe
from tests.mini.image_graph import write_image_graph
from tests.mini.learn import NEIGHBOURS, WEIGHT, WIDTH, Made, learn
from tests.mini.lite0 import SIDE
from tests.mini.text_tensors import blend_tensors, projection_tensors

NAME = "mini"
CARD_NAME = "README.md"

_SOURCE = (
    "EfficientNet-Lite0 with its ImageNet classes and sentence-transformers/all-MiniLM-L6-v2, "
    "projections trained on Flickr8k by tests.mini"
)
_LICENCE = (
    "Apache-2.0, trained on photos that were given for research (Flickr8k); names of classes MIT, "
    "glosses WordNet 3.0, sentences of the hub bias Flickr8k and COCO (CC BY 4.0); see README.md"
)


def train_bundle(
    data: Path, coco: Path, target: Path, recipe: Recipe, *, on_step: Callable[[str], None]
) -> BundleConfig:
    """Train on the photos in ``data`` and write (or replace) the bundle ``target``.

    A model card that stands in ``target`` already is kept, and so are the text sides of earlier
    versions that stand beside it.

    Raises:
        DataError: a data set is not whole.
        ModelError: a package of pretrained weights is not installed, or the target is not writable.
    """
    sources.require_onnx()
    made = learn(data, coco, recipe, on_step=on_step)
    card, earlier = target / CARD_NAME, target / EARLIER_NAME
    card_text = card.read_text(encoding="utf-8") if card.is_file() else ""
    with bundle_draft(target, overwrite=True) as draft:
        if card_text:
            (draft / CARD_NAME).write_text(card_text, encoding="utf-8", newline="\n")
        if earlier.is_dir():
            shutil.copytree(earlier, draft / EARLIER_NAME)
        return _write(draft, made)


def _write(draft: Path, made: Made) -> BundleConfig:
    write_image_graph(draft / GRAPH_NAME, made.network, made.ranges, made.outputs)
    sides = projection_tensors(made.caption_side) | blend_tensors(made.outputs.blend)
    write_tensors(draft / TENSORS_NAME, made.text_tensors | sides)
    write_tensors(draft / HUBS_NAME, bank_tensors(made.bank))
    for name in (TENSORS_NAME, HUBS_NAME):
        (draft / name).chmod(0o644)  # safetensors writes private files
    (draft / VOCABULARY_NAME).write_text(made.vocabulary, encoding="utf-8", newline="\n")
    return seal_bundle(
        draft,
        name=NAME,
        feature_dim=WIDTH,
        vector_dim=WIDTH + 1,
        image=ImageConfig(
            family="onnx",
            side=SIDE,
            resize="shortest",
            interpolation="bicubic",
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
            settings={},
        ),
        text=made.text,
        head=HeadConfig("meanP", {"feature_dim": WIDTH}),
        parts={
            GRAPH_NAME: "image",
            TENSORS_NAME: "text",
            VOCABULARY_NAME: "text",
            HUBS_NAME: "head",
        },
        source=_SOURCE,
        licence=_LICENCE,
        hubs=HubConfig(NEIGHBOURS, WEIGHT, round(made.typical, 4)),
        questions=QuestionConfig(strip=True, short_template="there is a {} in the picture"),
    )
