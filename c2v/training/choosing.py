"""Which weights between start and end are taken, if any; and how many more pairs it would take.

Weights are taken that gain on the videos held back, more than chance alone would show, and that
lower nothing anybody looks at: neither R@1, R@5 or R@10 of the videos held back, either way, nor
R@1 or R@5 of what the start knew before (:mod:`c2v.training.guard`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from c2v.evaluation.metrics import RankMetrics, RetrievalMetrics
from c2v.training.interpolation import ShareTrial
from c2v.training.validation import Ranking, Validation

Reason = Literal["gain", "perfect", "chance", "none", "harm"]
"""Why weights were taken (``gain``), or not: there was nothing to gain; a gain that may be chance;
no gain; a gain that costs a recall, or what the start knew."""
TOLERANCE = 0.5
"""Points that a recall may fall by: one query in two hundred."""
CLEAR = 1.5
"""Standard errors that a gain has to be above nothing. One video that is found and was not makes a
gain of exactly one, three such videos one of more than this."""
_BAD_LUCK = 1.0
_ROUNDED = 1e-9
_DEPTHS = (1, 5, 10)


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What was taken of the way from the start to the end.

    ``gain`` and ``error`` are points of the mean of R@1, R@5 and R@10 over both directions, and
    their standard error over videos; of what was taken, or else of the best that was tried.
    """

    taken: ShareTrial
    start: ShareTrial
    reason: Reason
    gain: float
    error: float

    @property
    def share(self) -> float:
        """Of the end; 0 is the start."""
        return self.taken.share

    @property
    def before(self) -> Validation:
        return Validation(self.start.ranking.metrics(), self.start.center_weight)

    @property
    def after(self) -> Validation:
        return Validation(self.taken.ranking.metrics(), self.taken.center_weight)

    @property
    def more_pairs(self) -> tuple[int, int | None] | None:
        """How many more pairs it would take, at least and at most; None where it is done.

        Two points of the learning curve are known: no pairs, no gain; n pairs, this gain. To show
        in five of six cases a gain has to be a standard error above what is asked of it, for bad
        luck. The error falls as the root of the pairs. So gain / error grows as the root of n
        if the gain stays as it is, and as n if it grows with the root itself. Where no gain was
        seen the curve has no direction: no fewer than as many again, and nobody can say more.
        """
        if self.reason in ("gain", "perfect"):
            return None
        count = len(self.start.ranking.texts)
        if self.reason != "chance":
            return count, None
        lacking = (CLEAR + _BAD_LUCK) * self.error / self.gain
        least, most = (math.ceil(count * (factor - 1)) for factor in (lacking, lacking**2))
        return max(1, least), max(1, most)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        guard = None
        if self.start.guard is not None and self.taken.guard is not None:
            kept = (self.start.guard, self.taken.guard)
            before, after = (ranking.metrics().text_to_video.as_dict() for ranking in kept)
            guard = {"before": before, "after": after}
        more = self.more_pairs
        return {
            "share": self.share,
            "reason": self.reason,
            "gain": round(self.gain, 3),
            "error": round(self.error, 3) if math.isfinite(self.error) else None,
            "guard": guard,
            "more_pairs": None if more is None else {"least": more[0], "most": more[1]},
        }


def choose(trials: Sequence[ShareTrial]) -> Verdict:
    """The trial that gains the most and harms nothing; the first one is the start.

    Where what the start knew is guarded, the first trial within a standard error of the most (the
    rule of one standard error, Breiman et al. 1984): what cannot be told from more is not worth
    going further away for. The trials are in the order of their shares.
    """
    start, *others = trials
    if _perfect(start.ranking.metrics()):
        return Verdict(start, start, "perfect", 0.0, 0.0)
    if not others:
        return Verdict(start, start, "harm", 0.0, 0.0)
    gains = [(trial, *_gain(start.ranking, trial.ranking)) for trial in others]
    best = _largest(gains)
    if best[1] <= 0:
        return Verdict(start, start, "none", *best[1:])
    clear = [one for one in gains if one[1] > max(0.0, CLEAR * one[2]) + _ROUNDED]
    if not clear:
        return Verdict(start, start, "chance", *best[1:])
    harmless = [one for one in clear if not harms(start, one[0])]
    if not harmless:
        return Verdict(start, start, "harm", *_largest(clear)[1:])
    taken, gain, error = best = _largest(harmless)
    if start.guard is not None:
        taken, gain, error = next(one for one in harmless if one[1] >= best[1] - best[2])
    return Verdict(taken, start, "gain", gain, error)


def harms(start: ShareTrial, trial: ShareTrial) -> bool:
    """Whether a recall falls by more than the tolerance, here or in what the start knew."""
    before, after = start.ranking.metrics(), trial.ranking.metrics()
    ways = [
        (before.text_to_video, after.text_to_video),
        (before.video_to_text, after.video_to_text),
    ]
    if any(lost(was, now, depths=_DEPTHS) for was, now in ways):
        return True
    if start.guard is None or trial.guard is None:
        return False
    return forgets(start.guard, trial.guard)


def forgets(before: Ranking, after: Ranking) -> bool:
    """Whether less of what the start knew is found than before."""
    knew, knows = before.metrics(), after.metrics()
    ways = [(knew.text_to_video, knows.text_to_video), (knew.video_to_text, knows.video_to_text)]
    return any(lost(was, now, depths=_DEPTHS[:2]) for was, now in ways)


def lost(before: RankMetrics, after: RankMetrics, *, depths: Sequence[int]) -> bool:
    """Whether a recall at one of these depths fell by more than the tolerance."""
    was, now = before.as_dict(), after.as_dict()
    return any(now[f"R@{k}"] < was[f"R@{k}"] - TOLERANCE for k in depths)


def _perfect(metrics: RetrievalMetrics) -> bool:
    both = (metrics.text_to_video, metrics.video_to_text)
    return all(way.recall_at_1 == 100.0 for way in both)


def _largest(gains: Sequence[tuple[ShareTrial, float, float]]) -> tuple[ShareTrial, float, float]:
    return max(gains, key=lambda one: round(one[1], 9))  # the first of equal ones


def _gain(before: Ranking, after: Ranking) -> tuple[float, float]:
    """Points gained a video, both directions, and their standard error; inf of a single video."""
    gains = _points(after) - _points(before)
    if len(gains) < 2:
        return float(gains.mean()), math.inf
    return float(gains.mean()), float(gains.std(ddof=1) / math.sqrt(len(gains)))


def _points(ranking: Ranking) -> NDArray[np.float64]:
    """Of each video, the mean of R@1, R@5 and R@10 of its texts and of itself: [M], 0 to 100."""
    counts = np.bincount(ranking.owner, minlength=len(ranking.videos))
    of_texts = np.bincount(ranking.owner, _found(ranking.texts), len(ranking.videos)) / counts
    found: NDArray[np.float64] = 50.0 * (of_texts + _found(ranking.videos))
    return found


def _found(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.mean([ranks <= k for k in _DEPTHS], axis=0)
    return found
