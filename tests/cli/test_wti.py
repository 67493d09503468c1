"""A head that compares words with frames, from ``finetune --head wti`` to ``search --explain``."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from c2v.encoder.bundle import load_bundle
from c2v.evaluation.captions import Captions
from c2v.evaluation.retrieval import evaluate_library
from c2v.indexing.reembedding import reembed
from c2v.library import open_store

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def captions(toys: ModuleType, tmp_path: Path) -> Captions:
    """A library of a toy CLIP, and captions of its videos in a file."""
    made: Captions = toys.captions_for(tmp_path, 24)
    toys.fill_library(tmp_path / "library", toys.make_bundle(), made).close()
    with made.file.open("w", newline="") as file:
        rows = zip(made.paths, made.texts, strict=True)
        csv.writer(file).writerows([("video", "caption"), *rows])
    return made


def test_trained_evaluated_searched_and_explained(
    c2v_with_torch: Run, captions: Captions, tmp_path: Path
) -> None:
    c2v, library = c2v_with_torch, tmp_path / "library"
    tuned = c2v(
        "finetune", "--data", captions.file, "--name", "words", "--head", "wti", "--epochs", "4",
        "--batch", "8", "--keep", "--format", "json", "--library", library,
    )  # fmt: skip
    answer = json.loads(tuned.stdout)
    assert (answer["head"], answer["written"]) == ("wti", True)
    bundle = load_bundle("words", device="cpu")
    assert bundle.config.head.type == "wti"
    with open_store(library) as store:
        reembed(store, bundle)
        measured = evaluate_library(store, bundle, captions)
    said = json.loads(
        c2v("evaluate", "--data", captions.file, "--format", "json", "--library", library).stdout
    )
    assert said["text_to_video"] == measured.metrics.text_to_video.as_dict()
    text = captions.texts[3]
    words = ("search", text, "-n", "24", "--all", "--explain", "--library", library)
    found = json.loads(c2v(*words, "--format", "json").stdout)
    row = dict(zip(measured.scores.paths, measured.scores.text_to_video[3], strict=True))
    assert len(found["results"]) == 0 or found["results"][0]["path"] == max(row, key=row.get)  # type: ignore[arg-type]
    table = c2v(*words)
    lines = table.stderr.splitlines()
    assert any("half of how well frames answer words" in line for line in lines)
    start = next(n for n, line in enumerate(lines) if line.split()[:2] == ["#", "word"])
    asked = [line.split()[-5 if n == 0 else 0] for n, line in enumerate(lines[start + 1 :][:4])]
    assert asked == text.split()[:4]
    assert "(all of it)" in table.stderr


def test_it_has_no_official_layout(c2v_with_torch: Run, toys: ModuleType, tmp_path: Path) -> None:
    from c2v.encoder.heads import HeadSettings
    from c2v.encoder.heads.initialise import random_head
    from c2v.encoder.trained_bundle import save_bundle

    parent = toys.make_bundle()
    settings = HeadSettings(type="wti", feature_dim=parent.feature_dim, layers=1)
    save_bundle(
        "words", parent=parent, head=settings, head_state=random_head(settings).state_dict()
    )
    refused = c2v_with_torch("model", "export", "words", tmp_path / "words.bin", code=1)
    assert "no official layout" in refused.stderr
