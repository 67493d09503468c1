"""Fetching open_clip's models from a hub of our own: a server in the test."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from safetensors.torch import save_file

from c2v.encoder.architecture import model_config
from c2v.encoder.sources import hub as fetch
from c2v.errors import ModelError
from tests.toys import make_state

NAME = "ViT-S-32-alt/toy"
REPOSITORY = "toys/vit"

# In a process of its own: open_clip has no toy model, so one tag is added to its table; all the
# rest is what a user runs.
FETCH = """
import sys, json, time
import open_clip.pretrained as table
table._PRETRAINED["ViT-S-32-alt"] = {"toy": table._pcfg(hf_hub="toys/vit/")}
from c2v.encoder.catalogue import fetch_bundle
from c2v.encoder.bundle import load_bundle
from c2v.errors import C2VError
seen = []
try:
    folder = fetch_bundle(
        sys.argv[1],
        announce=lambda line: print("announced", line),
        remark=lambda line: print("remarked", line),
        on_progress=lambda done, total: seen.append((done, total)),
    )
    bundle = load_bundle(sys.argv[1], device="cpu")
    print(json.dumps({"folder": str(folder), "seen": seen, "source": bundle.config.source,
                      "licence": bundle.config.licence,
                      "vectors": bundle.embed_text(["a dog"]).shape}))
except C2VError as error:
    print(json.dumps({"error": error.message, "hint": error.hint}))
"""


class Fetcher:
    """Processes that fetch from one hub, forks of one that has imported what that takes."""

    def __init__(self, hub: Any, forks: Any, cache: Path) -> None:
        self.hub, self._forks, self._cache = hub, forks, cache

    def run(self, **environment: str) -> dict[str, Any]:
        words = ["-c", FETCH, NAME]
        variables = os.environ | environment
        if self._forks.can_run(variables):
            done = self._forks.run(words, environment=variables)
        else:
            done = subprocess.run(
                [sys.executable, *words], capture_output=True, text=True, timeout=240,
                env=variables | {"HF_ENDPOINT": self.hub.url, "HF_HOME": str(self._cache)},
            )  # fmt: skip
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        assert "%|" not in done.stderr, "the client drew a bar of its own"
        for kind in ("announced", "remarked"):
            answer[kind] = [line for line in done.stdout.splitlines() if line.startswith(kind)]
        return answer


@pytest.fixture(scope="module")
def one_hub(
    load_helper: Callable[[str], ModuleType], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fetcher]:
    helper, cache = load_helper("forked.py"), tmp_path_factory.mktemp("hub") / "hf"
    with load_helper("hub_server.py").Hub(REPOSITORY) as server:
        forks = helper.Forks(helper.HEAVY, HF_ENDPOINT=server.url, HF_HOME=str(cache))
        yield Fetcher(server, forks, cache)
        forks.close()


@pytest.fixture
def fetcher(one_hub: Fetcher) -> Iterator[Fetcher]:
    """Those processes; the hub has nothing yet, and its client's cache is empty."""
    yield one_hub
    shutil.rmtree(one_hub._cache, ignore_errors=True)
    one_hub.hub.files.clear()
    one_hub.hub.asked.clear()
    one_hub.hub.breaks_after = None


@pytest.fixture
def hub(fetcher: Fetcher) -> Any:
    return fetcher.hub


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small open_clip model with random weights as a safetensors file."""
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    state = make_state(model_config("ViT-S-32-alt"))
    save_file({name: value.half().contiguous() for name, value in state.items()}, str(path))
    return path.read_bytes()


def left_over(home: Path) -> list[str]:
    models = home / "data" / "models"
    return [path.name for path in models.iterdir()] if models.exists() else []


def test_fetch_and_use(fetcher: Fetcher, hub: Any, home: Path, weights: bytes) -> None:
    hub.files["open_clip_model.safetensors"] = weights
    answer = fetcher.run()
    assert answer["vectors"] == [1, 256]
    assert left_over(home) == ["ViT-S-32-alt--toy"]
    assert answer["source"].startswith("open_clip ViT-S-32-alt/toy")
    done, total = answer["seen"][-1]
    assert done == total == len(weights)
    assert len(answer["seen"]) > 1
    assert len(answer["announced"]) == 1
    assert answer["announced"][0].startswith(f"announced fetching {NAME} from 127.0.0.1:")
    page = "https://huggingface.co/toys/vit"
    assert answer["remarked"] == [f"remarked licence of {NAME} unknown: see the page {page}"]
    assert answer["licence"] == f"unknown: see {page}"
    assert not list((home / "cache" / "downloads").iterdir())  # it has become a bundle


def test_what_other_tools_have_fetched_is_not_fetched_again(
    fetcher: Fetcher, hub: Any, home: Path, weights: bytes
) -> None:
    """From the cache of the hub's client, with nobody to ask; a wrong byte in it is seen."""
    kept = fetcher._cache / "hub" / f"models--{REPOSITORY.replace('/', '--')}"
    blob = kept / "blobs" / hashlib.sha256(weights).hexdigest()
    pointer = kept / "snapshots" / ("0" * 40) / "open_clip_model.safetensors"
    for folder in (blob.parent, pointer.parent):
        folder.mkdir(parents=True)
    blob.write_bytes(weights)
    pointer.symlink_to(blob)
    answer = fetcher.run(HF_HUB_OFFLINE="1")
    assert left_over(home) == ["ViT-S-32-alt--toy"]
    assert answer["announced"] == []
    assert len(answer["remarked"]) == 1  # the licence
    assert hub.asked == []

    blob.write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    answer = fetcher.run(HF_HUB_OFFLINE="1", C2V_HOME=str(home.parent / "other"))
    assert "open_clip_model.safetensors is damaged: its SHA-256 is" in answer["error"]


