"""Properties that every head has, and those that only one has."""

from __future__ import annotations

import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import hnswlib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from c2v.encoder.heads import HeadSettings, NumpyMeanP, NumpyTextSide, TorchHead, open_head
from c2v.encoder.heads.base import HeadModule
from c2v.encoder.heads.blocks import attention_heads
from c2v.encoder.heads.build import build_head, new_head
from c2v.encoder.heads.clip2video import Clip2Video
from c2v.encoder.heads.initialise import init_from_clip, init_identity, random_head
from c2v.encoder.heads.tight import TightTransf
from c2v.errors import ModelError

TINY: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[1] / "golden" / "own" / "tiny.py"))
LOOSE = ("meanP", "seqLSTM", "seqTransf", "clip2video", "clip2video_mlp")
D = 128


def make(checkpoint: str, *, seed: int = 0, width: int = D, **changes: Any) -> HeadModule:
    shape = replace(TINY["head_settings"](checkpoint, width=width), **changes)
    return build_head(shape, TINY["head_state"](shape, seed))


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(shape).astype(np.float32))


def prefix_mask(lengths: tuple[int, ...], total: int) -> Tensor:
    return (torch.arange(total)[None] < torch.tensor(lengths)[:, None]).float()


MASK = prefix_mask((6, 4, 3, 1), 6)


@pytest.fixture
def features() -> Tensor:
    return noise(4, 6, D)


@pytest.fixture
def tokens() -> tuple[Tensor, Tensor]:
    return noise(5, 9, D, seed=1), prefix_mask((9, 3, 5, 2, 8), 9)


# ------------------------------------------------------------------------- the one interface


@pytest.mark.parametrize("checkpoint", [*LOOSE, "tightTransf"])
def test_vectors_have_unit_length_and_the_promised_size(
    checkpoint: str, features: Tensor, tokens: tuple[Tensor, Tensor]
) -> None:
    head = make(checkpoint)
    video, text = head(features, MASK), head.text(*tokens)
    assert video.shape == (4, head.vector_dim)
    assert text.shape == (5, head.vector_dim)
    torch.testing.assert_close(video.norm(dim=1), torch.ones(4))
    torch.testing.assert_close(text.norm(dim=1), torch.ones(5))


@pytest.mark.parametrize("w", [0.0, 0.3, 0.5, 1.0])
def test_fused_inner_product_is_the_weighted_score(
    w: float, features: Tensor, tokens: tuple[Tensor, Tensor]
) -> None:
    head = make("clip2video", center_weight=w)
    (t_g, t_a), (v_g, v_a) = head.text_parts(*tokens), head.video_parts(features, MASK)
    score = w * t_g @ v_g.T + (1 - w) * t_a @ v_a.T
    torch.testing.assert_close(head.text(*tokens) @ head(features, MASK).T, score)


@settings(deadline=None, max_examples=10)
@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 50))
def test_the_score_is_linear_in_the_weight(low: float, high: float, seed: int) -> None:
    video, text = noise(3, 4, D, seed=seed), noise(2, 5, D, seed=seed + 1)
    mask, text_mask = torch.ones(3, 4), torch.ones(2, 5)

    def score(w: float) -> Tensor:
        head = make("clip2video", center_weight=w)
        return head.text(text, text_mask) @ head.video(video, mask).T

    torch.testing.assert_close(
        score((low + high) / 2), (score(low) + score(high)) / 2, atol=1e-6, rtol=0
    )


