"""A CLIP of toy size with random weights, and libraries filled with features near its texts."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.clip_bundle import ClipSource, write_clip_bundle
from c2v.encoder.registry import bundle_folder
from c2v.evaluation.captions import Captions, from_pairs
from c2v.indexing.reembedding import model_record
from c2v.library import NewVideo, SegmentData, Store, open_store
from c2v.training.loop import EpochReport, StepReport

TINY: dict[str, Any] = {
    "embed_dim": 64,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16},
    "text_cfg": {
        "context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2,
    },
}  # fmt: skip
WORDS = ("red", "blue", "old", "tall", "wet", "small", "loud", "fast", "soft", "sharp", "cold")
THINGS = ("dog", "train", "river", "piano", "child", "garden", "ship", "kitchen", "horse", "lamp")


def make_state(model: dict[str, Any] = TINY, seed: int = 0) -> dict[str, Any]:
    """The state dict of an open_clip model with random weights, biases and norms too."""
    import open_clip
    import torch

    torch.manual_seed(seed)
    kind = open_clip.CustomTextCLIP if model.get("custom_text") else open_clip.CLIP
    made = kind(
        model["embed_dim"], model["vision_cfg"], model["text_cfg"],
        quick_gelu=model.get("quick_gelu", False),
    )  # fmt: skip
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return {name: value.detach().clone() for name, value in made.state_dict().items()}


@functools.cache
def tiny_state() -> dict[str, Any]:
    """The weights of the toy CLIP, made once; nobody writes into them."""
    return make_state()


def write_bundle(folder: Path, name: str = "tiny", **changes: Any) -> Path:
    """The toy CLIP as a bundle in ``folder``; ``changes`` go to :class:`ClipSource`."""
    fields = {"model": TINY, "source": "a test", "licence": "none", **changes}
    state = changes.get("state") or tiny_state()
    write_clip_bundle(folder, name=name, clip=ClipSource(**fields | {"state": state}))
    return folder


def make_bundle(name: str = "tiny") -> Bundle:
    """The toy CLIP among the user's models, open."""
    write_bundle(bundle_folder(name), name)
    return load_bundle(name, device="cpu")


def captions_for(folder: Path, count: int, *, a_video: int = 1) -> Captions:
    """Sentences of ``count`` videos."""
    pairs = [
        (
            str(folder / f"video{number}.mp4"),
            f"a {WORDS[number % 11]} {THINGS[number // 11 % 10]} number {number}, view {view}",
        )
        for number in range(count)
        for view in range(a_video)
    ]
    return from_pairs(folder / "captions.csv", pairs)


def only(captions: Captions, videos: Sequence[str]) -> Captions:
    """The pairs of these videos."""
    pairs = zip(captions.paths, captions.texts, strict=True)
    return from_pairs(captions.file, [pair for pair in pairs if pair[0] in videos])


def fill_library(
    folder: Path, bundle: Bundle, captions: Captions, *, noise: float = 1.0, frames: int = 5,
    segments: int = 1, without: Sequence[str] = (), apart: float = 0.0,
) -> Store:  # fmt: skip
    """A library with the videos of ``captions``: frames are the feature of the text, and noise.

    ``apart`` is how far all frames are from all texts, as pictures are from words.
    """
    random = np.random.default_rng(0)
    library = open_store(folder, create=True)
    library.set_model(model_record(bundle))
    texts = dict(zip(captions.paths, captions.texts, strict=True))
    vectors = bundle.encode_text(list(texts.values())).pooled()
    spread = vectors.std(axis=0).mean()  # of one text from another
    gap = apart * spread * np.random.default_rng(1).standard_normal(bundle.feature_dim)
    for number, (path, vector) in enumerate(zip(texts, vectors, strict=True)):
        if path in without:
            continue
        parts = []
        for part in range(segments):
            shape = (frames, bundle.feature_dim)
            off = random.standard_normal(shape)
            features = (vector + gap + noise * spread * off).astype(np.float16)
            (embedded,) = bundle.for_library(bundle.embed_segments([features]))
            times = np.arange(frames, dtype=np.float32) + part * frames
            parts.append(SegmentData(part * frames, (part + 1) * frames, times, features, embedded))
        library.put_video(
            NewVideo(
                path=path, size_bytes=1, mtime_ns=number, content_id=f"c{number}",
                duration_seconds=float(frames * segments), width=4, height=4, codec="h264",
                sampling="auto",
            ),
            parts,
        )  # fmt: skip
    return library


class Watch:
    """A watcher that remembers, and can stop the run after a number of steps."""

    def __init__(self, *, stop: Any = None, after: int = 0) -> None:
        self.losses: list[float] = []
        self.epochs: list[EpochReport] = []
        self._stop, self._after = stop, after

    def preparing(self, what: str, done: int, total: int) -> None:
        self.prepared = what, done, total

    def started(self, *, steps: int, done: int, epochs: int) -> None:
        self.steps, self.done = steps, done

    def stepped(self, report: StepReport) -> None:
        self.losses.append(report.loss)
        if self._stop is not None and report.step >= self._after:
            self._stop.set()

    def validated(self, report: EpochReport) -> None:
        self.epochs.append(report)
