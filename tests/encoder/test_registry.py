from __future__ import annotations

import shutil
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from c2v.config import models_dir
from c2v.encoder.bundle import load_bundle
from c2v.encoder.catalogue import (
    choose_default,
    default_for_new_library,
    fetch_bundle,
    locate_bundle,
)
from c2v.encoder.registry import bundle_folder, find_bundle, list_bundles
from c2v.encoder.sources import hub as fetch
from c2v.encoder.sources.announcement import announcement
from c2v.encoder.sources.origins import open_origin
from c2v.errors import ModelError, UnreachableError


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub whose port nobody listens on, and an empty cache."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(fetch, "default_is_cached", lambda: False)
    monkeypatch.setattr(fetch, "weights_cached", lambda: False)


def test_bundles_are_found_by_name_and_by_folder(tiny_folder: Path) -> None:
    assert find_bundle("tiny") == locate_bundle("tiny") == tiny_folder
    assert locate_bundle(tiny_folder) == tiny_folder
    assert locate_bundle(str(tiny_folder)) == tiny_folder
    (found,) = [bundle for bundle in list_bundles() if bundle.origin == "user"]
    assert (found.name, found.directory, found.problem) == ("tiny", tiny_folder, "")
    assert found.size_bytes > 1000
    assert found.config is not None


def test_damaged_bundles_are_listed_with_the_reason(tiny_folder: Path) -> None:
    (tiny_folder / "config.json").write_text("{}")
    (models_dir() / ".draft").mkdir()
    (models_dir() / "empty").mkdir()
    (found,) = [bundle for bundle in list_bundles() if bundle.origin == "user"]
    assert found.config is None
    assert "missing field" in found.problem


def test_a_fetched_name_with_a_slash_is_one_folder(tiny_folder: Path) -> None:
    shutil.copytree(tiny_folder, models_dir() / "ViT-B-16-quickgelu--openai")
    found = find_bundle("ViT-B-16-quickgelu/openai")
    assert found == bundle_folder("ViT-B-16-quickgelu/openai")
    assert found.parent == models_dir()
    shutil.copytree(tiny_folder, models_dir() / "ViT-B-32")
    assert find_bundle("ViT-B-32-quickgelu/openai") == models_dir() / "ViT-B-32"


@pytest.mark.parametrize("name", ["", "..", ".", "../data", "a/b/c", "/etc", "a\\b", "-x"])
def test_odd_names_find_nothing(name: str) -> None:
    assert find_bundle(name) is None
    with pytest.raises(ModelError, match="no model named"):
        locate_bundle(name)


def test_unknown_name_lists_what_is_here(tiny_folder: Path) -> None:
    with pytest.raises(ModelError, match="'tyni'") as caught:
        load_bundle("tyni")
    assert caught.value.hint.startswith("did you mean tiny or mini?")


@pytest.mark.parametrize(
    ("name", "hint"),
    [("nope", "models here: mini; to be fetched: ViT-B-32"), ("VitB32", "did you mean ViT-B-32?")],
)
def test_in_a_light_install_no_part_is_named_for_what_is_no_model(
    monkeypatch: pytest.MonkeyPatch, home: Path, name: str, hint: str
) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(ModelError, match=f"there is no model named '{name}'") as caught:
        fetch_bundle(name, announce=print)
    assert caught.value.hint.startswith(hint)
    assert not home.exists()


@pytest.mark.parametrize(
    "name", ["ViT-B-32", "ViT-B-32-quickgelu/openai", "MobileCLIP2-S0/dfndr2b"]
)
def test_no_network_is_known_at_once(offline: None, home: Path, name: str) -> None:
    said: list[str] = []
    start = time.monotonic()
    with pytest.raises(UnreachableError, match=r"(32|dfndr2b) is not on this machine") as caught:
        fetch_bundle(name, announce=said.append)
    assert time.monotonic() - start < 5
    assert "c2v index --model mini PATH" in caught.value.hint  # model pull has no such option
    (line,) = said
    assert "from 127.0.0.1:9 (" in line
    assert " MB)" in line
    assert not home.exists()


