"""The videos of a library in groups of like ones, each with a name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from c2v.errors import UsageError
from c2v.search.sequences import ResultSequence
from c2v.services.places import StrPath
from c2v.services.selecting import tell_of_damage, videos_meant
from c2v.services.workspace import Workspace

if TYPE_CHECKING:
    from c2v.search.video_vectors import VideoVectors

_CONTRAST = 0.5
"""How much a name has to set its group apart, beside fitting it."""
_LABELS_A_GROUP = 3


@dataclass(frozen=True, slots=True)
class GroupedVideo:
    """A video of a group."""

    path: str
    score: float
    """Cosine with the mean of the group, in [-1, 1]."""

    def as_dict(self) -> dict[str, Any]:
        """One of a group's ``videos`` in the JSON of ``c2v cluster``."""
        return {"path": self.path, "score": round(self.score, 6)}


@dataclass(frozen=True, slots=True)
class VideoGroup(ResultSequence[GroupedVideo]):
    """Videos that are alike, the most typical one first."""

    rank: int
    """From 1: the largest group."""
    name: str
    """The label that fits best; where a larger group has that name, the two that fit best."""
    labels: tuple[str, ...]
    """Those that fit best, the best first."""
    results: tuple[GroupedVideo, ...]

    def as_dict(self) -> dict[str, Any]:
        """One of the ``groups`` in the JSON of ``c2v cluster``."""
        return {
            "rank": self.rank,
            "name": self.name,
            "labels": list(self.labels),
            "size": len(self),
            "videos": [video.as_dict() for video in self],
        }


@dataclass(frozen=True, slots=True)
class Clustering(ResultSequence[VideoGroup]):
    """All groups, the largest first."""

    library: str
    model: str
    results: tuple[VideoGroup, ...]

    @property
    def videos(self) -> int:
        """How many there are in all groups."""
        return sum(len(one) for one in self.results)

    def as_dict(self) -> dict[str, Any]:
        """The JSON of ``c2v cluster``."""
        return {
            "library": self.library,
            "model": self.model,
            "videos": self.videos,
            "groups": [one.as_dict() for one in self.results],
        }


def cluster_videos(
    space: Workspace,
    paths: Iterable[StrPath] | StrPath,
    *,
    count: int | None,
    labels: Sequence[str] | None,
) -> Clustering:
    """The videos that ``paths`` mean in groups; see :class:`VideoLibrary`."""
    from c2v.search.everyday import EVERYDAY
    from c2v.search.grouping import group
    from c2v.search.label_confidence import standard_scores
    from c2v.search.video_vectors import video_vectors

    if isinstance(labels, str):
        raise TypeError("cluster takes a list of labels, got one text")
    if count is not None and count < 1:
        raise UsageError(f"there is at least 1 group, {count} were asked for", hint="--count 5")
    names = EVERYDAY if labels is None else tuple(labels)
    if not names:
        raise UsageError("there are no labels", hint="leave them out for the everyday names")
    store = space.store
    meant = videos_meant(store, paths)
    bundle = space.encoder()
    known = video_vectors(store, meant)
    tell_of_damage(space, known.left_out)
    if count is not None and count > len(known.videos):
        space.telling.notice(f"there are only {len(known.videos)} videos for {count} groups")
    groups = group(known.vectors, count)
    fits = standard_scores(bundle, known.vectors, names)  # [N, L]
    best = _best_labels(groups, fits)
    made: list[VideoGroup] = []
    for number, columns in enumerate(best):
        fitting = tuple(names[column] for column in columns)
        taken = {one.labels[0] for one in made}
        name = ", ".join(fitting[:2]) if fitting[0] in taken else fitting[0]
        made.append(VideoGroup(number + 1, name, fitting, _members(known, groups == number)))
    return Clustering(store.address, bundle.name, tuple(made))


def _best_labels(groups: NDArray[np.intp], fits: NDArray[np.float32]) -> list[NDArray[np.intp]]:
    """For each group the columns of ``fits`` [N, L] that name it best, the best first."""
    best = []
    whole = fits.sum(axis=0, dtype=np.float64)  # [L]
    for number in range(int(groups.max(initial=-1)) + 1):
        own = groups == number
        inside = fits[own].sum(axis=0, dtype=np.float64)
        size, others = int(own.sum()), int((~own).sum())
        score = inside / size
        if others:
            score = score + _CONTRAST * (score - (whole - inside) / others)
        best.append(np.argsort(-score, kind="stable")[:_LABELS_A_GROUP])
    return best


def _members(known: VideoVectors, own: NDArray[np.bool_]) -> tuple[GroupedVideo, ...]:
    rows = np.flatnonzero(own)
    mean = known.vectors[rows].mean(axis=0)
    scores = known.vectors[rows] @ (mean / max(float(np.linalg.norm(mean)), 1e-12))
    scores = scores.round(5)  # of two videos both are as near to their mean: by path then
    return tuple(
        GroupedVideo(known.videos[rows[place]].path, float(scores[place]))
        for place in np.argsort(-scores, kind="stable")
    )
