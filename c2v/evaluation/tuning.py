"""Which settings of an encoder help on somebody's own captioned videos, measured on held-out ones.

The videos are dealt into folds. The hub bias of a segment comes of a bank of captions neither of
its own video's fold nor of the question's, and a setting is chosen by the questions of the other
folds and measured on those of one. So no figure is of captions that shaped what it measures. At
last the setting is chosen by the questions of all folds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.hubs import biases
from c2v.evaluation.similarity import similarity_matrix

if TYPE_CHECKING:
    from c2v.evaluation.trial_questions import Questions

Array = NDArray[np.float32]
Kind = Literal["captions", "with_prefix", "short"]
FOLDS = 5
_FEW = 15
"""Below so many videos a gain has to exceed more than one standard error."""


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """The segments of V videos as the head makes them, and the fold each video is in."""

    vectors: Array
    """[S, H], unit length."""
    video: NDArray[np.int64]
    """[S]: the number of each segment's video."""
    fold: NDArray[np.int64]
    """[V]."""

    @property
    def folds(self) -> int:
        """How many folds there are."""
        return int(self.fold.max()) + 1


def deal(videos: int, *, seed: int = 0) -> NDArray[np.int64]:
    """The fold of each of some videos, at random and as even as can be: [V]."""
    order = np.random.default_rng(seed).permutation(videos)
    fold: NDArray[np.int64] = order % min(FOLDS, videos)
    return fold


def held_out_biases(
    gallery: Gallery, captions: Sequence[Array], everyday: Array, *, neighbours: int
) -> Array:
    """Hub biases of all segments for the questions of each fold, of weight 1: [folds, S].

    Args:
        gallery: the segments.
        captions: the vectors of the bank's captions by the fold of their video, [C_i, H] each.
        everyday: vectors of sentences that belong to nobody, [E, H].
        neighbours: of the bank's sentences that are averaged.

    Every bank lacks two folds, so that none is the larger one.
    """
    count = gallery.folds
    of_segment = gallery.fold[gallery.video]
    found = np.empty((count, len(gallery.vectors)), np.float32)
    for asked in range(count):
        for shown in range(count):
            without = {asked, shown if shown != asked else (asked + 1) % count}
            bank = np.concatenate(
                [everyday, *(part for fold, part in enumerate(captions) if fold not in without)]
            )
            mine = of_segment == shown
            found[asked, mine] = biases(gallery.vectors[mine], bank, neighbours=neighbours)
    return found


def scores_of(questions: Questions, vectors: Array, gallery: Gallery, bias: Array | None) -> Array:
    """Of questions [Q, H] with the best segment of each video, less its bias [folds, S]: [Q, V]."""
    videos = len(gallery.fold)
    if bias is None:
        return similarity_matrix(vectors, gallery.vectors, gallery.video, videos)
    found = np.empty((len(vectors), videos), np.float32)
    asked = gallery.fold[questions.owner]
    for fold in np.unique(asked):
        rows = np.flatnonzero(asked == fold)
        put = np.concatenate([vectors[rows], np.ones((len(rows), 1), np.float32)], axis=1)
        kept = np.concatenate([gallery.vectors, -bias[fold][:, None]], axis=1)
        found[rows] = similarity_matrix(put, kept, gallery.video, videos)
    return found


def ranks_of(scores: Array, meant: NDArray[np.bool_]) -> NDArray[np.float64]:
    """From 1, of the first of the videos that each question means: [Q, V], [Q, V] -> [Q].

    >>> ranks_of(np.array([[3.0, 2.0, 1.0]]), np.array([[False, True, True]]))
    array([2.])
    """
    best = np.where(meant, scores, -np.inf).max(axis=1, keepdims=True)
    ranks: NDArray[np.float64] = 1.0 + ((scores > best) & ~meant).sum(axis=1)
    return ranks


def helps(
    before: NDArray[np.float64], after: NDArray[np.float64], owner: NDArray[np.int64]
) -> float:
    """The gain in mean reciprocal rank if it is one, else 0: ranks [Q] twice, videos [Q].

    A gain exceeds its own standard error over videos, whose questions are not independent (more
    than that where videos are few: their spread is known badly), and costs no question its first
    place on the whole.
    """
    if not len(owner):
        return 0.0
    _, place = np.unique(owner, return_inverse=True)
    gained = np.bincount(place, weights=1 / after - 1 / before) / np.bincount(place)  # [videos]
    error = gained.std(ddof=1) / np.sqrt(len(gained)) if len(gained) > 1 else np.inf
    if (
        gained.mean() <= max(1.0, _FEW / len(gained)) * error
        or (after == 1).sum() < (before == 1).sum()
    ):
        return 0.0
    return float(gained.mean())


