"""A CLIP2Video checkpoint of the real size, from the file to a search and back, by the command.

380 tensors, 170,238,209 values, random: speed and strictness do not depend on what they mean.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.timeout(1200)  # half a gigabyte of weights, a few times over

ARCHITECTURE = "ViT-B-32-quickgelu"
NAMES = ("whiskers.mp4", "breakfast.mp4", "crossing.mp4")


@pytest.fixture(scope="module")
def c2v(c2v_with_torch: Run) -> Run:
    return c2v_with_torch


@pytest.fixture(scope="module")
def towers() -> dict[str, Any]:
    import open_clip
    import torch

    torch.manual_seed(0)
    model = open_clip.create_model(ARCHITECTURE, pretrained=None)
    return {key: value.detach().clone() for key, value in model.state_dict().items()}


@pytest.fixture(scope="module")
def checkpoint(towers: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    from c2v.encoder.heads import HeadSettings
    from c2v.encoder.heads.initialise import init_from_clip
    from c2v.encoder.sources.official.keys import join_official

    settings = HeadSettings(type="clip2video", feature_dim=512)
    settings, head = init_from_clip(settings, towers)
    state = join_official(towers, head, settings)
    assert len(state) == 380
    assert sum(value.numel() for value in state.values()) == 170_238_209
    path = tmp_path_factory.mktemp("checkpoint") / "pytorch_model.bin.2"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def home(c2v: Run, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A C2V_HOME that holds the imported model."""
    folder = str(tmp_path_factory.mktemp("home"))
    c2v("model", "import", checkpoint, "--name", "fang", C2V_HOME=folder)
    return folder


@pytest.fixture(scope="module")
def library(
    c2v: Run, home: str, demo_videos: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("library") / "library"
    c2v(
        "index",
        *(demo_videos / name for name in NAMES),
        *("-L", folder, "--model", "fang", "--format", "json"),
        C2V_HOME=home,
    )
    return folder


def test_searches_as_the_reference_scores(
    c2v: Run, home: str, library: Path, checkpoint: Path
) -> None:
    """The score of a search is S / exp(logit_scale) of the reference's own formula."""
    import torch

    from c2v.encoder import from_official, load_bundle
    from c2v.library import open_store

    done = c2v("search", "a cat", "-L", library, "-f", "json", "-n", "99", C2V_HOME=home)
    results = json.loads(done.stdout)["results"]
    assert len(results) == len(NAMES)
    assert json.loads(done.stdout)["model"] == "fang"

    module = from_official(torch.load(checkpoint, weights_only=True))
    bundle = load_bundle(Path(home) / "data" / "models" / "fang")
    ids, mask = bundle.tokenizer.encode(["a cat"])
    with open_store(library) as opened, torch.inference_mode():
        video = opened.video_by_path(results[0]["path"])
        assert video is not None
        segments = opened.segments_of([video.id])[video.id]
        frames = [opened.features([s.segment_id])[s.segment_id][1] for s in segments]
        expected = []
        for features in frames:
            x = torch.from_numpy(features.astype(np.float32))[None]
            ones = torch.ones(1, x.shape[1])
            hidden, end = module.encode_text(torch.from_numpy(ids))
            text = module.head.text(hidden, torch.from_numpy(mask), end=end)
            expected.append(float(text @ module.head.video(x, ones).T))
    assert results[0]["score"] == pytest.approx(max(expected), abs=1e-4)


def test_text_search_imports_no_torch(run_python: Run, home: str, library: Path) -> None:
    script = (
        "import sys; from c2v.cli.app import run; code = run(sys.argv[1:]); "
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    done = run_python("-c", script, "search", "a cat", "-L", library, C2V_HOME=home)
    assert set(done.stderr.split()) & {"torch", "open_clip", "torchvision"} == set()


def test_export_is_bitwise_what_was_imported(
    c2v: Run, home: str, checkpoint: Path, tmp_path: Path
) -> None:
    import torch

    out = tmp_path / "back.bin"
    c2v("model", "export", "fang", out, C2V_HOME=home)
    before = torch.load(checkpoint, weights_only=True, mmap=True)
    after = torch.load(out, weights_only=True, mmap=True)
    assert list(before) == list(after)
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_another_head_of_the_same_towers_opens_no_video(
    c2v: Run, run_python: Run, home: str, library: Path, towers: dict[str, Any], tmp_path: Path
) -> None:
    """Re-embedding from the stored frame features: no decoder, and far faster than indexing."""
    import torch

    bare = tmp_path / "clip.pt"
    torch.save(towers, bare)
    arguments = ("model", "import", bare, "--name", "plain", "--architecture", ARCHITECTURE)
    c2v(*arguments, C2V_HOME=home)
    copy = tmp_path / "library"
    shutil.copytree(library, copy)
    videos = tmp_path / "no-videos"
    videos.mkdir()
    script = (
        "import sys; from c2v.cli.app import run; code = run(sys.argv[1:]); "
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    done = run_python("-c", script, "index", videos, "-L", copy, "--model", "plain", C2V_HOME=home)
    assert "av" not in done.stderr.split()
    found = json.loads(c2v("search", "x", "-L", copy, "-f", "json", C2V_HOME=home).stdout)
    assert found["model"] == "plain"
    assert len(found["results"]) == len(NAMES)


def test_other_towers_are_refused(c2v: Run, home: str, library: Path, demo_videos: Path) -> None:
    done = c2v("index", demo_videos, "-L", library, "--model", "mini", code=3, C2V_HOME=home)
    assert "fang" in done.stderr
    assert "--rebuild" in done.stderr
