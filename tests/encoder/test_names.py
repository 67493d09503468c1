"""What a model can be called, on every system."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from c2v.encoder.catalogue import import_checkpoint
from c2v.encoder.names import LONGEST_NAME, check_bundle_name, is_name, name_from
from c2v.encoder.registry import find_bundle
from c2v.errors import ModelError, UsageError
from c2v.training.run import Run


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "a/b", "a\\b", "../up", "/etc", ".hidden", "a.", "v1...", "auto", "CON",
        "nul",
        "Com1", "lpt9.v2", "aux.safetensors", "a--b", "a b", "a\0b", "a\n", "naïve", "-x", "C:",
        "x" * (LONGEST_NAME + 1), "x" * 5000, "~", "~root", "\ud83d",
    ],
)  # fmt: skip
def test_names_that_cannot_be_are_one_sentence(name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a model") as caught:
        check_bundle_name(name)
    assert len(caught.value.message) < 200
    assert "\n" not in caught.value.message
    assert "begins with a letter or digit" in caught.value.hint
    with pytest.raises(UsageError):
        Run(name=name, watcher=None).check()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["a", "ViT-B-32", "my_model.v2", "console", "com10", "x" * LONGEST_NAME]
)
def test_names_that_can_be(name: str) -> None:
    assert check_bundle_name(name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("captions", "captions"), ("My captions (final).v2", "My-captions-final-.v2"),
        ("Frühling", "Fruhling"), ("字幕", "model"), ("", "model"), ("...", "model"),
        ("con", "model-con"), ("NUL.2", "model-NUL.2"), ("auto", "model-auto"), ("a -- b", "a-b"),
        ("-rf", "rf"), ("x" * 300, "x" * (LONGEST_NAME - 10)),
    ],
)  # fmt: skip
def test_a_name_follows_from_any_file_name(text: str, name: str) -> None:
    assert name_from(text) == name
    assert check_bundle_name(name_from(text)) == name
    assert check_bundle_name(f"{name_from(text)}-999") == f"{name}-999"


def test_a_long_name_is_looked_up_without_ado() -> None:
    assert not is_name("x" * 5000)
    assert find_bundle("x" * 5000) is None


def test_names_that_differ_in_case_alone_are_refused(
    tiny_folder: Path, tiny_state: dict[str, Any], tmp_path: Path
) -> None:
    torch.save({"clip." + key: value for key, value in tiny_state.items()}, tmp_path / "m.bin")
    for name, other in (("Tiny", "tiny"), ("MINI", "mini")):
        for overwrite in (False, True):
            with pytest.raises(ModelError, match=f"named {other} already.* in case alone"):
                import_checkpoint(tmp_path / "m.bin", name=name, overwrite=overwrite)
    import_checkpoint(tmp_path / "m.bin", name="tiny", overwrite=True)
