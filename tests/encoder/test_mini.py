"""The encoder that ships with c2v, with its real files."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from c2v.encoder import Bundle, load_bundle
from c2v.encoder.numpy_layers import gelu
from c2v.encoder.towers.minilm_numpy import MiniLMTextTower
from c2v.errors import ModelError

PHOTOS = Path(__file__).parents[3] / "shared" / "data" / "flickr8k"
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def mini() -> Bundle:
    return load_bundle("mini", device="cpu")


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    """Smooth random pictures: unlike noise, they excite a network as photos do."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (20, 7, 7, 3))
    return np.kron(coarse, np.ones((1, 32, 32, 1))).astype(np.uint8)


def cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return (a * b).sum(-1) / norms


def test_the_folder_fits_in_a_wheel(mini: Bundle) -> None:
    files = [path for path in mini.directory.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 40 * MEGABYTE
    assert {"README.md", "config.json"} <= {path.name for path in files}


def test_the_files_are_the_ones_that_were_sealed(mini: Bundle) -> None:
    mini.verify()


def test_the_card_says_what_a_user_must_know(mini: Bundle) -> None:
    card = (mini.directory / "README.md").read_text(encoding="utf-8")
    for word in ("Apache-2.0", "Flickr8k", "research", "commercial", "English"):
        assert word in card


def test_frames_become_features(mini: Bundle, pictures: NDArray[np.uint8]) -> None:
    features = mini.encode_frames(pictures)
    assert features.shape == (20, 511)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert mini.encode_frames(pictures[:0]).shape == (0, 511)


def test_frames_do_not_depend_on_the_batch(mini: Bundle, pictures: NDArray[np.uint8]) -> None:
    together = mini.encode_frames(pictures)
    np.testing.assert_array_equal(mini.encode_frames(pictures), together)
    alone = np.concatenate([mini.encode_frames(picture[None]) for picture in pictures])
    np.testing.assert_allclose(alone, together, atol=1e-4)
    backwards = mini.encode_frames(pictures[::-1])[::-1]  # a view that is not contiguous
    np.testing.assert_allclose(backwards, together, atol=1e-4)


def test_texts_become_one_token_each(mini: Bundle) -> None:
    features = mini.encode_text(["a dog", "two men play the guitar on a stage"])
    assert features.tokens.shape == (2, 1, 511)
    assert features.mask.shape == (2, 1)
    assert features.mask.all()
    np.testing.assert_array_equal(features.pooled(), features.tokens[:, 0])


ODD_TEXTS = ["", "   ", "a dog", "\x00\u200b", "狗 und Hündin", "🐕", "dog " * 5000, "d" * 5000]


def test_texts_of_any_kind_do_not_depend_on_the_batch(mini: Bundle) -> None:
    together = mini.embed_text(ODD_TEXTS)
    assert np.isfinite(together).all()
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.concatenate([mini.embed_text([text]) for text in ODD_TEXTS])
    np.testing.assert_allclose(alone, together, atol=1e-5)


def test_no_text_at_all(mini: Bundle) -> None:
    assert mini.embed_text([]).shape == (0, 511)


def test_texts_that_mean_the_same_are_near(mini: Bundle) -> None:
    texts = ["a dog runs along the beach", "a puppy running on sand", "a man plays the guitar"]
    first, second, other = mini.embed_text(texts)
    assert first @ second > 0.5
    assert first @ other < 0.25


def test_case_and_spaces_do_not_matter(mini: Bundle) -> None:
    plain, shouted = mini.embed_text(["a dog on the beach", "  A DOG on  the beach "])
    np.testing.assert_allclose(plain, shouted, atol=1e-6)


def test_gelu_is_the_exact_one() -> None:
    import math

    x = np.linspace(-8, 8, 4001, dtype=np.float32)
    exact = np.array([0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x.tolist()])
    np.testing.assert_allclose(gelu(x), exact, atol=2e-6)


def test_a_text_tower_without_a_weight_is_refused() -> None:
    with pytest.raises(ModelError, match="lacks the weight"):
        MiniLMTextTower({})


def test_a_text_needs_neither_torch_nor_onnxruntime() -> None:
    code = (
        "import sys; from c2v.encoder import load_bundle;"
        "load_bundle('mini').embed_text(['a dog']);"
        "heavy = {'torch', 'onnxruntime', 'tokenizers', 'av', 'PIL', 'open_clip'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the Flickr8k photos are not on this machine")
def test_captions_find_their_photos(mini: Bundle) -> None:
    from PIL import Image

    names = (PHOTOS / "Flickr_8k.testImages.txt").read_text().split()[:60]
    with (PHOTOS / "captions.csv").open(encoding="utf-8", newline="") as file:
        captions = {row["image_id"]: row["Caption"] for row in csv.DictReader(file)}
    photos = np.stack(
        [np.asarray(Image.open(PHOTOS / "images" / name).convert("RGB")) for name in names]
    )
    features = mini.encode_frames(photos)
    videos = mini.embed_video(features[:, None], np.ones((len(names), 1), np.bool_))
    similarity = mini.embed_text([captions[name] for name in names]) @ videos.T
    ranks = (similarity >= similarity.diagonal()[:, None]).sum(1)
    assert (ranks <= 1).mean() > 0.4
    assert (ranks <= 5).mean() > 0.85
