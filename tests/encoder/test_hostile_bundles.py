"""Bundles that came from elsewhere: every file of one may be anything at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from c2v.cli.app import run
from c2v.config import load_settings
from c2v.encoder.bundle import load_bundle
from c2v.encoder.bundle_config import CONFIG_NAME
from c2v.encoder.registry import list_bundles
from c2v.encoder.tensors import read_tensors
from c2v.errors import ModelError


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def as_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def changed(field: str, value: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))

    return change


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


DAMAGE = {
    "deep": (lambda path: path.write_text("[" * 100_000), "nested too deeply"),
    "deep inside": (changed("head", {"type": "meanP", "settings": {"x": nested(300)}}), "nested"),
    "long number": (lambda path: path.write_text('{"format": ' + "1" * 5000 + "}"), "digits"),
    "not UTF-8": (lambda path: path.write_bytes(b'{"name": "caf\xe9"}'), "not UTF-8 text"),
    "UTF-16": (lambda path: path.write_text("{}", encoding="utf-16"), "not UTF-8 text"),
    "folder": (as_folder, "Is a directory"),
    "pipe": (as_pipe, "it is a pipe, not a file"),
    "device": (as_device, "it is a device, not a file"),
    "long value": (changed("feature_dim", "x" * 100_000), "feature_dim is 'xxx"),
    "odd field": (changed("\x1b[31m\n", 1), "unknown field"),
    "way out": (
        changed("files", {"../../x": {"part": "image", "size_bytes": 1, "digest": ""}}),
        "not the name of a file",
    ),
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_hostile_config_is_one_sentence(
    tiny_folder: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damage, said = DAMAGE[kind]
    damage(tiny_folder / CONFIG_NAME)
    with pytest.raises(ModelError) as caught:
        load_bundle("tiny")
    message = caught.value.message
    assert said in message
    assert str(tiny_folder / CONFIG_NAME) in message
    assert message.isprintable()
    assert len(message) < 600
    (found,) = [bundle for bundle in list_bundles() if bundle.origin == "user"]
    assert said in found.problem
    # It cannot be made the default either, and nothing is written.
    assert run(["model", "use", "tiny"]) == 1
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == [
        "error", "hint",
    ]  # fmt: skip
    assert load_settings().model == "auto"


def test_a_bundle_without_its_weights_is_not_made_the_default(
    tiny_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["model", "use", "tiny"]) == 0
    assert load_settings().model == "tiny"
    shutil.copytree(tiny_folder, tiny_folder.with_name("broken"))
    (tiny_folder.with_name("broken") / "image.safetensors").unlink()
    assert run(["model", "use", "broken"]) == 1
    assert "image.safetensors is missing" in capsys.readouterr().err
    assert load_settings().model == "tiny"


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": {"dtype": "F32", "shape": [1.5], "data_offsets": [0, 0]}}', "not a whole"),
        (b'{"a": {"dtype": "F32", "shape": [1e400], "data_offsets": [0, 0]}}', "not a whole"),
        (b'{"a": {"dtype": "F32", "shape": [9999999999999999999], "data_offsets": [0, 0]}}', "not"),
        (b'{"a": "\xff"}', "not a whole"),
        (b"[]", "not a whole"),
    ],
)
def test_a_hostile_header_of_weights_is_one_sentence(
    tmp_path: Path, header: bytes, said: str
) -> None:
    path = tmp_path / "image.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ModelError, match=said) as caught:
        read_tensors(path)
    assert str(path) in caught.value.message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_as_weights_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "image.safetensors")
    with pytest.raises(ModelError, match="it is a pipe"):
        read_tensors(tmp_path / "image.safetensors")


def test_what_an_earlier_version_left_is_put_back_and_swept(tiny_folder: Path) -> None:
    """It let the old model step aside in a folder of its own, and knew no locks."""
    models = tiny_folder.parent
    aside = models / ".tiny.old.abcd1234"
    aside.mkdir()
    tiny_folder.rename(aside / "bundle")
    draft, fresh = models / ".tiny.ab_d12x4", models / ".tiny.zzzzzzzz"
    for folder in (draft, fresh):
        folder.mkdir()
        (folder / "image.safetensors").write_bytes(b"half")
    for path in (draft / "image.safetensors", draft):
        os.utime(path, (0, 0))
    assert load_bundle("tiny").name == "tiny"
    list_bundles()
    assert not draft.exists()
    assert fresh.is_dir(), "somebody may be writing it"
