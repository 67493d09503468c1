"""What c2v knows of open_clip's architectures by itself is what open_clip says of them."""

from __future__ import annotations

import json

import pytest

from c2v.encoder.architecture import Preprocess, architectures, image_config
from c2v.encoder.known_architectures import (
    known_architecture,
    known_names,
    known_preprocessing,
)
from c2v.encoder.towers.vision_shape import VisionShape

NAMES = sorted(known_names())


@pytest.mark.parametrize("name", NAMES)
def test_a_config_is_open_clips(name: str) -> None:
    file = architectures("a test")[name]
    made = known_architecture(name)
    assert made == json.loads(file.read_text(encoding="utf-8"))
    assert VisionShape.of(image_config(made, Preprocess())) is not None, "its image tower is ours"


def test_what_is_not_known_is_none() -> None:
    assert known_architecture("ViT-B-61") is None
    assert known_architecture("convnext_base") is None
    assert known_preprocessing("convnext_base", "laion400m_s13b_b51k") is None


def test_preprocessing_is_open_clips() -> None:
    """Of all weights that open_clip knows for these architectures."""
    import open_clip

    seen = 0
    for name in NAMES:
        for tag in open_clip.list_pretrained_tags_by_model(name):
            found = open_clip.get_pretrained_cfg(name, tag)
            assert Preprocess(**(known_preprocessing(name, tag) or {})) == Preprocess(
                mean=tuple(found["mean"]),
                std=tuple(found["std"]),
                interpolation=found["interpolation"],
                resize=found["resize_mode"],
            ), (name, tag)
            seen += 1
    assert seen > 100


def test_every_siglip_and_pe_core_is_known() -> None:
    """And CLIPA, CoCa and the encoders for other languages of which there are weights."""
    words = ("SigLIP", "PE-Core", "CLIPA", "coca_ViT", "xlm-", "nllb", "ViT-H-14-worldwide")
    theirs = {name for name in architectures("a test") if any(word in name for word in words)}
    assert theirs - known_names() == set()
