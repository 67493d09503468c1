"""The head wti: its formula, its two implementations, and what stays as it was beside it."""

from __future__ import annotations

import math
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from c2v.encoder.bundle import load_bundle
from c2v.encoder.heads import HeadSettings, NumpyWti, Words, open_head
from c2v.encoder.heads import wti as wti_module
from c2v.encoder.heads.build import build_head, new_head
from c2v.encoder.heads.initialise import init_from_clip, init_identity
from c2v.encoder.heads.wti import NO_TOKEN, Wti, interact, lengthened, shortened
from c2v.encoder.padding import pad
from c2v.encoder.sources.official.keys import infer
from c2v.errors import ModelError

TINY: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[1] / "golden" / "own" / "tiny.py"))
D = 96
LENGTHS = (7, 3, 5, 1, 7)
WORDS = (9, 3, 5, 2)


def shape(**changes: Any) -> HeadSettings:
    given = {"feature_dim": D, "bottleneck": 32, "layers": 1, "projected": True, **changes}
    return HeadSettings(type="wti", **given)


def heads(settings: HeadSettings) -> tuple[Wti, NumpyWti]:
    state = TINY["head_state"](settings, 0)
    module = build_head(settings, state)
    assert isinstance(module, Wti)
    return module, NumpyWti(settings, {key: value.numpy() for key, value in state.items()})


@pytest.fixture
def segments() -> list[np.ndarray]:  # type: ignore[type-arg]
    random = np.random.default_rng(0)
    return [3 * random.standard_normal((count, D)).astype(np.float32) for count in LENGTHS]


@pytest.fixture
def tokens() -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    random = np.random.default_rng(1)
    mask = np.arange(max(WORDS)) < np.asarray(WORDS)[:, None]
    return random.standard_normal((len(WORDS), max(WORDS), D)).astype(np.float32), mask


def tensor(array: Any) -> Tensor:
    return torch.from_numpy(np.asarray(array, np.float32))


def by_the_paper(
    words: list[list[float]], a: list[float], frames: list[list[float]], b: list[float]
) -> float:
    """Wang et al. 2022, equations of the weighted token-wise interaction, in plain loops."""

    def cosine(x: list[float], y: list[float]) -> float:
        dot = sum(p * q for p, q in zip(x, y, strict=True))
        return dot / math.sqrt(sum(p * p for p in x)) / math.sqrt(sum(q * q for q in y))

    by_words = sum(w * max(cosine(x, y) for y in frames) for w, x in zip(a, words, strict=True))
    by_frames = sum(w * max(cosine(x, y) for x in words) for w, y in zip(b, frames, strict=True))
    return (by_words + by_frames) / 2


def shares(layer: torch.nn.Linear, rows: np.ndarray) -> list[float]:  # type: ignore[type-arg]
    """Softmax of a linear layer over rows of standardised size."""
    weight, bias = layer.weight[0].tolist(), layer.bias.item()
    logits = [
        bias + sum(math.sqrt(D) * x * w for x, w in zip(row, weight, strict=True)) for row in rows
    ]
    powers = [math.exp(logit - max(logits)) for logit in logits]
    return [power / sum(powers) for power in powers]


def test_scores_are_the_papers(segments: list[Any], tokens: tuple[Any, Any]) -> None:
    module, plain = heads(shape())
    padded, mask = pad(segments)
    with torch.no_grad():
        _, frames, b = module.video_parts(tensor(padded), tensor(mask))
        _, words, a = module.text_parts(tensor(tokens[0]), tensor(tokens[1]))
        scores = interact(words, a, frames, b).numpy()
    for n, count in enumerate(WORDS):
        own = words[n, 1:count].numpy()  # without the start token
        asked = shares(module.word_weight, own)
        np.testing.assert_allclose(a[n, 1:count, 0], asked, rtol=1e-4)
        for s, length in enumerate(LENGTHS):
            seen = frames[s, :length].numpy()
            shown = shares(module.frame_weight, seen)
            expected = by_the_paper(own.tolist(), asked, seen.tolist(), shown)
            assert scores[n, s] == pytest.approx(expected, abs=1e-6)
        found = plain.score(Words(own, np.asarray(asked, np.float32)), segments)
        np.testing.assert_allclose(found.scores, scores[n], atol=1e-5)
        cosines = [own @ frames[s, :length].numpy().T for s, length in enumerate(LENGTHS)]
        assert found.nearest.tolist() == [one.argmax(1).tolist() for one in cosines]
        np.testing.assert_allclose(found.cosines, [one.max(1) for one in cosines], atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"layers": 2, "bottleneck": 128},  # two attention heads
        {"layers": 0},
        {"projected": False, "bottleneck": 24, "feature_dim": 100},
    ],
)
def test_numpy_is_torch(changes: dict[str, Any]) -> None:
    settings = shape(**changes)
    width = settings.feature_dim
    random = np.random.default_rng(2)
    segments = [random.standard_normal((n, width)).astype(np.float16) for n in (12, 1, 40, 12, 9)]
    text = random.standard_normal((4, 9, width)).astype(np.float32)
    text_mask = np.arange(9) < np.asarray(WORDS)[:, None]
    module, plain = heads(settings)
    padded, mask = pad(segments)
    with torch.no_grad():
        vectors, frames, b = module.video_parts(tensor(padded), tensor(mask))
        asked, words, a = module.text_parts(tensor(text), tensor(text_mask))
        scores = interact(words, a, frames, b).numpy()
    np.testing.assert_allclose(plain.embed_video(padded, mask), vectors, atol=1e-5)
    np.testing.assert_allclose(plain.embed_text(text, text_mask), asked, atol=1e-5)
    own, weights = plain.words(text, text_mask)
    np.testing.assert_allclose(own, words, atol=1e-5)
    np.testing.assert_allclose(weights, a[..., 0], atol=1e-5)
    np.testing.assert_allclose(plain.score_all(own, weights, segments), scores, atol=1e-5)
    for n in range(4):
        real = weights[n] >= 0
        found = plain.score(Words(own[n, real], weights[n, real]), segments)
        np.testing.assert_allclose(found.scores, scores[n], atol=1e-5)


