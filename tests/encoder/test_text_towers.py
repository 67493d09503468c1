"""Text towers of every kind of open_clip's against open_clip itself: words in, features out."""

from __future__ import annotations

import copy
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from c2v.encoder.architecture import model_config, text_architecture
from tests.encoder.made_text_models import (
    KINDS,
    made_bundle,
    open_clip_ids,
    open_clip_model,
    small_config,
)

TEXTS = [
    "a dog catching a frisbee",
    "",
    "many words " * 50,
    "Zwei Kinder, ein Garten!",
    "собака ловит мяч",
    "snowboarding downhill at 30 km/h",
    "what!#?% is (!) this",  # CLIP's id 0 is a word's first exclamation mark, and CoCa's padding
]
# The same arithmetic as another one, at another width or under another config.
MORE = (
    "SigLIP, all languages", "SigLIP, 16 tokens", "SigLIP2 SO400M", "CoCa, wide",
    "worldwide, mT5's pieces", "CoCa with RoBERTa", "NLLB, sigmoid",
)  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in MORE else name for name in KINDS]
)
def test_features_are_open_clips(name: str, tmp_path: Path) -> None:
    if KINDS[name][1]:
        pytest.importorskip("transformers")  # open_clip makes tokenizers by it, and encoders of it
    folder = tmp_path / "tokenizer"
    model = small_config(name, folder)
    made = open_clip_model(model)
    ids = open_clip_ids(model, TEXTS)
    with torch.inference_mode():
        expected = made.encode_text(ids, normalize=False).numpy()
    bundle = made_bundle(model, made, folder)
    own, mask = bundle.tokenizer.encode(TEXTS)
    np.testing.assert_array_equal(own, ids.numpy())
    features = bundle.encode_text(TEXTS)
    np.testing.assert_allclose(features.pooled(), expected, atol=1e-5, rtol=1e-5)
    np.testing.assert_array_equal(features.mask, mask[:, : features.mask.shape[1]])
    one = bundle.encode_text(TEXTS[:1])  # beside others and alone
    np.testing.assert_allclose(one.pooled()[0], expected[0], atol=1e-5, rtol=1e-5)


def with_a_hole(path: Path, shapes: dict[str, tuple[int, ...]], table: str) -> None:
    """Weights of these shapes: the table is a hole in the file but for rows 0 to 9, which are 1."""
    random = np.random.default_rng(0)
    header: dict[str, Any] = {}
    offset = 0
    for name, shape in sorted(shapes.items(), key=lambda item: item[0] == table):  # it comes last
        size = 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes.items():
            start, _ = header[name]["data_offsets"]
            file.seek(8 + len(text) + start)
            if name == table:
                file.write(np.ones((10, shape[1]), "<f4").tobytes())
            else:
                file.write((0.02 * random.standard_normal(shape)).astype("<f4").tobytes())
        file.truncate(8 + len(text) + offset)


MEMORY = """
import json, sys
from pathlib import Path
import numpy as np
from c2v.encoder.tensors import read_tensors
from c2v.encoder.text.json_tokenizer import JsonTokenizer
from c2v.encoder.text.piece_tables import subwords
from c2v.encoder.towers.clip_text_numpy import ClipTextTower, TextArchitecture

def resident():
    lines = dict(line.split(":") for line in open("/proc/self/status") if ":" in line)
    return [int(lines[name].split()[0]) / 1e3 for name in ("RssAnon", "RssFile")]

folder = Path(sys.argv[1])
shape = TextArchitecture.from_settings(json.loads((folder / "shape.json").read_text()))
before = resident()
pieces = subwords(read_tensors(folder / "tokenizer.safetensors"))
found = pieces.ids("\u2581dog") + pieces.ids("\u2581catching") + pieces.ids("\u25811f4a2")
tower = ClipTextTower(shape, read_tensors(folder / "text.safetensors"))
ids = np.full((1, 64), 1)
ids[0, : len(found)] = found
mask = np.arange(64)[None] < len(found)
features = tower.encode(ids, mask).pooled()
assert np.isfinite(features).all() and features.any()
print(json.dumps([found, *(after - was for after, was in zip(resident(), before))]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what is in memory")
def test_of_a_large_vocabulary_only_the_rows_in_use_are_read(
    tmp_path: Path, run_python: Callable[..., str]
) -> None:
    """A table of 250,000 pieces of width 768 (768 MB) and its tokenizer (9 MB), one question."""
    from c2v.encoder.tensors import write_tensors
    from c2v.encoder.text.piece_tables import make_tables

    vocabulary: list[tuple[str, float]] = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    vocabulary += [("\u2581dog", -5.0), ("\u2581catch", -6.0), ("ing", -4.0)]
    vocabulary += [(f"\u2581{number:x}", -20.0) for number in range(250_000 - len(vocabulary))]
    tables = make_tables({"type": "Unigram", "vocab": vocabulary, "unk_id": 2})
    assert tables is not None
    write_tensors(tmp_path / "tokenizer.safetensors", tables)
    model = copy.deepcopy(model_config("ViT-B-16-SigLIP-i18n-256"))
    model["text_cfg"]["layers"] = 1
    shape = text_architecture(model)
    shapes = shape.shapes()
    assert shapes["token_embedding.weight"] == (250_000, 768)
    with_a_hole(tmp_path / "text.safetensors", shapes, "token_embedding.weight")
    (tmp_path / "shape.json").write_text(json.dumps(shape.settings()), encoding="utf-8")
    ids, anonymous, mapped = json.loads(run_python(MEMORY, str(tmp_path)))
    assert ids == [3, 4, 5, 0x1F4A2 + 6]
    weights = sum(4 * math.prod(one) for name, one in shapes.items() if "token_emb" not in name)
    assert anonymous < 30  # megabytes: activations, and what Python allots
    assert mapped < weights / 1e6 + 30, (mapped, weights)