def test_hnsw_and_exact_scan_give_the_order_of_the_full_score() -> None:
    head = make("clip2video", center_weight=0.4)
    videos, texts = noise(300, 4, D, seed=2), noise(20, 6, D, seed=3)
    mask, text_mask = torch.ones(300, 4), torch.ones(20, 6)
    with torch.no_grad():
        (t_g, t_a), (v_g, v_a) = head.text_parts(texts, text_mask), head.video_parts(videos, mask)
        full = (0.4 * t_g.double() @ v_g.double().T + 0.6 * t_a.double() @ v_a.double().T).numpy()
        vectors, queries = head(videos, mask).numpy(), head.text(texts, text_mask).numpy()
    index = hnswlib.Index(space="ip", dim=head.vector_dim)
    index.init_index(max_elements=300, ef_construction=300, M=32, random_seed=1)
    index.add_items(vectors)
    index.set_ef(300)
    found = index.knn_query(queries, k=300)[0].astype(np.int64)
    exact = np.argsort(-(queries @ vectors.T), axis=1)
    for order in (found, exact):
        by_rank = np.take_along_axis(full, order, axis=1)
        assert (np.diff(by_rank, axis=1) <= 1e-6).all()  # falling, but for fp32's last digits
        np.testing.assert_array_equal(np.sort(order, axis=1), np.tile(np.arange(300), (20, 1)))


@pytest.mark.parametrize("checkpoint", LOOSE)
def test_a_batch_of_one_equals_a_batch_of_many(
    checkpoint: str, features: Tensor, tokens: tuple[Tensor, Tensor]
) -> None:
    head = make(checkpoint)
    video, text = head(features, MASK), head.text(*tokens)
    for i in range(4):
        torch.testing.assert_close(
            head(features[i : i + 1], MASK[i : i + 1])[0], video[i], atol=2e-6, rtol=0
        )
        one = head.text(tokens[0][i : i + 1], tokens[1][i : i + 1])[0]
        torch.testing.assert_close(one, text[i], atol=2e-6, rtol=0)


def test_the_legacy_mask_order_mixes_videos_up(features: Tensor) -> None:
    fixed, legacy = make("seqTransf"), make("seqTransf", legacy_mask_order=True)
    full = torch.ones_like(MASK)
    torch.testing.assert_close(legacy(features, full), fixed(features, full))
    torch.testing.assert_close(legacy(features[1:2], MASK[1:2]), fixed(features[1:2], MASK[1:2]))
    assert (legacy(features, MASK) - fixed(features, MASK)).abs().max() > 1e-3


# ------------------------------------------------------------------------------- padding


def with_other_padding(features: Tensor, seed: int) -> Tensor:
    return torch.where(MASK[:, :, None] > 0, features, 5 * noise(*features.shape, seed=seed))


@pytest.mark.parametrize(
    "head",
    [
        make("meanP"),
        make("seqLSTM"),
        make("seqTransf"),
        make("clip2video", strict_difference_mask=True),
        make("clip2video", temporal_type="", center_proj="TAB"),
    ],
    ids=["meanP", "seqLSTM", "seqTransf", "clip2video-strict", "clip2video-without-TDB"],
)
@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000))
def test_padding_says_nothing(head: HeadModule, seed: int) -> None:
    features = noise(4, 6, D)
    with torch.no_grad():
        torch.testing.assert_close(
            head(with_other_padding(features, seed), MASK), head(features, MASK), atol=1e-6, rtol=0
        )


def test_published_difference_mask_leaks_one_padded_frame(features: Tensor) -> None:
    """Only the frame after the last real one (of all, and of every second) is seen."""
    head = make("clip2video")
    plain = head(features, MASK)
    leaky = head(with_other_padding(features, 9), MASK)
    assert (plain - leaky)[0].abs().max() == 0  # no padding
    assert (plain - leaky)[1:].abs().max() > 1e-3
    far = features.clone()
    far[2, 5] = 7.0  # length 3: frames 3 (of all) and 4 (of every second) are seen, 5 is not
    torch.testing.assert_close(head(far, MASK)[2], plain[2], atol=1e-6, rtol=0)
    far[3, 5] = 7.0  # length 1: no difference is real, so attention spreads over all of them
    assert (head(far, MASK)[3] - plain[3]).abs().max() > 1e-3


