"""Official checkpoints: what the keys tell, what is refused, files that must not be trusted."""

from __future__ import annotations

import os
import runpy
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from c2v.encoder.sources.official.keys import infer, join_official, rename_old, split_official
from c2v.encoder.sources.official.reference import from_official
from c2v.encoder.sources.weight_files import load_state
from c2v.encoder.towers.clip_torch import Clip, ClipShape
from c2v.errors import ModelError

TINY: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[1] / "golden" / "own" / "tiny.py"))
CHECKPOINTS = (
    "clip2video", "clip2video_mlp", "meanP", "meanP_3d", "seqLSTM", "seqTransf", "tightTransf",
)  # fmt: skip


def state(checkpoint: str) -> dict[str, Tensor]:
    made: dict[str, Tensor] = TINY["official_state"](checkpoint)
    return made


# ---------------------------------------------------------------------------- what keys tell


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_inference_and_bitwise_round_trip(checkpoint: str) -> None:
    original = {name: x.half() if "attn" in name else x for name, x in state(checkpoint).items()}
    original["clip.context_length"] = torch.tensor(77)
    towers, head, layout = split_official(original)
    wanted = TINY["head_settings"](checkpoint)
    without_blocks = wanted.type in ("meanP", "seqLSTM")
    assert layout.head == (replace(wanted, layers=4) if without_blocks else wanted)
    assert "logit_scale" in towers
    assert ("visual.conv2.weight" in towers) == checkpoint.endswith("3d")
    joined = join_official(towers, head, layout.head.as_dict())
    assert joined.keys() == original.keys()
    for name, value in original.items():
        assert joined[name].dtype == value.dtype
        assert torch.equal(joined[name], value)


def test_sizes_come_from_the_keys() -> None:
    assert ClipShape(**infer(state("clip2video")).clip) == TINY["SHAPE"]


def test_settings_override_what_the_keys_suggest() -> None:
    full = state("clip2video")
    assert infer(full, center_type="").head.aligned is False
    assert infer(full, sim_type="meanP", center_weight=0.2).head.weights == (0.2, 0.8)
    assert infer(full, sim_header="meanP").head.type == "meanP"
    assert infer(state("seqTransf"), sim_header="meanP").head.type == "meanP"
    assert infer(state("seqTransf"), sim_type="meanP", temporal_type="").head.type == "meanP"
    assert infer(state("meanP_3d"), linear_patch="2d").clip["linear_patch"] == "2d"


@pytest.mark.parametrize(
    ("checkpoint", "settings", "named"),
    [
        ("meanP", {"linear_patch": "3d"}, "clip.visual.conv2.weight"),
        ("meanP", {"sim_header": "seqLSTM"}, "frame_position_embeddings.weight"),
        ("meanP", {"sim_header": "tightTransf"}, "cross.embeddings"),
        ("seqTransf", {"temporal_type": "TDB"}, "type_position_embeddings.weight"),
        ("clip2video", {"temporal_proj": "sigmoid_mlp"}, "frame2t_projection"),
        ("clip2video_mlp", {"temporal_proj": "sigmoid_selfA"}, "frame2t_attention"),
        ("clip2video", {"temporal_projection": ""}, "temporal_projection"),
        ("clip2video", {"sim_type": "lstm"}, "lstm"),
        ("meanP", {"linear_patch": "4d"}, "4d"),
    ],
)
def test_settings_that_the_checkpoint_cannot_follow(
    checkpoint: str, settings: dict[str, Any], named: str
) -> None:
    with pytest.raises(ModelError, match=named):
        from_official(state(checkpoint), **settings)


def test_old_names() -> None:
    modern = state("tightTransf")
    old = {
        name.replace("ln_pool.weight", "ln_pool.gamma").replace("ln_pool.bias", "ln_pool.beta"): x
        for name, x in modern.items()
    }
    assert old.keys() != modern.keys()
    assert rename_old(old).keys() == modern.keys()
    from_official(old)
    with pytest.raises(ModelError, match="twice"):
        rename_old(modern | {"cross.pooler.ln_pool.gamma": torch.ones(1)})


