"""Which of some sentences describe a video."""

from __future__ import annotations

from collections.abc import Sequence

from c2v.search.labels import rank_labels
from c2v.services.places import StrPath, expanded_path
from c2v.services.reports import Description
from c2v.services.whole_videos import clip_of
from c2v.services.workspace import Workspace


def describe_video(
    space: Workspace,
    path: StrPath,
    labels: Sequence[str],
    *,
    top: int,
    min_score: float | None,
    model: str | None,
) -> Description:
    """Sentences by how well they describe a video; see :class:`VideoLibrary`."""
    if isinstance(labels, str):
        raise TypeError("describe takes a list of labels, got one text")
    file = expanded_path(path)
    bundle = space.encoder_for_clips(model)
    clip = clip_of(file, bundle, None, notice=space.notice_once)
    ranked = rank_labels(bundle, clip.vector, labels)[:top]
    kept = tuple(one for one in ranked if min_score is None or one.score >= min_score)
    return Description(str(file.absolute()), bundle.name, kept)
