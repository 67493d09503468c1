"""The reference tokenizer's ids and masks, exactly, from ../shared/golden when it is there."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from c2v.encoder.architecture import clip_merges, model_config, text_config
from c2v.encoder.text.tokenizer import ClipTokenizer

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "tokenizer.json"


@pytest.mark.skipif(not GOLDEN.is_file(), reason="the goldens are not beside this checkout")
def test_tokenizer_golden() -> None:
    cases = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert len(cases) > 20
    merges = clip_merges()
    config = text_config(model_config("ViT-B-32-quickgelu"), official=True)
    for case in cases:
        sized = dataclasses.replace(config, context=case["max_words"])
        ids, mask = ClipTokenizer(merges["pairs"], merges["ids"], sized).encode([case["text"]])
        assert ids[0].tolist() == case["ids"], case["text"]
        assert mask[0].astype(int).tolist() == case["mask"], case["text"]
