"""What c2v knows of the default model by itself is what open_clip says of it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import numpy as np
import pytest

from c2v.encoder.architecture import (
    Preprocess,
    clip_merges,
    image_config,
    model_config,
    open_clip_folder,
)
from c2v.encoder.default_model import DEFAULT_REPOSITORY
from c2v.encoder.known_architectures import known_architecture
from c2v.encoder.pretrained import pretrained
from c2v.encoder.registry import DEFAULT_SOURCE, NICKNAMES
from c2v.encoder.sources.hub import hub_model
from c2v.encoder.text.tokenizer import byte_ids
from c2v.encoder.towers.clip_image_torch import visual_shapes
from c2v.encoder.towers.vision_shape import VisionShape


@pytest.mark.parametrize("source", NICKNAMES.values())
def test_configs_are_open_clips(source: str) -> None:
    architecture = source.partition("/")[0]
    file = open_clip_folder("a test") / "model_configs" / f"{architecture}.json"
    assert known_architecture(architecture) == json.loads(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("source", NICKNAMES.values())
def test_repository_and_preprocessing_are_open_clips(source: str) -> None:
    import open_clip

    found = open_clip.get_pretrained_cfg(*source.split("/"))
    known = hub_model(*source.split("/"))
    assert found["hf_hub"] == f"{known.repository}/"
    assert (source != DEFAULT_SOURCE) or (known.repository == DEFAULT_REPOSITORY)
    assert known.preprocess == Preprocess(
        mean=tuple(found["mean"]),
        std=tuple(found["std"]),
        interpolation=found["interpolation"],
        resize=found["resize_mode"],
    )


def test_the_table_of_weights_is_open_clips() -> None:
    """Repository and file of every tag that this version of open_clip has, too."""
    from open_clip.pretrained import _PRETRAINED

    ours = pretrained()
    for architecture, tags in _PRETRAINED.items():
        for tag, facts in tags.items():
            if (one := ours.get(f"{architecture}/{tag}")) is not None:
                assert f"{one.repository}/{one.file}" == facts["hf_hub"]
            else:
                continue
            assert one.quick_gelu is bool(facts.get("quick_gelu"))
            shape = VisionShape.of(image_config(model_config(architecture), Preprocess()))
            assert one.is_light is (shape is not None), architecture
    theirs = {f"{name}/{tag}" for name, tags in _PRETRAINED.items() for tag in tags}
    assert len(theirs & set(ours)) > 150


def test_merges_are_those_of_open_clips_vocabulary() -> None:
    """The file writes bytes as characters and joins pieces by their text."""
    lines = gzip.decompress(
        (open_clip_folder("a test") / "bpe_simple_vocab_16e6.txt.gz").read_bytes()
    )
    merges = [line.split() for line in lines.decode("utf-8").split("\n")[1 : 1 + 48894]]
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = [byte for byte in range(256) if byte not in printable]
    names = [chr(256 + hidden.index(b)) if b in hidden else chr(b) for b in range(256)]
    pieces = {names[byte]: token for byte, token in enumerate(byte_ids())}
    pieces |= {f"{piece}</w>": token + 256 for piece, token in pieces.items()}
    expected = {}
    for rank, (left, right) in enumerate(merges):
        expected[pieces[left] << 32 | pieces[right]] = pieces[left + right] = 512 + rank
    table = clip_merges()
    assert dict(zip(table["pairs"].tolist(), table["ids"].tolist(), strict=True)) == expected
    assert np.all(np.diff(table["pairs"].astype(np.int64)) > 0)


def test_shapes_of_the_image_tower_are_open_clips() -> None:
    image = image_config(model_config(DEFAULT_SOURCE.partition("/")[0]), Preprocess())
    plain = VisionShape.of(image)
    assert plain is not None
    assert plain.tensors() == visual_shapes(image.settings)


def test_the_default_model_is_known_without_open_clip(run_python: Callable[..., str]) -> None:
    code = """
import sys
sys.modules["open_clip"] = sys.modules["torch"] = None  # as if they were not installed
from c2v.encoder.architecture import clip_merges, model_config, text_config
from c2v.encoder.sources.hub import hub_model
from c2v.errors import MissingPartError
text_config(model_config("ViT-B-32-quickgelu"))
assert len(clip_merges()["ids"]) == 48894
print(*hub_model("ViT-B-32-quickgelu", "openai").files)
print(hub_model("PE-Core-B-16", "meta").model["embed_dim"])
print(hub_model("ViT-B-16", "openai").model["quick_gelu"])
print(hub_model("RN50", "openai"))
for ask in (lambda: model_config("RN50"), lambda: hub_model("ViT-Z-1", "openai")):
    try:
        ask()
    except MissingPartError as error:
        print(error.message)
"""
    known = "HubModel(architecture='RN50', tag='openai', "
    known += "repository='timm/resnet50_clip.openai', "
    known += "files=('open_clip_model.safetensors',), model=None, preprocess=None)"
    assert run_python(code).splitlines() == [
        "open_clip_model.safetensors",
        "1024",
        "True",
        known,  # its repository says what it is
        "the architecture RN50 needs open_clip, which is not installed",
        "the model ViT-Z-1/openai needs PyTorch and open_clip, which are not installed",
    ]
