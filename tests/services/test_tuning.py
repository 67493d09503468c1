"""Settings around an encoder's weights, tried on captioned videos and written as a model."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import c2v
from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.bundle_config import HubConfig, QuestionConfig
from c2v.encoder.heads.settings import HeadSettings
from c2v.encoder.towers import TextFeatures
from c2v.encoder.trained_bundle import save_bundle
from c2v.encoder.tuned_bundle import Surroundings, save_tuned
from c2v.errors import DataError, ModelError
from c2v.evaluation.captions import Captions, read_captions
from c2v.evaluation.retrieval import evaluate_library
from c2v.indexing.reembedding import reembed
from c2v.library import open_store

NOTHING = Surroundings(None, None, None, None)
VIDEOS = 40


@pytest.fixture
def plain(c2v_home: Path) -> Bundle:
    """The shipped encoder without bias, questions and calibration, as a fetched one is."""
    save_tuned("plain", parent=load_bundle("mini"), settings=NOTHING, documents={})
    return load_bundle("plain", device="cpu")


class Hubs:
    """An encoder whose every fourth text stands out and is drawn to what all have in common:
    frames made of these are near to every sentence."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bundle, name)

    def encode_text(self, texts: list[str]) -> TextFeatures:
        pooled = self._bundle.encode_text(texts).pooled()
        pooled[::4] = 1.4 * pooled[::4] + 0.6 * pooled.mean(0)
        return TextFeatures(pooled[:, None], np.ones((len(texts), 1), np.bool_))


def filled(toys: ModuleType, tmp_path: Path, bundle: Bundle, *, hubs: bool, noise: float) -> Path:
    """A captions file, and a library of what its videos might be, by their captions' features."""
    captions: Captions = toys.captions_for(tmp_path, VIDEOS)
    seen: Any = Hubs(bundle) if hubs else bundle
    toys.fill_library(tmp_path / "library", seen, captions, noise=noise).close()
    rows = zip(captions.paths, captions.texts, strict=True)
    with captions.file.open("w", newline="") as file:
        csv.writer(file).writerows([("video", "caption"), *rows])
    return captions.file


def recall(folder: Path, bundle: Bundle, data: Path) -> float:
    with open_store(folder) as library:
        return evaluate_library(
            library, bundle, read_captions(data)
        ).metrics.text_to_video.recall_at_1


def test_hubs_get_a_bias_that_helps_the_library(
    toys: ModuleType, tmp_path: Path, plain: Bundle
) -> None:
    data = filled(toys, tmp_path, plain, hubs=True, noise=4.0)
    with c2v.open(tmp_path / "library") as videos:
        found = videos.tune("plain", str(data))
    assert found.written
    assert "hubs" in found.found.changed
    figures = found.as_dict()["text_to_video"]["captions"]
    assert figures["after"]["MRR"] > figures["before"]["MRR"] + 1
    tuned = load_bundle("plain-tuned", device="cpu")
    tuned.verify()
    assert tuned.vector_dim == plain.vector_dim + 1
    assert tuned.towers_fingerprint == plain.towers_fingerprint
    assert (tuned.directory / "image.onnx").samefile(plain.directory / "image.onnx")
    before, after = (recall(tmp_path / "library", one, data) for one in (plain, tuned))
    assert after > before
    record = json.loads((tuned.directory / "tuning.json").read_text())
    assert record["changed"] == list(found.found.changed)
    assert str(tmp_path) not in json.dumps(record)
    with open_store(tmp_path / "library") as library, library.writer():
        assert reembed(library, tuned) == []  # nothing is decoded: there are no files
    with c2v.open(tmp_path / "library") as videos:
        assert videos.search(read_captions(data).texts[1], top=1).model == "plain-tuned"