def test_one_feature_a_text_is_the_text(segments: list[Any]) -> None:
    """A tower that has no words leaves half of a mean and half of a maximum."""
    module, plain = heads(shape())
    text = np.random.default_rng(3).standard_normal((2, 1, D)).astype(np.float32)
    words, weights = plain.words(text, np.ones((2, 1), np.bool_))
    np.testing.assert_allclose(words[:, 0], plain.embed_text(text, np.ones((2, 1))), atol=1e-6)
    assert weights.tolist() == [[1.0], [1.0]]
    with torch.no_grad():
        _, frames, b = module.video_parts(*map(tensor, pad(segments)))
    for s, length in enumerate(LENGTHS):
        cosines = frames[s, :length].numpy() @ words[0, 0]
        expected = (cosines.max() + cosines @ b[s, :length, 0].numpy()) / 2
        found = plain.score(Words(words[0], weights[0]), segments).scores[s]
        assert found == pytest.approx(expected, abs=1e-6)


def test_first_weights_are_meanp(segments: list[Any], tokens: tuple[Any, Any]) -> None:
    settings, state = init_identity(shape(projected=False), seed=4)
    module = build_head(settings, state)
    mean = build_head(HeadSettings(type="meanP", feature_dim=D), {})
    video, text = tuple(map(tensor, pad(segments))), tuple(map(tensor, tokens))
    with torch.no_grad():
        torch.testing.assert_close(module.video(*video), mean.video(*video), atol=1e-6, rtol=0)
        torch.testing.assert_close(module.text(*text), mean.text(*text), atol=1e-6, rtol=0)
        _, frames, b = module.video_parts(*video)
        whole, words, a = module.text_parts(*text)
        scores = interact(words, a, frames, b)
    for s, length in enumerate(LENGTHS):
        cosines = whole @ frames[s, :length].T
        expected = (cosines.amax(1) + cosines.mean(1)) / 2
        torch.testing.assert_close(scores[:, s], expected, atol=1e-6, rtol=0)


