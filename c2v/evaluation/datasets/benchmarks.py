"""The benchmarks by name, with the sizes of their splits and what the papers do with them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from c2v.errors import DataError, UsageError
from c2v.evaluation.captions import Captions, from_pairs
from c2v.evaluation.datasets import layouts
from c2v.evaluation.video_names import videos_by_stem
from c2v.nearest import one_of
from c2v.paths.patterns import composed

Split = Literal["train", "val", "test"]
Sentences = Mapping[str, list[str]]
"""Video id -> its sentences, in the order of the split."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One published protocol.

    ``frames`` and ``words`` (tokens of a text) are those of CLIP4Clip's recipe, ``picture_step``
    is CLIP2Video's: every so many pictures of five a second.
    ``videos`` is how many videos a split has. ``read`` turns the folder of official files and a
    split into sentences by video id. ``first_seconds`` is how much of each video is looked at.
    """

    name: str
    videos: Mapping[str, int]
    read: Callable[[Path, str], tuple[Path, Sentences]]
    first_seconds: float | None = None
    about: frozenset[str] = frozenset()
    """Splits whose number of videos is only known to a hundredth."""
    frames: int = 12
    words: int = 32
    picture_step: int = 1

    def load(
        self, folder: Path, *, split: Split, videos: Path, in_library: bool = False
    ) -> Captions:
        """The pairs of one split, with the paths the videos have, or should have.

        A list that somebody made shorter is taken, with a remark, and is no benchmark any more.
        ``in_library``: those that are not below ``videos`` may be looked up in a library.

        Raises:
            DataError: a file is absent or malformed, or has more videos than the split.
            UsageError: there is no such split.
        """
        if split not in self.videos:
            raise UsageError(f"{self.name} has no {split} split", hint=one_of(split, self.videos))
        file, sentences = self.read(folder, split)
        remark = self._remark(file, split, len(sentences))
        empty = next((video for video, texts in sentences.items() if not texts), None)
        if empty is not None:
            raise DataError(f"{file}: video {empty} has no sentence", hint="take the official file")
        where = videos_by_stem(videos, deep=True)
        root = os.path.abspath(videos)  # noqa: PTH100 - links stay links
        paths = {
            video: where.get(composed(video)) or os.path.join(root, f"{video}.mp4")  # noqa: PTH118
            for video in sentences
        }
        pairs = [(paths[video], text) for video, texts in sentences.items() for text in texts]
        found = from_pairs(
            file,
            pairs,
            first_seconds=self.first_seconds,
            benchmark=self.name if split == "test" and not remark else "",
            repeats=True,
        )
        found = replace(found, remark=remark)
        if not in_library:
            return found
        absent = {paths[video]: video for video in sentences if composed(video) not in where}
        return replace(found, names=absent)

    def _remark(self, file: Path, split: Split, count: int) -> str:
        """What to say of a list with fewer videos than the split has; empty where all are there."""
        wanted = self.videos[split]
        allowed = wanted // 100 if split in self.about else 0
        if count > wanted + allowed:
            raise DataError(
                f"{file}: {count:,} videos, the {split} split of {self.name} has {wanted:,}",
                hint="take the official file, or give your own as --data FILE",
            )
        if count >= wanted - allowed:
            return ""
        return (
            f"{file.parent} has {count:,} of the {wanted:,} videos of the {split} split of "
            f"{self.name}: no figure to set beside published ones"
        )


BENCHMARKS: Mapping[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark("msrvtt-9k", {"train": 9000, "test": 1000}, layouts.msrvtt_9k, picture_step=2),
        Benchmark("msrvtt-7k", {"train": 7010, "test": 1000}, layouts.msrvtt_7k, picture_step=2),
        Benchmark(
            "msrvtt-full",
            {"train": 6513, "val": 497, "test": 2990},
            layouts.msrvtt_full,
            picture_step=2,
        ),
        Benchmark("msvd", {"train": 1200, "val": 100, "test": 670}, layouts.msvd),
        Benchmark("vatex", {"train": 25991, "val": 1500, "test": 1500}, layouts.vatex),
        Benchmark(
            "lsmdc",
            {"train": 101079, "val": 7408, "test": 1000},
            layouts.lsmdc,
            about=frozenset({"train", "val"}),
        ),
        Benchmark(
            "activitynet",
            {"train": 10009, "test": 4917},
            layouts.activitynet,
            frames=64,
            words=64,
        ),
        Benchmark(
            "didemo",
            {"train": 8395, "val": 1065, "test": 1004},
            layouts.didemo,
            31.0,
            frames=64,
            words=64,
        ),
    )
}
"""ActivityNet publishes no sentences for its test videos: its val_1 split is what papers test on.
MSR-VTT 1k-A has no validation videos of its own. LSMDC counts sentences, and a few
clips have two."""

OFFICIAL_FILES: Mapping[str, str] = {
    "MSRVTT_JSFUSION_test.csv": "msrvtt-9k",
    "MSRVTT_data.json": "msrvtt-full",
    "raw-captions.pkl": "msvd",
    "vatex_data.json": "vatex",
    "vatex_validation_v1.0.json": "vatex",
    "LSMDC16_challenge_1000_publictect.csv": "lsmdc",
    "val_1.json": "activitynet",
    "test_data.json": "didemo",
}
"""By name, the file of a benchmark that somebody gives as a captions file."""
