"""CLIP2Video against the outputs of the released code, at toy size, fp32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from c2v.encoder.heads.base import global_vector
from c2v.encoder.heads.clip2video import Clip2Video
from c2v.encoder.heads.tab import words_only
from c2v.encoder.sources.official.reference import OfficialModel, from_official
from c2v.training.objective import batch_loss

RELATIVE = 5e-6
ABSOLUTE = 5e-5
# what each variant of the reference was made with; what is not named is as released
VARIANTS: dict[str, dict[str, Any]] = {
    "meanP": {"sim_type": "meanP", "temporal_type": "", "center_type": ""},
    "seqTransf": {"temporal_type": "", "center_type": ""},
    "TDB_sub": {"temporal_proj": "", "center_type": ""},
    "TDB_mlp": {"temporal_proj": "sigmoid_mlp", "center_type": ""},
    "TDB_selfA": {"center_type": ""},
    "TAB_plain_meanP": {"sim_type": "meanP", "temporal_type": "", "center_proj": ""},
    "TAB_on_seqTransf": {"temporal_type": "", "center_proj": "TAB"},
    "TDB_TAB": {"center_proj": "TAB"},
    "TDB_TABTDB_K7": {},
}
# name of a run in the golden -> its mask, and whether with the mask bug
RUNS = (
    ("full", "full", False),
    ("ragged_fixed", "ragged", False),
    ("ragged_official", "ragged", True),
)
# the constant that fills the padded frames of each video in `ragged_fixed_padfill`
PAD_FILL = (0.0, 3.0, -2.0, 0.0)


@pytest.fixture(scope="module")
def case(golden: Path) -> dict[str, Tensor]:
    return load_file(golden / "clip2video_tdb_tab.safetensors")


def weights(case: dict[str, Tensor], override: str = "") -> dict[str, Tensor]:
    state = {key[3:]: value for key, value in case.items() if key.startswith("sd.")}
    if override:
        start = f"sd_{override}."
        state |= {key[len(start) :]: x for key, x in case.items() if key.startswith(start)}
    return state


def given(case: dict[str, Tensor], mask: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Texts and videos; padded frames are zero, as the loader makes them."""
    real = case[f"in.mask_{mask}"]
    video = case["in.video"].float() * real[:, :, None, None, None]
    return case["in.input_ids"].long(), case["in.attention_mask"], video, real


def close(got: Tensor, wanted: Tensor) -> None:
    """Equal to `RELATIVE` of the largest value."""
    assert got.shape == wanted.shape
    error = (got - wanted).abs().max() / wanted.abs().max()
    assert error <= RELATIVE


def near(got: Tensor, wanted: Tensor) -> None:
    assert got.shape == wanted.shape
    assert (got - wanted).abs().max() <= ABSOLUTE


@pytest.mark.parametrize(("name", "mask", "legacy"), RUNS)
def test_scores_of_the_released_configuration(
    case: dict[str, Tensor], name: str, mask: str, legacy: bool
) -> None:
    model = from_official(weights(case), legacy_mask_order=legacy)
    near(model.score(*given(case, mask)), case[f"out.{name}.sim"])


@pytest.mark.parametrize("legacy", [False, True])
def test_one_video_at_a_time_is_free_of_the_mask_bug(case: dict[str, Tensor], legacy: bool) -> None:
    model = from_official(weights(case), legacy_mask_order=legacy)
    ids, text_mask, video, mask = given(case, "ragged")
    columns = [
        model.score(ids, text_mask, video[i : i + 1], mask[i : i + 1]) for i in range(len(video))
    ]
    near(torch.cat(columns, dim=1), case["out.ragged_official_bs1.sim"])


def test_padding_leaks_as_in_the_reference(case: dict[str, Tensor]) -> None:
    model = from_official(weights(case))
    ids, text_mask, video, mask = given(case, "ragged")
    fill = torch.tensor(PAD_FILL)[:, None, None, None, None]
    filled = torch.where(mask[:, :, None, None, None] > 0, video, fill)
    wanted = case["out.ragged_fixed_padfill.sim"]
    near(model.score(ids, text_mask, filled, mask), wanted)
    assert (wanted - case["out.ragged_fixed.sim"]).abs().max() > 0.7