@pytest.mark.parametrize("checkpoint", [*LOOSE, "tightTransf"])
def test_a_video_without_frames_is_zero_and_never_nan(checkpoint: str, features: Tensor) -> None:
    head = make(checkpoint)
    mask = MASK.clone()
    mask[2] = 0
    features.requires_grad_(True)
    for parameter in head.parameters():
        parameter.requires_grad_(True)
    video = head(features, mask)
    assert (video[2] == 0).all()
    assert torch.isfinite(video).all()
    video.sum().backward()
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()
    gradients = [p.grad for p in head.parameters() if p.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert (head.text(noise(2, 4, D), torch.zeros(2, 4)) == 0).all()


# ---------------------------------------------------------------------------------- shapes


@pytest.mark.parametrize("checkpoint", LOOSE)
@pytest.mark.parametrize("frames", [1, 2, 3, 77])
def test_any_number_of_frames(checkpoint: str, frames: int) -> None:
    video = make(checkpoint)(noise(2, frames, D), torch.ones(2, frames))
    torch.testing.assert_close(video.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("checkpoint", ["seqTransf", "clip2video", "tightTransf"])
def test_more_frames_than_positions_is_an_error(checkpoint: str) -> None:
    head = make(checkpoint)
    score = head.score_pairs if isinstance(head, TightTransf) else lambda _, *video: head(*video)
    with pytest.raises(ModelError, match="77 positions"):
        score(noise(1, D), noise(1, 78, D), torch.ones(1, 78))


@pytest.mark.parametrize(("width", "heads"), [(32, 1), (64, 1), (100, 1), (192, 3), (130, 2)])
def test_any_width(width: int, heads: int) -> None:
    assert attention_heads(width) == heads
    head = make("clip2video", width=width)
    assert head(noise(2, 5, width), torch.ones(2, 5)).shape == (2, 2 * width)


@pytest.mark.parametrize("centers", [1, 2, 5, 7, 16])
def test_any_number_of_centres(centers: int, tokens: tuple[Tensor, Tensor]) -> None:
    head = make("clip2video", centers=centers)
    torch.testing.assert_close(head.text(*tokens).norm(dim=1), torch.ones(5))


@pytest.mark.parametrize("temporal_proj", ["sigmoid_selfA", "sigmoid_mlp", ""])
@pytest.mark.parametrize("center_proj", ["TAB_TDB", "TAB", ""])
@pytest.mark.parametrize("sim_type", ["meanP", "seqTransf"])
def test_every_combination_of_settings_builds(
    temporal_proj: str, center_proj: str, sim_type: str, features: Tensor
) -> None:
    head = make(
        "clip2video", temporal_proj=temporal_proj, center_proj=center_proj, sim_type=sim_type
    )
    torch.testing.assert_close(head(features, MASK).norm(dim=1), torch.ones(4))


def test_differences_are_bounded_and_stand_between_the_frames(features: Tensor) -> None:
    head = make("clip2video")
    assert isinstance(head, Clip2Video)
    assert head.tdb is not None
    assert head.frame_position_embeddings is not None
    z = head.tdb.sequence(features, MASK, head.frame_position_embeddings)
    assert z.tokens.shape == (4, 11, D)
    torch.testing.assert_close(z.tokens[:, 0::2], features)
    assert z.tokens[:, 1::2].abs().max() < 1
    assert z.mask[2].tolist() == [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]  # length 3: the third leaks
    strict = make("clip2video", strict_difference_mask=True)
    assert isinstance(strict, Clip2Video)
    assert strict.tdb is not None
    z = strict.tdb.sequence(features, MASK, head.frame_position_embeddings)
    assert z.mask[2].tolist() == [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]


# -------------------------------------------------------------------------- settings, weights


def test_settings_round_trip_and_reject() -> None:
    shape = HeadSettings(type="clip2video", feature_dim=64, centers=7, center_weight=0.25)
    assert HeadSettings.from_dict(shape.as_dict()) == shape
    with pytest.raises(ModelError, match="'centres'"):
        HeadSettings.from_dict({"type": "meanP", "feature_dim": 4, "centres": 5})
    with pytest.raises(ModelError, match="'feature_dim' is missing"):
        HeadSettings.from_dict({"type": "meanP"})
    with pytest.raises(ModelError, match="temporal_proj is 'tanh'"):
        HeadSettings(type="clip2video", feature_dim=4, temporal_proj="tanh")
    with pytest.raises(ModelError, match="center_weight"):
        HeadSettings(type="clip2video", feature_dim=4, center_weight=1.5)
    with pytest.raises(ModelError, match="feature_dim"):
        HeadSettings(type="meanP", feature_dim=0)


@pytest.mark.parametrize("checkpoint", [*LOOSE, "tightTransf"])
def test_state_round_trip_under_official_names(checkpoint: str) -> None:
    head = make(checkpoint)
    state = head.state_dict()
    assert not any(name.startswith(("tdb.", "tab.")) for name in state)
    again = new_head(head.settings)
    again.load_state_dict(state)
    for name, weight in again.state_dict().items():
        assert torch.equal(weight, state[name])
    wrapped = torch.nn.ModuleDict({"head": head})
    other = torch.nn.ModuleDict({"head": new_head(head.settings)})
    other.load_state_dict(wrapped.state_dict())
    for name, weight in other["head"].state_dict().items():
        assert torch.equal(weight, state[name])


def test_a_missing_or_misshapen_weight_is_named() -> None:
    shape = TINY["head_settings"]("clip2video")
    state = TINY["head_state"](shape)
    with pytest.raises(ModelError, match="'emb_center'"):
        build_head(shape, {name: x for name, x in state.items() if name != "emb_center"})
    with pytest.raises(ModelError, match=r"'emb_center' has shape \(5, 3\)"):
        build_head(shape, state | {"emb_center": torch.zeros(5, 3)})


def test_a_head_can_be_trained(features: Tensor, tokens: tuple[Tensor, Tensor]) -> None:
    head = make("clip2video").train()
    (head.text(*tokens)[:4] * head(features, MASK)).sum().backward()
    without = [name for name, weight in head.named_parameters() if weight.grad is None]
    assert without == []


# ------------------------------------------------------------------------------------ tight


def test_pairs_of_the_cross_encoder(features: Tensor) -> None:
    head = make("tightTransf")
    assert isinstance(head, TightTransf)
    text = noise(3, D, seed=4)
    matrix = head.score_matrix(text, features, MASK)
    assert matrix.shape == (3, 4)
    one = head.score_pairs(text[1:2], features[2:3], MASK[2:3])
    torch.testing.assert_close(one[0], matrix[1, 2])
    garbage = with_other_padding(features, 5)
    torch.testing.assert_close(head.score_matrix(text, garbage, MASK), matrix)

    numpy_head = TorchHead(head.settings, head.state_dict())
    scores = numpy_head.score_pairs(text[:1].numpy(), features[:1].numpy(), MASK[:1].numpy())
    np.testing.assert_allclose(scores, matrix[0, :1].detach().numpy(), atol=1e-5)
    with pytest.raises(ModelError, match="inner product"):
        TorchHead(HeadSettings(type="meanP", feature_dim=D), {}).score_pairs(
            text[:1].numpy(), features[:1].numpy(), MASK[:1].numpy()
        )


# ------------------------------------------------------------------------------------ NumPy


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(2, 20))
def test_numpy_equals_torch(seed: int, count: int, length: int) -> None:
    random = np.random.RandomState(seed)
    tokens = random.standard_normal((count, length, D)).astype(np.float32) * 3
    mask = (np.arange(length) < random.randint(0, length + 1, (count, 1))).astype(np.int64)
    for checkpoint in ("meanP", "seqTransf", "clip2video"):
        head = make(checkpoint, seed=seed % 7)
        weights = {name: x.numpy() for name, x in head.state_dict().items()}
        got = NumpyTextSide(head.settings, weights).embed_text(tokens, mask)
        wanted = TorchHead(head.settings, head.state_dict()).embed_text(tokens, mask)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, wanted, atol=1e-5)
    mean = HeadSettings(type="meanP", feature_dim=D)
    np.testing.assert_allclose(
        NumpyMeanP(mean).embed_video(tokens.astype(np.float16), mask),
        TorchHead(mean, {}).embed_video(tokens.astype(np.float16), mask),
        atol=1e-5,
    )


