"""SigLIP and NLLB from a folder to an answer, as it is typed; and what is said of what is not."""

from __future__ import annotations

import csv
import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from safetensors.torch import save_file

from c2v.encoder.bundle import load_bundle

pytest.importorskip("transformers")  # open_clip makes tokenizers by it

from tests.encoder.made_text_models import open_clip_model, small_config  # noqa: E402

Run = Callable[..., subprocess.CompletedProcess[str]]
SCALE, BIAS = 4.7, -12.9
PAIRS = 40


@pytest.fixture(scope="module")
def c2v(c2v_with_torch: Run) -> Run:
    return c2v_with_torch


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder as open_clip writes one to the hub."""
    made_in = tmp_path / "model"
    model = small_config(request.param, made_in)
    made = open_clip_model(model)
    made.logit_scale.data.fill_(SCALE)
    if made.logit_bias is not None:
        made.logit_bias.data.fill_(BIAS)
    state = {key: value.contiguous() for key, value in made.state_dict().items()}
    save_file(state, str(made_in / "open_clip_model.safetensors"))
    content = {"model_cfg": model, "preprocess_cfg": {"resize_mode": "squash"}}
    (made_in / "open_clip_config.json").write_text(json.dumps(content), encoding="utf-8")
    return made_in


@pytest.fixture
def data(c2v: Run, folder: Path, toys: ModuleType, tmp_path: Path) -> Path:
    """The model imported, a captions file, and a library with the features of its videos."""
    c2v("model", "import", folder / "open_clip_model.safetensors", "--name", "other")
    captions = toys.captions_for(tmp_path, PAIRS)
    for path in captions.paths:
        Path(path).touch()  # what is not there is no answer
    bundle = load_bundle("other", device="cpu")
    toys.fill_library(tmp_path / "library", bundle, captions).close()
    with captions.file.open("w", newline="") as file:
        rows = zip(captions.paths, captions.texts, strict=True)
        csv.writer(file).writerows([("video", "caption"), *rows])
    return captions.file


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout)


@pytest.mark.parametrize("folder", ["SigLIP", "NLLB, sigmoid"], indirect=True)
def test_search_evaluate_and_train(c2v: Run, data: Path) -> None:
    library = ["--library", str(data.parent / "library")]
    facts = answer(c2v("model", "info", "other", "--format", "json"))
    assert facts["logit_scale"] == pytest.approx(math.exp(SCALE), abs=1e-3)
    assert facts["logit_bias"] == pytest.approx(BIAS)
    assert "logit bias   -12.9" in c2v("model", "info", "other").stdout

    asked = ("search", "a red dog number 0, view 0", "--top", "3", "--format", "json", *library)
    found = answer(c2v(*asked, code=None))
    assert found["results"][0]["path"].endswith("video0.mp4")
    for row in found["results"]:
        logit = math.exp(SCALE) * row["score"] + BIAS
        assert row["confidence"] == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-4)

    table = answer(c2v("evaluate", "--data", data, "--format", "json", *library, code=None))
    assert table["text_to_video"]["R@1"] > 50
    assert (table["texts"], table["videos"]) == (PAIRS, PAIRS)

    train = ("finetune", "--data", data, "--name", "tuned", "--epochs", "1", *library)
    refused = c2v(*train, "--train", "all", code=None)
    assert refused.returncode in (1, 2)
    assert "the towers of other are" in refused.stderr
    assert "--train head" in refused.stderr
    assert "Traceback" not in refused.stderr
    refused = c2v(*train, "--init", "clip", code=None)
    assert refused.returncode in (1, 2)
    assert "--init identity" in refused.stderr
    c2v(*train, "--head", "meanP", "--keep")
    assert load_bundle("tuned").embed_text(["a dog"]).shape == (1, load_bundle("other").vector_dim)

    refused = c2v("model", "export", "other", data.parent / "out.bin", code=1)
    assert "other is not a CLIP model: it has no official layout" in refused.stderr
    assert "its weights are in" in refused.stderr


@pytest.mark.parametrize("folder", ["SigLIP"], indirect=True)
def test_what_a_word_is_unknown_to(c2v: Run, data: Path) -> None:
    library = ["--library", str(data.parent / "library")]
    asked = c2v("search", "a \u72d7 dog", *library, code=None).stderr
    assert "does not know" not in asked  # the made tokenizer has that character
    asked = c2v("search", "a \u7cc3 dog", *library, code=None).stderr
    assert "other does not know: \u7cc3" in asked


@pytest.mark.parametrize("folder", ["SigLIP"], indirect=True)
def test_a_folder_without_its_tokenizer(c2v: Run, folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    file = folder / "open_clip_model.safetensors"
    refused = c2v("model", "import", file, "--name", "other", code=1)
    assert "open_clip_model.safetensors needs the tokenizer of" in refused.stderr
    assert "put tokenizer.json and tokenizer_config.json of" in refused.stderr
