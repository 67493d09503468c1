"""Training checkpoints: the weights inside are found, and nothing of the rest is ever run."""

from __future__ import annotations

import argparse
import os
import pathlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from c2v.encoder.architecture import model_config
from c2v.encoder.bundle import load_bundle
from c2v.encoder.catalogue import export_checkpoint, import_checkpoint
from c2v.encoder.sources.weight_files import load_state
from c2v.errors import ModelError
from tests.toys import make_state

State = dict[str, Any]


def before(prefix: str, state: State) -> State:
    return {prefix + key: value for key, value in state.items()}


class Bomb:
    """Unpickled, it would make a folder."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.target),)


class Settings(dict):  # type: ignore[type-arg]
    """As Lightning keeps hyper-parameters: a class of the one who trained."""


OPTIMISER = {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 0.1}]}
WRAPPED: dict[str, Callable[[State], Any]] = {
    "plain": lambda state: state,
    "DistributedDataParallel": lambda state: before("module.", state),
    "torch.compile": lambda state: before("_orig_mod.", state),
    "both": lambda state: before("module._orig_mod.", state),
    "state_dict": lambda state: {"state_dict": state},
    "model": lambda state: {"model": before("module.", state), "optimizer": OPTIMISER},
    "open_clip epoch_N.pt": lambda state: {
        "epoch": 3, "name": "run", "state_dict": before("module.", state), "optimizer": OPTIMISER,
        "scaler": {"scale": 65536.0},
    },
    "with a command line": lambda state: {
        "model_state_dict": state, "epoch": np.int64(3), "loss": np.float32(0.5),
        "args": argparse.Namespace(out=pathlib.PurePosixPath("/x"), lr=0.1),
    },
    "Lightning": lambda state: {
        "pytorch-lightning_version": "2.4.0", "epoch": 1, "callbacks": {},
        "state_dict": before("model.", state), "hyper_parameters": Settings(lr=0.1),
        "optimizer_states": [OPTIMISER], "loops": {},
    },
    "Lightning, named clip": lambda state: {
        "pytorch-lightning_version": "2.4.0", "state_dict": before("clip.", state),
    },
    "Lightning, compiled": lambda state: {
        "pytorch-lightning_version": "2.4.0",
        "state_dict": before("net.module._orig_mod.", state),
    },
    "DeepSpeed": lambda state: {"module": state, "global_steps": 7, "optimizer": OPTIMISER},
}  # fmt: skip


@pytest.mark.parametrize("kind", WRAPPED)
def test_the_weights_in_a_checkpoint_are_found(
    tiny_state: State, tmp_path: Path, kind: str
) -> None:
    torch.save(WRAPPED[kind](tiny_state), tmp_path / "epoch_3.pt")
    loaded = load_state(tmp_path / "epoch_3.pt")
    assert loaded.keys() == tiny_state.keys()
    assert all(torch.equal(loaded[key], tiny_state[key]) for key in tiny_state)


@pytest.mark.parametrize("kind", ["DistributedDataParallel", "Lightning", "torch.compile"])
def test_official_layouts_too(tiny_state: State, tmp_path: Path, kind: str) -> None:
    official = before("clip.", tiny_state)
    torch.save(WRAPPED[kind](official), tmp_path / "wrapped.bin")
    import_checkpoint(tmp_path / "wrapped.bin", name="paper")
    export_checkpoint("paper", tmp_path / "again.bin")
    again = torch.load(tmp_path / "again.bin", weights_only=True)
    assert again.keys() == official.keys()
    assert all(torch.equal(again[key], official[key]) for key in again)
    assert load_bundle("paper").config.text.context == 32


def test_an_open_clip_checkpoint_becomes_a_model(tmp_path: Path) -> None:
    state = make_state(model_config("ViT-S-32-alt"))
    torch.save(WRAPPED["open_clip epoch_N.pt"](state), tmp_path / "epoch_3.pt")
    import_checkpoint(tmp_path / "epoch_3.pt", name="mine")
    assert load_bundle("mine").config.source == "imported from epoch_3.pt as ViT-S-32-alt"
    save_file(before("clip.", state), str(tmp_path / "named.safetensors"))
    import_checkpoint(tmp_path / "named.safetensors", name="named", architecture="ViT-S-32-alt")
    assert load_bundle("named").config.text.context == load_bundle("mine").config.text.context


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("around", [True, False])
def test_nothing_in_a_checkpoint_is_run(
    tiny_state: State, tmp_path: Path, zipped: bool, around: bool
) -> None:
    bomb = Bomb(tmp_path / "boom")
    content = {"state_dict": tiny_state, "x": bomb} if around else {**tiny_state, "x": bomb}
    torch.save(content, tmp_path / "m.pt", _use_new_zipfile_serialization=zipped)
    if zipped and around:
        assert load_state(tmp_path / "m.pt").keys() == tiny_state.keys()
    else:
        with pytest.raises(ModelError, match="more than weights") as caught:
            load_state(tmp_path / "m.pt")
        assert "mkdir" in caught.value.message
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda s: {"state_dict": {**s, "loss.weight": torch.ones(1)}}, None),
        (
            lambda s: before("model.", s) | {"loss.weight": torch.ones(1)},
            "holds loss.weight beside",
        ),
        (lambda s: before("student.", s) | before("teacher.", s), "weights of several models"),
        (lambda s: torch.nn.Linear(2, 2), "a pickled torch.nn.modules.linear.Linear, not weights"),
        (lambda s: {"model": torch.nn.Linear(2, 2)}, "'model' is a torch.nn.modules.linear.Linear"),
        (lambda s: {"epoch": 1, "optimizer": OPTIMISER}, "the optimiser's file"),
        (lambda s: {"w": torch.eye(2).to_sparse()}, "of a kind c2v does not read"),
        (lambda s: {"w": torch.ones(2, dtype=torch.complex64)}, "of a kind c2v does not read"),
        (lambda s: {1: torch.ones(1)}, "not a plain state dict"),
        (lambda s: ["x"], "no state dict"),
    ],
)
def test_what_cannot_be_read_is_said_as_it_is(
    tiny_state: State, tmp_path: Path, content: Callable[[State], Any], said: str | None
) -> None:
    """In one sentence, without torch's advice to load it all the same."""
    torch.save(content(tiny_state), tmp_path / "m.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if said is None:  # an unknown key beside bare ones is told by the import, by its name
            assert "loss.weight" in load_state(tmp_path / "m.pt")
            return
        with pytest.raises(ModelError, match=said) as caught:
            load_state(tmp_path / "m.pt")
    text = caught.value.message + caught.value.hint
    assert "weights_only" not in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "content",
    [
        b"hello, I am a text file\n" * 9,
        b"\x80\x02cos\nsystem\nX\x01\x00\x00\x00xR.",
        b"\x80\x02]q\x00(" * 100,
        b"PK\x03\x04" + bytes(100),
        b"\x80\x05\x95" + b"\xff" * 40,
    ],
)
def test_torchs_advice_reaches_nobody(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.pt").write_bytes(content)
    with pytest.raises(ModelError) as caught:
        load_state(tmp_path / "m.pt")
    text = caught.value.message + caught.value.hint
    assert "weights_only" not in text
    assert "add_safe_globals" not in text
    assert "\n" not in text


def test_the_layout_of_transformers_is_named(tmp_path: Path) -> None:
    state = {"vision_model.embeddings.class_embedding": torch.ones(3), "logit_scale": torch.ones(1)}
    save_file(state, str(tmp_path / "model.safetensors"))
    with pytest.raises(ModelError, match="Hugging Face's transformers"):
        import_checkpoint(tmp_path / "model.safetensors", name="hf")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_or_a_device_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.pt")
    for path, said in ((tmp_path / "m.pt", "a pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(ModelError, match=f"it is {said}, not a file"):
            import_checkpoint(path, name="x")


def test_an_export_replaces_a_file_in_one_step(tiny_folder: Path, tmp_path: Path) -> None:
    """Whoever has the old file open keeps it whole; what fails leaves it alone."""
    out = tmp_path / "out" / "model.safetensors"
    out.parent.mkdir()
    out.write_bytes(b"old")
    with out.open("rb") as old:
        export_checkpoint("tiny", out)
        assert old.read() == b"old"
    assert len(load_file(out)) > 10
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    with pytest.raises(ModelError, match="cannot be written"):
        export_checkpoint("tiny", tmp_path / "absent" / "model.bin")
    folder = tmp_path / "folder.bin"
    folder.mkdir()
    with pytest.raises(ModelError, match="cannot be written"):
        export_checkpoint("tiny", folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.bin", "home", "out"]
