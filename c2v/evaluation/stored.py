"""The videos of a captions file as a library holds them: stage-1 features, nothing decoded."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle import Bundle
from c2v.encoder.towers import TextFeatures
from c2v.evaluation.captions import Captions
from c2v.evaluation.windows import cut_by_shots, in_windows
from c2v.library import Store
from c2v.paths.patterns import composed

TEXTS_AT_ONCE = 256
_VIDEOS_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Missing:
    """A video of the captions file that cannot be used, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class StoredVideos:
    """Videos that are in a library, with their segments' frame features [T, D] (fp16)."""

    paths: tuple[str, ...]
    ids: tuple[int, ...]
    segments: tuple[tuple[NDArray[np.float16], ...], ...]


def find_videos(library: Store, captions: Captions) -> tuple[dict[str, int], tuple[Missing, ...]]:
    """The ids of the file's videos by path, and those that are not in the library, with reasons.

    A path is looked up as it is written, then with its links resolved, then as names that look
    alike (:mod:`c2v.paths.patterns`). Names that are no path on this disk are looked up before, by
    :func:`c2v.evaluation.library_names.in_library`.
    """
    failed = {failure.path: failure.reason for failure in library.failures()}
    found: dict[str, int] = {}
    missing: list[Missing] = []
    lookalikes = _Lookalikes(library)
    for path in captions.videos:
        video = library.video_by_path(path)
        if video is None:
            real = os.path.realpath(path)
            video = library.video_by_path(real) if real != path else None
        if video is not None:
            found[path] = video.id
        elif not path.isascii() and (alike := lookalikes.get(path)) is not None:
            found[path] = alike
        elif path in captions.unclear:
            missing.append(Missing(path, captions.unclear[path]))
        elif path in failed:
            missing.append(Missing(path, f"cannot be read: {failed[path]}"))
        elif not Path(path).exists():
            missing.append(Missing(path, "no such file"))
        else:
            missing.append(Missing(path, "not in the library"))
    return found, tuple(missing)


class _Lookalikes:
    """The videos of a library by their composed paths, read when the first is asked for."""

    def __init__(self, library: Store) -> None:
        self._library = library
        self._ids: dict[str, int] | None = None

    def get(self, path: str) -> int | None:
        if self._ids is None:
            self._ids = {composed(p): key for key, p in self._library.video_paths()}
        return self._ids.get(composed(path))


def read_features(
    library: Store, ids: dict[str, int], *, first_seconds: float | None = None
) -> StoredVideos:
    """The features of these videos; with ``first_seconds`` only frames before that time.

    A video of which no frame is left keeps its first one. What is cut by shots comes in windows.
    """
    paths = tuple(ids)
    segments: list[tuple[NDArray[np.float16], ...]] = []
    for start in range(0, len(paths), _VIDEOS_AT_ONCE):
        part = [ids[path] for path in paths[start : start + _VIDEOS_AT_ONCE]]
        rows = library.segments_of(part)
        stored = library.features([row.segment_id for v in part for row in rows[v]])
        by_shots = cut_by_shots(library, rows)
        for video in part:
            given = [stored[row.segment_id] for row in rows[video]]
            given = in_windows(rows[video], given) if video in by_shots else given
            segments.append(_cut(given, first_seconds))
    return StoredVideos(paths, tuple(ids.values()), tuple(segments))


def _cut(
    segments: Sequence[tuple[NDArray[np.float32], NDArray[np.float16]]], limit: float | None
) -> tuple[NDArray[np.float16], ...]:
    if limit is None:
        return tuple(features for _, features in segments)
    kept = [features[times < limit] for times, features in segments]
    return tuple(f for f in kept if len(f)) or (segments[0][1][:1],)


def embed_texts(
    bundle: Bundle,
    texts: Sequence[str],
    *,
    pooled: bool,
    words: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[NDArray[np.float32]]:
    """Token features of each text, [L_i, D]; with ``pooled`` only the one of the whole text.

    ``words`` as in :meth:`c2v.encoder.bundle.Bundle.encode_text`.
    """
    order = by_length(texts)
    rows: list[NDArray[np.float32]] = []
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        part = [texts[place] for place in order[start : start + TEXTS_AT_ONCE]]
        rows += _rows(bundle.encode_text(part, words=words), pooled=pooled)
        if on_progress is not None:
            on_progress(len(rows), len(texts))
    return [row for _, row in sorted(zip(order, rows, strict=True), key=lambda pair: pair[0])]


def by_length(texts: Sequence[str]) -> list[int]:
    """Their places, the short ones first: a batch is padded to its longest text."""
    return sorted(range(len(texts)), key=lambda place: len(texts[place]))


def _rows(features: TextFeatures, *, pooled: bool) -> list[NDArray[Any]]:
    if pooled:
        return list(features.pooled()[:, None])
    lengths = features.mask.shape[1] - np.argmax(features.mask[:, ::-1], axis=1)
    return [row[:length] for row, length in zip(features.tokens, lengths, strict=True)]


def too_long(bundle: Bundle, texts: Sequence[str]) -> int:
    """How many texts are cut because the text tower reads no more tokens."""
    context = bundle.config.text.context
    count = 0
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        part = list(texts[start : start + TEXTS_AT_ONCE])
        ids, mask = bundle.tokenizer.encode(part)
        full = np.flatnonzero(mask.sum(1) >= context)
        if len(full):
            # A text that just fits has the same ids with a word more cut away as without it.
            shorter = [" ".join(part[i].split()[:-1]) for i in full]
            again, _ = bundle.tokenizer.encode(shorter)
            width = min(ids.shape[1], again.shape[1])
            count += int((ids[full, :width] == again[:, :width]).all(1).sum())
    return count