@dataclass(frozen=True, slots=True)
class Way:
    """One setting of an encoder: names of what the trial knows."""

    hubs: str
    strip: bool
    template: str


@dataclass(frozen=True, slots=True)
class Figures:
    """Text to video: recalls in per cent, and the mean reciprocal rank, in per cent too."""

    recall_at_1: float
    recall_at_5: float
    mean_reciprocal_rank: float
    queries: int

    @classmethod
    def of(cls, ranks: NDArray[np.float64]) -> Figures:
        """Of at least one rank."""
        return cls(
            100 * float((ranks <= 1).mean()),
            100 * float((ranks <= 5).mean()),
            100 * float((1 / ranks).mean()),
            len(ranks),
        )

    def as_dict(self) -> dict[str, float]:
        """As JSON."""
        return {
            "R@1": self.recall_at_1,
            "R@5": self.recall_at_5,
            "MRR": self.mean_reciprocal_rank,
            "queries": self.queries,
        }


class SettingsTrial:
    """Ranks of all questions under every setting, each worked out once."""

    def __init__(
        self,
        gallery: Gallery,
        questions: Mapping[Kind, Questions],
        hubs: Mapping[str, Array | None],
        embed: Callable[[Sequence[str], bool, str], Array],
    ) -> None:
        """``hubs`` names biases [folds, S], None for none; ``embed`` puts texts as questions,
        [Q, H], with prefixes stripped or not and with a template for short ones."""
        self.gallery = gallery
        self.questions = questions
        self.hubs = hubs
        self._embed = embed
        self._vectors: dict[tuple[Kind, bool, str], Array] = {}
        self._ranks: dict[tuple[Kind, Way], NDArray[np.float64]] = {}

    def vectors(self, kind: Kind, way: Way) -> Array:
        """The questions of a kind as they are put: [Q, H]."""
        key = kind, way.strip, way.template
        if key not in self._vectors:
            self._vectors[key] = self._embed(self.questions[kind].texts, way.strip, way.template)
        return self._vectors[key]

    def scores(self, kind: Kind, way: Way) -> Array:
        """Of the questions with the videos: [Q, V]."""
        bias = self.hubs[way.hubs]
        return scores_of(self.questions[kind], self.vectors(kind, way), self.gallery, bias)

    def ranks(self, kind: Kind, way: Way) -> NDArray[np.float64]:
        """Of what each question of the kind means: [Q]."""
        if (kind, way) not in self._ranks:
            scores = self.scores(kind, way)
            self._ranks[kind, way] = ranks_of(scores, self.questions[kind].meant)
        return self._ranks[kind, way]


def choose(
    trial: SettingsTrial,
    start: Way,
    templates: Sequence[str],
    free: Set[Kind],
    *,
    without: int | None = None,
) -> Way:
    """What helps of the settings, one after the other, by the questions of all folds but one.

    Each setting is chosen by the kind of questions it is for; those of kinds that are not ``free``
    stay as they are.
    """
    way = start
    if "captions" in free:
        ways = [replace(way, hubs=name) for name in trial.hubs]
        way = _best(trial, "captions", way, ways, without)
    if "with_prefix" in free:
        way = _best(trial, "with_prefix", way, [replace(way, strip=not way.strip)], without)
    if "short" in free:
        ways = [replace(way, template=template) for template in templates]
        way = _best(trial, "short", way, ways, without)
    return way


def _best(
    trial: SettingsTrial, kind: Kind, way: Way, others: Sequence[Way], without: int | None
) -> Way:
    """The one of the others that helps most with questions of a kind and harms no other kind."""
    best, most = way, 0.0
    for other in others:
        gain = _gain(trial, kind, way, other, without) if other != way else 0.0
        if gain > most and not any(
            _gain(trial, also, other, way, without) for also in trial.questions
        ):
            best, most = other, gain
    return best


def _gain(trial: SettingsTrial, kind: Kind, before: Way, after: Way, without: int | None) -> float:
    owner = trial.questions[kind].owner
    used = np.flatnonzero(trial.gallery.fold[owner] != (-1 if without is None else without))
    return helps(trial.ranks(kind, before)[used], trial.ranks(kind, after)[used], owner[used])


def held_out(
    trial: SettingsTrial, start: Way, templates: Sequence[str], free: Set[Kind]
) -> dict[Kind, NDArray[np.float64]]:
    """Ranks of each fold's questions under what was chosen by the others, of each kind: [Q]."""
    ways = [choose(trial, start, templates, free, without=n) for n in range(trial.gallery.folds)]
    found: dict[Kind, NDArray[np.float64]] = {}
    for kind, questions in trial.questions.items():
        ranks = np.stack([trial.ranks(kind, way) for way in ways])  # [folds, Q]
        found[kind] = ranks[trial.gallery.fold[questions.owner], np.arange(len(questions))]
    return found
