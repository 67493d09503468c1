"""The motion test in short: two pictures, one kind of motion or two, features of twelve frames.

The long form, with video files and the command itself, is ``tests/benchmarks/motion.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.evaluation.captions import Captions, from_pairs
from c2v.evaluation.retrieval import evaluate_library
from c2v.indexing.reembedding import model_record
from c2v.library import NewVideo, SegmentData, Store, open_store
from c2v.training.choices import Choices
from c2v.training.run import Run, train_bundle

FRAMES = 12
HELD_OUT_TAKE = 2
EPOCHS = 26
KINDS = [("turn",), pytest.param(("turn", "grow"), marks=pytest.mark.slow)]


@pytest.fixture
def mini() -> Bundle:
    return load_bundle("mini", device="cpu")


@pytest.fixture
def clips(motion: ModuleType, kinds: tuple[str, ...]) -> list[Any]:
    """Of each kind of motion: two pictures, six ways, three takes."""
    return list(motion.motion_clips(pictures=2, kinds=kinds, takes=3))


@pytest.fixture
def library(tmp_path: Path, motion: ModuleType, mini: Bundle, clips: list[Any]) -> Iterator[Store]:
    pytest.importorskip("skimage")
    made = open_store(tmp_path / "library", create=True)
    made.set_model(model_record(mini))
    times = np.arange(FRAMES, dtype=np.float32)
    random = np.random.default_rng(0)
    known: dict[bytes, np.ndarray] = {}  # type: ignore[type-arg]
    for clip in clips:
        pictures = [_seen(pixels) for pixels in motion.frames(clip, count=FRAMES)]
        for picture in pictures:  # six for all six ways
            if picture.tobytes() not in known:
                known[picture.tobytes()] = mini.encode_frames(picture[None])[0]
        features = np.stack([known[picture.tobytes()] for picture in pictures])
        # As compression does: without it the six ways would be equal, and a tie counts as found.
        features += 0.05 * features.std() * random.standard_normal(features.shape)
        features = features.astype(np.float16)
        (vector,) = mini.for_library(mini.embed_segments([features]))
        made.put_video(
            NewVideo(
                path=str(tmp_path / clip.name), size_bytes=1, mtime_ns=1, content_id=clip.name,
                duration_seconds=float(FRAMES), width=240, height=180, codec="h264",
                sampling="auto",
            ),
            [SegmentData(0.0, float(FRAMES), times, features, vector)],
        )  # fmt: skip
    with made:
        yield made


def _seen(pixels: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """[180, 240, 3] as the image tower takes it: the middle, 224 a side."""
    rows, columns = (np.arange(224) * 180 // 224 + offset for offset in (0, 30))
    return np.asarray(pixels[rows][:, columns])


def _captions(folder: Path, clips: list[Any], *, held_out: bool) -> Captions:
    pairs = [(str(folder / clip.name), clip.caption) for clip in clips
             if (clip.take == HELD_OUT_TAKE) == held_out]  # fmt: skip
    return from_pairs(folder / "captions.csv", pairs)


def test_only_the_order_of_frames_differs(motion: ModuleType) -> None:
    for count in (FRAMES, 48):  # sampled at the middle of twelfths, and as a file has them
        times = [(number + 0.5) / count for number in range(count)]
        ways = {way: [motion.position(way, time) for time in times] for way in motion.WAYS}
        assert len({tuple(sorted(places)) for places in ways.values()}) == 1
        assert len({tuple(places) for places in ways.values()}) == len(motion.WAYS) == 6


@pytest.mark.parametrize("kinds", KINDS)
def test_a_head_that_sees_time_tells_motions_apart(
    tmp_path: Path, clips: list[Any], library: Store, mini: Bundle, toys: ModuleType
) -> None:
    torch.set_num_threads(1)  # two that wait for each other are slower on a busy machine
    recalls = {}
    for head in ("clip2video", "meanP"):
        choices = Choices(head=head, epochs=EPOCHS, layers=1, validation=0.1)
        data = _captions(tmp_path, clips, held_out=False)
        train_bundle(library, mini, data, choices, Run(name=head, watcher=toys.Watch(), keep=True))
        held_out = _captions(tmp_path, clips, held_out=True)
        found = evaluate_library(library, load_bundle(head, device="cpu"), held_out)
        recalls[head] = found.metrics.text_to_video.recall_at_1
    assert recalls["meanP"] <= 35, f"{recalls}: without their order, luck alone tells six apart"
    assert recalls["clip2video"] >= 3 * recalls["meanP"], recalls
