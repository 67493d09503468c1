"""Retrieval quality of a library on a captions file (spec section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle import Bundle
from c2v.errors import DataError
from c2v.library import Library
from c2v.training.captions import Captions
from c2v.training.metrics import RetrievalMetrics, retrieval_metrics


@dataclass(frozen=True, slots=True)
class Evaluation:
    """R@K in per cent, median and mean rank, in both directions."""

    model: str
    metrics: RetrievalMetrics
    texts: int
    videos: int
    skipped: tuple[str, ...]
    """Paths that the captions file names and the library does not hold."""

    def as_dict(self) -> dict[str, Any]:
        """The JSON of the command-line contract."""
        return {
            "text_to_video": self.metrics.text_to_video.as_dict(),
            "video_to_text": self.metrics.video_to_text.as_dict(),
            "texts": self.texts,
            "videos": self.videos,
            "skipped": list(self.skipped),
            "model": self.model,
        }


def evaluate_library(library: Library, bundle: Bundle, captions: Captions) -> Evaluation:
    """Rank the videos of the file for each caption, and its captions for each video.

    Only the videos that the file names take part, each as often as it is in the library: once.
    Raises :class:`DataError` when none of them is in the library.
    """
    found = {path: library.video_by_path(path) for path in dict.fromkeys(captions.paths)}
    ids = {path: video.id for path, video in found.items() if video is not None}
    skipped = tuple(path for path, video in found.items() if video is None)
    if not ids:
        raise DataError(
            f"--data {captions.file}: none of its videos is in the library {library.directory}",
            hint=f"c2v index {captions.file.absolute().parent}",
        )
    position = {path: number for number, path in enumerate(ids)}
    pairs = [
        (text, position[path])
        for path, text in zip(captions.paths, captions.texts, strict=True)
        if path in position
    ]
    texts = bundle.embed_text([text for text, _ in pairs])  # [N, V]
    similarity = video_similarity(library, texts, list(ids.values()))
    return Evaluation(
        model=bundle.name,
        metrics=retrieval_metrics(similarity, np.asarray([video for _, video in pairs])),
        texts=len(pairs),
        videos=len(ids),
        skipped=skipped,
    )


def video_similarity(
    library: Library, texts: NDArray[np.float32], video_ids: list[int]
) -> NDArray[np.float32]:
    """[texts, videos]: the score of the best segment of each video, as a search ranks them."""
    segments = library.segments_of(video_ids)
    similarity = np.empty((len(texts), len(video_ids)), np.float32)
    for column, video_id in enumerate(video_ids):
        vectors = library.vectors([segment.segment_id for segment in segments[video_id]])
        similarity[:, column] = (texts @ np.stack(list(vectors.values())).T).max(axis=1)
    return similarity