def test_where_nothing_helps_nothing_is_written(
    toys: ModuleType, tmp_path: Path, plain: Bundle
) -> None:
    """Every caption has its video first, however it is asked."""
    data = filled(toys, tmp_path, plain, hubs=False, noise=0.0)
    text = data.read_text().splitlines()[:8]
    data.write_text("\n".join(text) + "\n")
    with c2v.open(tmp_path / "library") as videos:
        found = videos.tune("plain", str(data))
        assert not found.written
        assert found.found.changed == ()
        assert found.as_dict()["written"] is False
        assert found.as_dict()["model"] is None
        assert found.as_dict()["confidence"] is None
        with pytest.raises(ModelError, match="plain-tuned"):
            load_bundle("plain-tuned")
        kept = videos.tune("plain", str(data), keep=True, called="same")
    assert kept.written
    assert load_bundle("same").fingerprint == plain.fingerprint


def test_a_name_that_is_taken_is_said_before_any_work(
    toys: ModuleType, tmp_path: Path, plain: Bundle
) -> None:
    save_tuned("plain-tuned", parent=plain, settings=NOTHING, documents={})
    with c2v.open(tmp_path / "library") as videos:
        with pytest.raises(ModelError, match="plain-tuned already") as raised:
            videos.tune("plain", str(tmp_path / "no.csv"))
        assert "--as" in (raised.value.hint or "")
        with pytest.raises(DataError):
            videos.tune("plain", str(tmp_path / "no.csv"), overwrite=True)


def test_too_few_videos_are_refused(toys: ModuleType, tmp_path: Path, plain: Bundle) -> None:
    data = filled(toys, tmp_path, plain, hubs=False, noise=0.1)
    data.write_text("\n".join(data.read_text().splitlines()[:4]) + "\n")
    with (
        c2v.open(tmp_path / "library") as videos,
        pytest.raises(DataError, match="3 videos of it can be used, at least 5"),
    ):
        videos.tune("plain", str(data))


def test_a_head_that_reads_words_is_told_so_and_tuned_all_the_same(
    toys: ModuleType, tmp_path: Path, plain: Bundle
) -> None:
    pytest.importorskip("torch")
    from c2v.encoder.heads.build import new_head

    settings = HeadSettings(type="clip2video", feature_dim=plain.feature_dim, layers=1)
    assert settings.reads_words
    save_bundle("words", parent=plain, head=settings, head_state=new_head(settings).state_dict())
    data = filled(toys, tmp_path, plain, hubs=True, noise=4.0)
    with c2v.open(tmp_path / "library") as videos:
        found = videos.tune("words", str(data), keep=True)
    (remark,) = found.found.remarks
    assert remark.startswith("no hub bias was tried: the clip2video head of words")
    assert found.found.settings.hubs is None
    assert set(found.found.before) == {"captions", "with_prefix", "short"}
    assert load_bundle("words-tuned").vector_dim == settings.vector_dim


def test_a_head_of_word_scores_keeps_its_confidence(
    toys: ModuleType, tmp_path: Path, plain: Bundle
) -> None:
    """What it ranks by in the end are no inner products of the vectors that are tried."""
    pytest.importorskip("torch")
    from c2v.encoder.heads.build import new_head

    settings = HeadSettings(type="wti", feature_dim=plain.feature_dim)
    assert settings.reads_words
    save_bundle("words", parent=plain, head=settings, head_state=new_head(settings).state_dict())
    data = filled(toys, tmp_path, plain, hubs=False, noise=1.0)
    with c2v.open(tmp_path / "library") as videos:
        found = videos.tune("words", str(data), keep=True)
    assert [remark.partition(":")[0] for remark in found.found.remarks] == [
        "no hub bias was tried",
        "confidence was not looked at",
    ]
    assert found.found.confidence is None
    assert found.found.settings.calibration is None