def test_offline_by_choice_asks_nobody(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    def never(text: str) -> bool:
        raise AssertionError(text)

    monkeypatch.setattr(fetch, "_answers", never)
    monkeypatch.setattr(fetch, "default_is_cached", lambda: False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert choose_default()[0] == "mini"
    for name in ("ViT-B-32", "ViT-B-16-quickgelu/openai"):
        with pytest.raises(UnreachableError, match="HF_HUB_OFFLINE=1"):
            fetch_bundle(name, announce=never)
    assert not home.exists()


def test_a_model_by_name_is_never_fetched(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("somebody connects")

    monkeypatch.setattr(socket.socket, "connect", never)
    monkeypatch.setattr(socket, "getaddrinfo", never)
    for name in ("ViT-B-32", "ViT-B-32-quickgelu/openai", "ViT-B-16-quickgelu/openai"):
        with pytest.raises(ModelError, match=f"model {name} is not on this machine") as caught:
            load_bundle(name, device="cpu")
        assert f"c2v model pull {name}" in caught.value.hint
        assert "mini" in caught.value.hint
    assert choose_default()[0] == "mini"
    assert not home.exists()


def test_default_prefers_library_then_settings(offline: None) -> None:
    assert choose_default("theirs", "mine") == ("theirs", None)
    assert choose_default(None, "mine") == ("mine", None)
    name, notice = choose_default(None, "auto")
    assert name == "mini"
    assert notice is not None
    assert "ViT-B-32" in notice
    assert "c2v model pull ViT-B-32" in notice
    assert "\n" not in notice


def test_default_is_the_big_model_where_it_can_be_had(offline: None, tiny_folder: Path) -> None:
    asked: list[str] = []

    def fetched(name: str) -> Path:
        asked.append(name)
        return Path(name)

    def unreachable(name: str) -> Path:
        return fetch_bundle(name, announce=asked.append)

    def broken(name: str) -> Path:
        raise ModelError(f"{name} could not be fetched")

    assert choose_default()[0] == "mini"
    assert default_for_new_library("auto", fetched) == ("ViT-B-32", None)
    name, remark = default_for_new_library(None, unreachable)
    assert name == "mini"
    assert remark is not None
    assert "127.0.0.1:9 cannot be reached" in remark
    assert "c2v model pull ViT-B-32" in remark
    with pytest.raises(ModelError, match="could not be fetched"):  # no silent way out
        default_for_new_library("auto", broken)
    assert len(asked) == 2
    shutil.copytree(tiny_folder, models_dir() / "ViT-B-32")
    assert choose_default() == ("ViT-B-32", None)
    assert default_for_new_library("auto", broken) == ("ViT-B-32", None)
    assert default_for_new_library("theirs", broken) == ("theirs", None)


def test_the_line_before_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes are those of the table; of what is not in it none is said."""
    monkeypatch.delenv("HF_ENDPOINT", raising=False)

    def line(name: str) -> str:
        return announcement(name, open_origin())

    assert line("ViT-B-32") == "fetching ViT-B-32 from huggingface.co (605 MB)"
    assert line("ViT-L-14/openai").endswith("(about 1712 MB)")
    assert line("PE-Core-B-16").endswith("(about 1792 MB)")
    assert line("x/y") == "fetching x/y from huggingface.co"
    monkeypatch.setenv("HF_ENDPOINT", "https://me:secret@hub.example:8443/path")
    assert "from hub.example:8443 (" in line("ViT-L-14/openai")


def test_unknown_architecture_or_tag(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    with pytest.raises(ModelError, match="no architecture 'ViT-Z-1'"):
        fetch_bundle("ViT-Z-1/openai", announce=print)
    monkeypatch.setattr(fetch, "weights_cached", lambda: True)
    with pytest.raises(ModelError, match="'opnai'") as caught:
        fetch_bundle("ViT-B-16-quickgelu/opnai", announce=print)
    assert "openai" in caught.value.hint
    assert not home.exists()


def test_no_double_fetch(tiny_folder: Path) -> None:
    shutil.copytree(tiny_folder, models_dir() / "ViT-B-32")
    with pytest.raises(ModelError, match="already"):
        fetch_bundle("ViT-B-32", announce=print)


def test_finding_a_bundle_imports_no_client(
    tiny_folder: Path, run_python: Callable[..., str]
) -> None:
    code = """
import sys
from c2v.encoder.catalogue import choose_default
from c2v.encoder.registry import find_bundle, list_bundles
assert find_bundle("tiny") and list_bundles()
choose_default("tiny")
print(sorted({"huggingface_hub", "open_clip", "torch", "urllib.request"} & set(sys.modules)))
"""
    assert run_python(code).strip() == "[]"