def test_a_non_loose_meanp_carries_a_cross_encoder_it_never_uses() -> None:
    stowaway = {k: v for k, v in state("tightTransf").items() if not k.startswith("similarity")}
    towers, head, layout = split_official(stowaway)
    assert layout.head.type == "meanP"
    assert join_official(towers, head, layout.head).keys() == stowaway.keys()


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_every_single_missing_key_is_named(checkpoint: str) -> None:
    whole = {name: x.to("meta") for name, x in state(checkpoint).items()}
    marks = {"clip.visual.conv2.weight", "type_position_embeddings.weight", "frame2t_projection"}
    for absent in whole:
        if absent in marks:  # without it the file is a whole one of another model
            continue
        with pytest.raises(ModelError) as caught:
            infer({name: x for name, x in whole.items() if name != absent})
        assert absent in caught.value.message


@pytest.mark.parametrize(
    "key",
    [
        "clip.visual.conv3.weight",
        "transformerClip.resblocks.9.ln_1.weight",
        "transformerClip.resblocks.0.ln_3.weight",
        "optimizer",
        "clip.visual.layer1.0.conv1.weight",
    ],
)
def test_an_unknown_key_is_named(key: str) -> None:
    with pytest.raises(ModelError, match=key.split(".")[-1]):
        from_official(state("seqTransf") | {key: torch.zeros(1)})


def test_a_distributed_checkpoint_gets_a_hint() -> None:
    with pytest.raises(ModelError) as caught:
        infer({f"module.{name}": x for name, x in state("meanP").items()})
    assert "module." in caught.value.hint


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("weight_center", (5, 64)),
        ("clip.ln_final.weight", (64,)),
        ("clip.visual.positional_embedding", (7, 64)),
        ("clip.visual.conv1.weight", (64,)),
        ("clip.text_projection", (128,)),
        ("clip.logit_scale", (2,)),
        ("emb_center", (0, 128)),
        ("weight_center", ()),
    ],
)
def test_a_wrong_shape_is_named(key: str, shape: tuple[int, ...]) -> None:
    damaged = state("clip2video") | {key: torch.zeros(shape)}
    with pytest.raises(ModelError, match=f"{key}' has shape"):
        from_official(damaged)
    with pytest.raises(ModelError, match="has shape"):
        split_official(damaged)


def test_join_refuses_a_head_that_does_not_fit() -> None:
    towers, head, layout = split_official(state("clip2video"))
    kept = {k: v for k, v in head.items() if not k.startswith("type")}
    with pytest.raises(ModelError, match="'type_position_embeddings.weight'"):
        join_official(towers, kept, layout.head)
    with pytest.raises(ModelError, match="unknown key 'stranger'"):
        join_official(towers, head | {"stranger": torch.zeros(1)}, layout.head)


# -------------------------------------------------------------------------------- the model


def test_half_precision_weights_and_the_loaders_seven_axes() -> None:
    given = TINY["inputs"]()
    model = from_official({name: x.half() for name, x in state("clip2video").items()})
    assert {x.dtype for x in model.parameters()} == {torch.float32}
    flat = model.score(given["input_ids"], given["attention_mask"], given["video"], given["ragged"])
    nested = model.score(
        given["input_ids"],
        given["attention_mask"],
        given["video"][:, None, :, None],
        given["ragged"][:, None],
    )
    assert torch.equal(flat, nested)
    assert flat.requires_grad is False


def test_loading_does_not_alias_the_checkpoint() -> None:
    weights = state("seqTransf")
    model = from_official(weights)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    torch.testing.assert_close(
        weights["clip.ln_final.bias"], state("seqTransf")["clip.ln_final.bias"]
    )


def test_wrong_picture_size_and_too_many_tokens() -> None:
    model = from_official(state("meanP"))
    with pytest.raises(ModelError, match=r"\(3, 16, 16\)"):
        model.encode_video(torch.zeros(1, 2, 3, 8, 8))
    with pytest.raises(ModelError, match="78 tokens"):
        model.encode_text(torch.zeros(1, 78, dtype=torch.long))