def test_pickled_weights_where_there_are_no_others(
    fetcher: Fetcher, hub: Any, home: Path, tmp_path: Path
) -> None:
    import torch

    path = tmp_path / "open_clip_pytorch_model.bin"
    torch.save(make_state(model_config("ViT-S-32-alt")), path)
    hub.files[path.name] = path.read_bytes()
    assert fetcher.run()["vectors"] == [1, 256]


def test_broken_transfer_leaves_no_bundle(
    fetcher: Fetcher, hub: Any, home: Path, weights: bytes
) -> None:
    hub.files["open_clip_model.safetensors"] = weights
    hub.breaks_after = len(weights) // 2
    answer = fetcher.run()
    assert "open_clip_model.safetensors could not be fetched in full" in answer["error"]
    assert "\n" not in answer["error"]
    assert answer["hint"]
    assert left_over(home) == []


def test_repository_without_weights(fetcher: Fetcher) -> None:
    answer = fetcher.run()
    assert "open_clip_model.safetensors" in answer["error"]


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_silent_hub_is_given_up(silent_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", silent_server)
    start = time.monotonic()
    with pytest.raises(ModelError, match="cannot be reached"):
        fetch.require_network("ViT-B-32")
    assert time.monotonic() - start < 5


def test_slow_name_resolution_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PROBE_SECONDS", 0.2)
    monkeypatch.setattr(fetch, "_answers", lambda url: not time.sleep(2))
    start = time.monotonic()
    assert not fetch.hub_reachable()
    assert time.monotonic() - start < 1


def test_a_hub_that_answers(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)  # it answers 404 to the root
    assert fetch.hub_reachable()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert not fetch.hub_reachable()
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_ENDPOINT", "not a url")
    assert not fetch.hub_reachable()


def test_tags_of_open_clip() -> None:
    model = fetch.hub_model("PE-Core-B-16", "meta")
    assert model.repository == "timm/PE-Core-B-16"
    assert model.preprocess.resize == "squash"
    assert model.preprocess.mean == (0.5, 0.5, 0.5)
    model = fetch.hub_model("ViT-B-32-quickgelu", "openai")
    assert model.repository == "timm/vit_base_patch32_clip_224.openai"
    assert model.files[0] == "open_clip_model.safetensors"
    assert model.preprocess.mean[0] == pytest.approx(0.48145466)
    # OpenAI's were trained with QuickGELU, whatever the architecture is called.
    for name, quick in (("ViT-B-16/openai", True), ("ViT-B-16/laion2b_s34b_b88k", False)):
        found = fetch.hub_model(*name.split("/")).model
        assert found is not None
        assert found.get("quick_gelu", False) is quick


LIGHT = """
import hashlib, sys
from pathlib import Path
for heavy in ("torch", "open_clip", "timm", "huggingface_hub", "tokenizers", "transformers"):
    sys.modules[heavy] = None  # as if it were not installed
import numpy as np
from c2v.encoder.bundle import load_bundle
from c2v.encoder.catalogue import fetch_bundle
name, place = sys.argv[1:]
fetch_bundle(name, announce=print, remark=print, origin=place or None)
bundle = load_bundle(name, precision="fp32")
side = bundle.config.image.side
print(bundle.embed_text(["a dog"]).shape, bundle.config.text.context, bundle.config.licence)
print(bundle.encode_frames(np.zeros((1, side, side, 3), np.uint8)).shape)
"""


def test_the_light_install_pulls_and_runs_pe_core(
    hub: Any, run_python: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PE-Core's smallest in its real shape, from a folder and from a hub: safetensors, NumPy and
    ONNX Runtime are all it takes."""
    from c2v.encoder.architecture import Preprocess, image_config, text_architecture
    from c2v.encoder.known_architectures import known_architecture
    from c2v.encoder.tensors import write_tensors
    from c2v.encoder.towers.vision_shape import VisionShape

    model = known_architecture("PE-Core-T-16-384")
    assert model is not None
    shape = VisionShape.of(image_config(model, Preprocess()))
    assert shape is not None
    shapes = {f"visual.{name}": size for name, size in shape.tensors().items()}
    shapes |= {f"text.{name}": size for name, size in text_architecture(model).shapes().items()}
    state = {name: np.full(size, 0.01, np.float16) for name, size in shapes.items()}
    file = tmp_path / "timm" / "PE-Core-T-16-384" / "open_clip_model.safetensors"
    file.parent.mkdir(parents=True)
    write_tensors(file, state | {"logit_scale": np.ones((), np.float32)})
    content = file.read_bytes()
    (file.parent / "SHA256SUMS").write_text(f"{hashlib.sha256(content).hexdigest()}  {file.name}\n")
    name, hub.files[file.name] = "PE-Core-T-16-384/meta", content
    for place, repository in ((tmp_path.as_uri(), ""), ("", "timm/PE-Core-T-16-384")):
        monkeypatch.setenv("C2V_HOME", str(tmp_path / f"home{len(place)}"))
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setattr(hub, "repository", repository)
        monkeypatch.setattr(hub, "tags", "sha256")
        lines = run_python(LIGHT, name, place).splitlines()
        assert lines[0].startswith(f"fetching {name} from ")
        assert lines[1].startswith(f"licence of {name}: Apache-2.0 (https://")
        assert lines[2].startswith("(1, 512) 32 Apache-2.0 (https://")
        assert lines[3:] == ["(1, 512)"]