def test_the_text_side_says_which_weight_is_missing() -> None:
    with pytest.raises(ModelError, match="'weight_center'"):
        NumpyTextSide(TINY["head_settings"]("clip2video"), {})


@pytest.mark.parametrize("checkpoint", ["meanP", "seqLSTM", "clip2video"])
def test_open_head(
    checkpoint: str, tmp_path: Path, features: Tensor, tokens: tuple[Tensor, Tensor]
) -> None:
    head = make(checkpoint)
    path = None
    if checkpoint != "meanP":
        path = tmp_path / "head.safetensors"
        save_file({k: v.detach().contiguous() for k, v in head.state_dict().items()}, path)
    opened = open_head(head.settings.as_dict(), path)
    with torch.no_grad():
        text, video = head.text(*tokens).numpy(), head(features, MASK).numpy()
    np.testing.assert_allclose(
        opened.embed_text(tokens[0].numpy(), tokens[1].numpy()), text, atol=1e-5
    )
    np.testing.assert_allclose(opened.embed_video(features.numpy(), MASK.numpy()), video, atol=1e-5)
    none = opened.embed_video(np.zeros((0, 6, D), np.float32), np.zeros((0, 6)))
    assert none.shape == (0, opened.vector_dim)


def test_open_head_without_or_with_damaged_weights(tmp_path: Path) -> None:
    shape = TINY["head_settings"]("clip2video")
    with pytest.raises(ModelError, match="no weights"):
        open_head(shape, tmp_path / "head.safetensors")
    (tmp_path / "head.safetensors").write_bytes(b"not a tensor in sight")
    with pytest.raises(ModelError, match="not a whole"):
        open_head(shape, tmp_path / "head.safetensors")