def test_a_3d_patch_that_looks_at_one_frame_is_a_2d_patch() -> None:
    weights = state("meanP_3d")
    weights["clip.visual.conv2.weight"] = torch.zeros(64, 3, 3, 8, 8)
    weights["clip.visual.conv2.weight"][:, :, 1] = weights["clip.visual.conv1.weight"]
    video = TINY["inputs"]()["video"]
    torch.testing.assert_close(
        from_official(weights).encode_video(video),
        from_official(weights, linear_patch="2d").encode_video(video),
    )


def test_towers_equal_open_clip() -> None:
    open_clip = pytest.importorskip("open_clip")
    shape = TINY["SHAPE"]
    theirs = open_clip.CLIP(
        embed_dim=shape.feature_dim,
        vision_cfg={"layers": 2, "width": 64, "head_width": 64, "patch_size": 8, "image_size": 16},
        text_cfg={"context_length": 77, "vocab_size": 512, "width": 128, "heads": 2, "layers": 2},
        quick_gelu=True,
    ).eval()
    weights = {k.removeprefix("clip."): v for k, v in state("meanP").items()}
    theirs.load_state_dict(weights)
    ours = Clip(shape).eval()
    ours.load_state_dict(weights)
    video = TINY["inputs"]()["video"]
    ids = torch.zeros(3, 77, dtype=torch.long)
    ids[:, :12] = TINY["inputs"]()["input_ids"]
    with torch.no_grad():
        torch.testing.assert_close(
            ours.encode_clips(video)[0], theirs.encode_image(video[0]), atol=1e-5, rtol=1e-5
        )
        text = ours.encode_tokens(ids[:, :12])[torch.arange(3), ids.argmax(1)]
        torch.testing.assert_close(text, theirs.encode_text(ids), atol=1e-5, rtol=1e-5)


# ------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("name", ["m.pt", "m.bin", "pytorch_model.bin.2", "m.safetensors"])
def test_files_by_content(name: str, tmp_path: Path) -> None:
    weights = state("seqLSTM")
    path = tmp_path / name
    if name.endswith("safetensors"):
        save_file(weights, path)
    else:
        torch.save(weights, path)
    loaded = load_state(path)
    assert loaded.keys() == weights.keys()
    assert all(torch.equal(loaded[key], weights[key]) for key in weights)


def test_the_old_pickle_format_is_read(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(3)}, tmp_path / "m.pt", _use_new_zipfile_serialization=False)
    assert load_state(tmp_path / "m.pt")["w"].tolist() == [1, 1, 1]


class Bomb:
    """Unpickled, it would make a folder."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.target),)


def test_a_pickle_never_runs_code(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(1), "x": Bomb(tmp_path / "boom")}, tmp_path / "m.bin")
    with pytest.raises(ModelError, match="more than weights") as caught:
        load_state(tmp_path / "m.bin")
    assert caught.value.hint
    assert not (tmp_path / "boom").exists()


def write_torchscript(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/constants.pkl", b"")
        archive.writestr("archive/code/__torch__.py", b"")


def write_truncated(path: Path) -> None:
    torch.save(state("meanP"), path)
    path.write_bytes(path.read_bytes()[:-1000])


def write_truncated_safetensors(path: Path) -> None:
    save_file(state("meanP"), path)
    path.write_bytes(path.read_bytes()[:-1000])


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (write_torchscript, "TorchScript"),
        (write_truncated, "damaged"),
        (write_truncated_safetensors, "damaged"),
        (lambda path: path.write_bytes(b""), "damaged"),
        (lambda path: path.write_bytes(b"hello, I am a text file\n" * 9), "damaged"),
        (lambda path: path.write_bytes(b"PK\x03\x04 and then nothing"), "damaged"),
        (lambda path: torch.save(torch.ones(2), path), "no state dict"),
        (lambda path: torch.save({}, path), "no state dict"),
        (lambda path: torch.save({"state_dict": {"w": 1.0}}, path), "plain state dict"),
        (lambda path: torch.save({"epoch": 1, "optimizer_state_dict": {}}, path), "optimiser"),
        (lambda path: None, "cannot read"),
    ],
)
def test_bad_files_are_a_sentence(write: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    write(path)
    with pytest.raises(ModelError, match=said) as caught:
        load_state(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