def test_what_does_not_fit_in_memory_has_the_same_gradient(
    segments: list[Any], tokens: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gradients() -> tuple[Tensor, dict[str, Tensor]]:
        module, _ = heads(shape())
        _, frames, b = module.train().video_parts(*map(tensor, pad(segments)))
        _, words, a = module.text_parts(*map(tensor, tokens))
        scores = interact(words, a, frames, b)
        (scores * torch.arange(scores.numel()).view_as(scores)).sum().backward()
        given = {n: p.grad for n, p in module.named_parameters() if p.grad is not None}
        return scores, given

    calls = []
    real = wti_module._interact
    monkeypatch.setattr(wti_module, "_interact", lambda *x: calls.append(len(x[0])) or real(*x))
    whole, one = gradients()
    assert calls == [len(WORDS)]
    monkeypatch.setattr(wti_module, "_COSINES_AT_ONCE", 1)
    calls.clear()
    parts, many = gradients()
    assert calls == [1] * (2 * len(WORDS)), "once for the scores, once more for the gradient"
    torch.testing.assert_close(parts, whole)
    assert one.keys() == many.keys()
    for name, gradient in one.items():
        torch.testing.assert_close(many[name], gradient, msg=name, rtol=1e-4, atol=1e-4)


def test_nothing_real_scores_like_an_opposite(segments: list[Any], tokens: tuple[Any, Any]) -> None:
    module, _ = heads(shape())
    padded, mask = pad(segments)
    mask[2], tokens[1][1] = False, False
    features = tensor(padded).requires_grad_()
    vectors, frames, b = module.video_parts(features, tensor(mask))
    whole, words, a = module.text_parts(*map(tensor, tokens))
    scores = interact(words, a, frames, b)
    assert (vectors[2] == 0).all()
    assert (whole[1] == 0).all()
    assert scores[[0, 2, 3], 2].tolist() == pytest.approx([-1, -1, -1])
    assert scores[1, [0, 1, 3, 4]].tolist() == pytest.approx([-1, -1, -1, -1])
    assert torch.isfinite(scores).all()
    scores.sum().backward()
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()
    assert all(torch.isfinite(p.grad).all() for p in module.parameters() if p.grad is not None)


def test_padding_says_nothing(segments: list[Any], tokens: tuple[Any, Any]) -> None:
    module, plain = heads(shape())
    padded, mask = pad(segments)
    other = np.where(mask[..., None], padded, 7.0).astype(np.float32)
    text, text_mask = tokens
    other_text = np.where(text_mask[..., None], text, 7.0).astype(np.float32)
    with torch.no_grad():
        _, *frames = module.video_parts(tensor(padded), tensor(mask))
        _, *changed = module.video_parts(tensor(other), tensor(mask))
        _, *words = module.text_parts(tensor(text), tensor(text_mask))
        _, *asked = module.text_parts(tensor(other_text), tensor(text_mask))
        scores = interact(*words, *frames)
        torch.testing.assert_close(interact(*asked, *changed), scores, atol=1e-6, rtol=0)
        longer = lengthened((words[0][:, 0], *words), 20)[1:]
        assert longer[0].shape == (len(WORDS), 20, D)
        assert (longer[1][:, 9:] == NO_TOKEN).all()
        torch.testing.assert_close(interact(*longer, *frames), scores, atol=1e-6, rtol=0)
        assert all(map(torch.equal, shortened(*longer), words))
    np.testing.assert_allclose(
        plain.embed_video(other, mask), plain.embed_video(padded, mask), atol=1e-6
    )


def test_more_frames_than_positions_is_an_error() -> None:
    module, plain = heads(shape(positions=4))
    frames = np.ones((1, 5, D), np.float32)
    with pytest.raises(ModelError, match="4 positions"):
        module.video(tensor(frames), torch.ones(1, 5))
    with pytest.raises(ModelError, match="4 positions"):
        plain.embed_video(frames, np.ones((1, 5), np.bool_))
    with pytest.raises(ModelError, match="4 positions"):
        plain.score(Words(frames[0, :1], np.ones(1, np.float32)), [frames[0]])


def test_a_search_with_it_never_imports_torch(tmp_path: Path) -> None:
    settings = shape()
    file = tmp_path / "head.safetensors"
    save_file(TINY["head_state"](settings, 0), str(file))
    script = f"""
import sys
from pathlib import Path
import numpy as np
from c2v.encoder.heads import Words, open_head
head = open_head({settings.as_dict()}, Path({str(file)!r}))
words, weights = head.words(np.ones((1, 4, {D}), "f4"), np.ones((1, 4), bool))
head.score(Words(words[0, 1:], weights[0, 1:]), [np.ones((3, {D}), "f2")])
head.embed_video(np.ones((1, 3, {D}), "f2"), np.ones((1, 3), bool))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    assert isinstance(open_head(settings, file), NumpyWti)


def test_what_it_cannot_start_from() -> None:
    with pytest.raises(ModelError, match="of its own width"):
        init_from_clip(shape(), {})
    with pytest.raises(ModelError, match="no official checkpoint"):
        infer({"clip.text_projection": torch.zeros(4, 4)}, sim_header="wti")
    missing = dict(new_head(shape()).state_dict())
    del missing["wide.weight"]
    with pytest.raises(ModelError, match=r"wide\.weight"):
        NumpyWti(shape(), {key: value.numpy() for key, value in missing.items()})


def test_settings_of_other_heads_are_written_as_before() -> None:
    """Fingerprints of bundles hash them."""
    described = HeadSettings(type="clip2video", feature_dim=8, projected=True).as_dict()
    assert described == {"type": "clip2video", "feature_dim": 8, "projected": True}


def test_words_of_mini_end_in_the_text() -> None:
    mini = load_bundle("mini", device="cpu")
    texts = ["a dog", "a red car drives down a long road", ""]
    alone, words = mini.encode_text(texts), mini.encode_text(texts, words=True)
    assert alone.tokens.shape == (3, 1, mini.feature_dim)
    assert words.tokens.shape == (3, 10, mini.feature_dim)
    np.testing.assert_allclose(words.pooled(), alone.pooled(), atol=1e-5)
    assert words.mask.sum(1).tolist() == [mini.tokenizer.length(text) for text in texts]
    one = mini.encode_text(texts[:1], words=True)
    np.testing.assert_allclose(one.tokens[0], words.tokens[0, :4], atol=1e-5)
    assert mini.encode_text([], words=True).tokens.shape[0] == 0