def test_the_text_side_never_imports_torch(tmp_path: Path) -> None:
    head = make("clip2video")
    path = tmp_path / "head.safetensors"
    save_file({k: v.detach().contiguous() for k, v in head.state_dict().items()}, path)
    script = f"""
import sys, pathlib, numpy as np
from c2v.encoder.heads import open_head
head = open_head({head.settings.as_dict()!r}, pathlib.Path({str(path)!r}))
head.embed_text(np.ones((1, 3, {D}), np.float32), np.ones((1, 3)))
sys.exit(sum(name in sys.modules for name in ("torch", "open_clip", "PIL", "onnxruntime")))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0


# ----------------------------------------------------------------------------- first weights


def clip_towers() -> dict[str, Tensor]:
    state = TINY["official_state"]("meanP")
    return {name.removeprefix("clip."): x for name, x in state.items()}


@pytest.mark.parametrize("from_clip", [False, True])
@pytest.mark.parametrize("checkpoint", [*LOOSE, "clip2video_sub", "clip2video_meanP"])
def test_identity_is_meanp_bit_for_bit(
    checkpoint: str, from_clip: bool, features: Tensor, tokens: tuple[Tensor, Tensor]
) -> None:
    shape = TINY["head_settings"](checkpoint.removesuffix("_sub").removesuffix("_meanP"))
    if checkpoint.endswith("_sub"):
        shape = replace(shape, temporal_proj="", center_type="")
    if checkpoint.endswith("2video_meanP"):
        shape = replace(shape, sim_type="meanP")
    shape, state = init_identity(shape, clip_towers() if from_clip else None, seed=3)
    head, mean = build_head(shape, state), new_head(HeadSettings(type="meanP", feature_dim=D))
    assert torch.equal(head(features, MASK)[:, :D], mean(features, MASK))
    score = head.text(*tokens) @ head(features, MASK).T
    meanp = mean.text(*tokens) @ mean(features, MASK).T
    torch.testing.assert_close(score, meanp, atol=1e-7, rtol=0)
    assert torch.equal(score.argsort(dim=1), meanp.argsort(dim=1))


@pytest.mark.parametrize("checkpoint", ["seqLSTM", "seqTransf", "clip2video"])
def test_identity_can_learn(
    checkpoint: str, features: Tensor, tokens: tuple[Tensor, Tensor]
) -> None:
    """Two steps of plain descent move the first frames' vectors and lower the loss."""
    shape, state = init_identity(TINY["head_settings"](checkpoint))
    head = build_head(shape, state).train()
    optimiser = torch.optim.SGD(head.parameters(), lr=0.5)
    losses = []
    for _ in range(4):
        optimiser.zero_grad()
        text, video = head.text_parts(*tokens), head.video_parts(features, MASK)
        logits = 10 * text[0][:4] @ video[0].T
        loss = torch.nn.functional.cross_entropy(logits, torch.arange(4))
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 1e-3