def test_what_the_encoder_has_stays_where_nothing_else_helps(
    toys: ModuleType, tmp_path: Path, plain: Bundle
) -> None:
    """The shipped encoder's own bias and questions are the start, and in what is written."""
    data = filled(toys, tmp_path, plain, hubs=False, noise=0.0)
    data.write_text("\n".join(data.read_text().splitlines()[:8]) + "\n")
    mini = load_bundle("mini")
    with c2v.open(tmp_path / "library") as videos:
        found = videos.tune("mini", str(data), keep=True)
    assert found.found.changed == ()
    tuned = load_bundle("mini-tuned", device="cpu")
    assert tuned.fingerprint == mini.fingerprint
    assert tuned.config.questions == mini.config.questions
    assert tuned.config.calibration == mini.config.calibration
    assert (tuned.directory / "hubs.safetensors").samefile(mini.directory / "hubs.safetensors")


def test_a_fine_tuned_head_of_sentences_keeps_bias_and_questions(c2v_home: Path) -> None:
    """A head that changes nothing gives the vectors and questions of the shipped encoder."""
    mini = load_bundle("mini", device="cpu")
    assert mini.config.hubs is not None
    wide = mini.feature_dim
    still = {
        f"{side}_projection.{part}": np.zeros(
            (wide, wide) if part == "weight" else wide, np.float32
        )
        for side in ("frame", "word")
        for part in ("weight", "bias")
    }
    head = HeadSettings(type="meanP", feature_dim=wide, projected=True)
    save_bundle("mine", parent=mini, head=head, head_state=still)
    mine = load_bundle("mine", device="cpu")
    assert mine.config.hubs == mini.config.hubs
    assert mine.config.questions == mini.config.questions
    assert mine.config.calibration is None
    assert mine.vector_dim == mini.vector_dim
    assert (mine.directory / "hubs.safetensors").samefile(mini.directory / "hubs.safetensors")
    vectors = np.random.default_rng(0).standard_normal((6, wide)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(mine.for_library(vectors), mini.for_library(vectors), atol=1e-6)
    sentences = ["a dog on the beach", "two men"]
    np.testing.assert_allclose(
        mine.as_questions(mine.embed_text(sentences)),
        mini.as_questions(mini.embed_text(sentences)),
        atol=1e-6,
    )


def test_a_head_of_words_loses_the_bias_and_keeps_the_questions(c2v_home: Path) -> None:
    mini = load_bundle("mini", device="cpu")
    settings = HeadSettings(type="clip2video", feature_dim=mini.feature_dim, layers=1)
    state = {
        name: np.zeros((5, mini.feature_dim), np.float32)
        for name in ("weight_center", "emb_center")
    }
    save_bundle("words", parent=mini, head=settings, head_state=state)
    words = load_bundle("words", device="cpu")
    assert words.config.hubs is None
    assert words.config.questions == mini.config.questions
    assert words.vector_dim == settings.vector_dim == 2 * mini.feature_dim
    assert not (words.directory / "hubs.safetensors").exists()


def test_other_settings_around_the_same_files(c2v_home: Path) -> None:
    """Written, read and hashed: a bank changes the vectors, questions alone do not."""
    mini = load_bundle("mini", device="cpu")
    bank = mini.encode_text(["a dog", "a cat", "a house by the sea"]).pooled()
    asked = QuestionConfig(strip=True, short_template="")
    settings = Surroundings(HubConfig(2, 0.25, 0.1), bank, asked, None)
    save_tuned("other", parent=mini, settings=settings, documents={"tuning.json": "{}"})
    other = load_bundle("other", device="cpu")
    other.verify()
    assert other.fingerprint != mini.fingerprint
    assert (other.config.hubs, other.config.questions) == (settings.hubs, asked)
    vector = mini.embed_text(["a dog"])
    near = np.sort(mini.embed_text(["a dog", "a cat", "a house by the sea"]) @ vector[0])[-2:]
    column = other.for_library(vector)[0, -1]
    assert column == pytest.approx(4 * (0.1 - 0.25 * near.mean()), abs=1e-2)
    save_tuned(
        "asked",
        parent=mini,
        settings=Surroundings(mini.config.hubs, None, asked, None),
        documents={},
    )
    assert load_bundle("asked").fingerprint == mini.fingerprint