@pytest.mark.parametrize("mask", ["full", "ragged"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_variants(case: dict[str, Tensor], variant: str, mask: str) -> None:
    override = variant if variant.endswith("K7") else ""
    model = from_official(weights(case, override), **VARIANTS[variant])
    name = "full" if mask == "full" else "ragged_fixed"
    near(model.score(*given(case, mask)), case[f"out.variant.{variant}.{name}.sim"])


def intermediates(model: OfficialModel, case: dict[str, Tensor], mask: str) -> dict[str, Tensor]:
    """Everything on the way, under the golden's names."""
    ids, text_mask, video, real = given(case, mask)
    real, head = real.float(), model.head
    assert isinstance(head, Clip2Video)
    table, tdb, tab, temporal = (
        head.frame_position_embeddings, head.tdb, head.tab, head.transformerClip,
    )  # fmt: skip
    assert table is not None
    assert tdb is not None
    assert tab is not None
    assert temporal is not None
    tokens, end = model.encode_text(ids)
    frames = model.encode_video(video)
    z = tdb.sequence(frames, real, table)
    half = tdb.sequence(frames[:, 0::2], real[:, 0::2], table)
    half_tokens = half.tokens + half.positions + half.types
    visual, visual_mask = tab.video_tokens(frames, real, table, tdb)
    y = temporal(z.tokens + z.positions + z.types, z.mask)
    return {
        "frame_emb": frames,
        "text_hidden": tokens,
        "text_global": tokens[torch.arange(len(ids)), end],
        "tdb_tokens": z.tokens,
        "tdb_pos": z.positions,
        "tdb_type": z.types,
        "tdb_mask": z.mask,
        "tdb_diff_attn_out": tdb.attended(frames, real, table),
        "tdb_transformer_out": y,
        "video_global": global_vector(y[:, 0::2] + frames, real),
        "tab_transformer_out": tab.actionClip(half_tokens, half.mask),
        "tab_visual_tokens": visual,
        "tab_visual_mask": visual_mask,
        "tab_video": tab.aggregate(visual, visual_mask),
        "tab_text": tab.aggregate(tokens, words_only(text_mask).float()),
    }


@pytest.mark.parametrize(
    ("name", "mask", "legacy"),
    [
        ("full", "full", False),
        ("ragged_fixed", "ragged", False),
        ("ragged_official", "ragged", True),
    ],
)
def test_intermediates(case: dict[str, Tensor], name: str, mask: str, legacy: bool) -> None:
    model = from_official(weights(case), legacy_mask_order=legacy)
    with torch.no_grad():
        got = intermediates(model, case, mask)
    compared = [key for key in got if f"out.{name}.{key}" in case]
    assert len(compared) >= 4
    for key in compared:
        close(got[key], case[f"out.{name}.{key}"])


@pytest.mark.parametrize(
    ("name", "mask", "legacy"),
    [
        ("full", "full", False),
        ("ragged_fixed", "ragged", False),
        ("ragged_official", "ragged", True),
    ],
)
def test_losses_and_branch_scores(
    case: dict[str, Tensor], name: str, mask: str, legacy: bool
) -> None:
    model = from_official(weights(case), legacy_mask_order=legacy)
    ids, text_mask, video, real = given(case, mask)
    with torch.no_grad():
        tokens, end = model.encode_text(ids)
        text = model.head.text_parts(tokens, text_mask.float(), end=end)
        parts = model.head.video_parts(model.encode_video(video), real)
        scale = model.clip.logit_scale.exp()

        def loss(branches: list[int], weights: tuple[float, ...]) -> Tensor:
            return batch_loss(
                [text[b] for b in branches], [parts[b] for b in branches], weights=weights,
                owner=torch.arange(4), video=torch.arange(4), videos=4, scale=scale,
            )  # fmt: skip

        total, overall, aligned = (
            loss([0, 1], model.head.weights), loss([0], (1.0,)), loss([1], (1.0,)),
        )  # fmt: skip
    near(scale * text[0] @ parts[0].T, case[f"out.{name}.sim_global"])
    near(scale * text[1] @ parts[1].T, case[f"out.{name}.sim_tab"])
    near(overall, case[f"out.{name}.loss_global"])
    near(aligned, case[f"out.{name}.loss_tab"])
    near(total, case[f"out.{name}.loss_total"])