def test_tight_has_no_identity() -> None:
    with pytest.raises(ModelError, match="pairs"):
        init_identity(TINY["head_settings"]("tightTransf"))


def test_from_clip_takes_the_text_tower() -> None:
    clip = clip_towers()
    shape = TINY["head_settings"]("clip2video")
    state = init_from_clip(shape, clip, seed=1)[1]
    assert torch.equal(state["frame_position_embeddings.weight"], clip["positional_embedding"])
    assert torch.equal(state["type_position_embeddings.weight"], clip["positional_embedding"][:2])
    for stack, depth in (("transformerClip", 2), ("frame2t_attention", 1), ("actionClip", 1)):
        for layer in range(depth):
            for name in ("attn.in_proj_weight", "mlp.c_proj.bias", "ln_2.weight"):
                key = f"resblocks.{layer}.{name}"
                assert torch.equal(state[f"{stack}.{key}"], clip[f"transformer.{key}"])
    assert torch.equal(state["trans_layernorm.weight"], torch.ones(D))
    assert 0.1 < state["weight_center"].std() < 0.15  # N(0, 1/8)
    assert torch.equal(state["emb_center"], init_from_clip(shape, clip, seed=1)[1]["emb_center"])


def test_from_clip_projection_cross_encoder_and_misfits() -> None:
    clip = clip_towers() | {"visual.proj": noise(200, D)}
    state = init_from_clip(TINY["head_settings"]("clip2video_mlp"), clip)[1]
    assert torch.equal(state["frame2t_projection"], clip["visual.proj"][:D])
    state = init_from_clip(TINY["head_settings"]("tightTransf"), clip)[1]
    assert torch.equal(
        state["cross.embeddings.position_embeddings.weight"], clip["positional_embedding"]
    )
    assert torch.equal(
        state["cross.transformer.resblocks.1.mlp.c_fc.weight"],
        clip["transformer.resblocks.1.mlp.c_fc.weight"],
    )
    assert 0.015 < state["cross.pooler.dense.weight"].std() < 0.025
    with pytest.raises(ModelError, match="width 64"):
        init_from_clip(HeadSettings(type="seqTransf", feature_dim=64), clip)


def test_random_start_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one = random_head(TINY["head_settings"]("seqTransf"), seed=1).state_dict()
    assert torch.equal(before, torch.random.get_rng_state())
    again = random_head(TINY["head_settings"]("seqTransf"), seed=1).state_dict()
    assert all(torch.equal(one[name], again[name]) for name in one)
