"""Which of some sentences describe a video, and each of its moments."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.stretches import divide
from c2v.errors import LibraryError
from c2v.search.labels import RankedLabel, rank_labels
from c2v.services.places import StrPath, expanded_path
from c2v.services.reports import DescribedMoment, Description
from c2v.services.whole_videos import as_one_segment, clip_of, frames_of
from c2v.services.workspace import Workspace

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle
    from c2v.indexing.query_clip import TimedFrames
    from c2v.library import Store

_LONGEST_STRETCH = 60
"""Frames: of a long video a minute. What stays the same for longer is several moments."""
_FRAMES_A_VECTOR = 12
"""As many as a segment has."""


def describe_video(
    space: Workspace,
    path: StrPath,
    labels: Sequence[str],
    *,
    top: int,
    min_score: float | None,
    model: str | None,
    moments: bool,
) -> Description:
    """Sentences by how well they describe a video; see :class:`VideoLibrary`."""
    if isinstance(labels, str):
        raise TypeError("describe takes a list of labels, got one text")
    file = expanded_path(path)
    bundle = space.encoder_for_clips(model)
    library = _library_of_towers(space, bundle, model)

    def best(ranked: Sequence[RankedLabel]) -> tuple[RankedLabel, ...]:
        return tuple(one for one in ranked[:top] if min_score is None or one.score >= min_score)

    if not moments:
        clip = clip_of(file, bundle, library, notice=space.notice_once)
        (ranked,) = rank_labels(bundle, clip.vector[np.newaxis], labels)
        return Description(str(file.absolute()), bundle.name, best(ranked))
    frames = frames_of(file, bundle, library, notice=space.notice_once)
    whole = as_one_segment(frames, bundle).vector
    edges = divide(frames.features, longest=_LONGEST_STRETCH)
    vectors = bundle.embed_segments([_some(frames, *edge) for edge in pairwise(edges)])
    first, *others = rank_labels(bundle, np.concatenate([whole[np.newaxis], vectors]), labels)
    described = tuple(
        DescribedMoment(float(frames.starts[begin]), float(frames.ends[end - 1]), best(ranked))
        for (begin, end), ranked in zip(pairwise(edges), others, strict=True)
    )
    return Description(str(file.absolute()), bundle.name, best(first), described)


def _some(frames: TimedFrames, begin: int, end: int) -> NDArray[np.float16]:
    """Features [T, D] of some frames of a stretch, evenly spread where it has many."""
    count = min(end - begin, _FRAMES_A_VECTOR)
    chosen = begin + ((np.arange(count) + 0.5) * (end - begin) / count).astype(np.intp)
    return frames.features[chosen]


def _library_of_towers(space: Workspace, bundle: Bundle, model: str | None) -> Store | None:
    """The library, if there is one and its frames are of these towers."""
    try:
        library = space.store if space.exists else None
    except LibraryError as error:
        if model is None:
            raise
        space.telling.notice(f"{error.message}; the video is read instead")
        return None
    known = library.model if library is not None else None
    return library if known and known.towers_fingerprint == bundle.towers_fingerprint else None
