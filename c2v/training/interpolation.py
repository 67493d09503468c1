"""Weights between those of the start and those of the end, and how each of them ranks.

Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models" (WiSE-FT): on the straight
line from the weights before fine-tuning to those after it, most of what was learnt is there long
before what was known is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor  # noqa: TID253

from c2v.training.guard import Guard
from c2v.training.trainee import Trainee
from c2v.training.validation import Ranking, Scored

State = Mapping[str, Tensor]
SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0)
"""Shares of the end that are tried; 0 is the start itself. Closer together near the start, where
what was known begins to be lost."""


@dataclass(frozen=True, slots=True, eq=False)
class ShareTrial:
    """How the weights at one share rank, with one weight of the global branch."""

    share: float
    center_weight: float
    ranking: Ranking
    guard: Ranking | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; :meth:`from_dict` reads it back."""
        guard = None if self.guard is None else _as_lists(self.guard)
        return {
            "share": self.share,
            "center_weight": self.center_weight,
            "ranking": _as_lists(self.ranking),
            "guard": guard,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ShareTrial:
        """A trial that was written down."""
        guard = content["guard"]
        return cls(
            content["share"],
            content["center_weight"],
            _from_lists(content["ranking"]),
            None if guard is None else _from_lists(guard),
        )


def weights_of(trainee: Trainee) -> dict[str, Tensor]:
    """A copy of all weights, which later steps leave alone."""
    return {name: x.detach().clone() for name, x in trainee.module.state_dict().items()}


def mixed_weights(start: State, end: State, share: float) -> dict[str, Tensor]:
    """(1 - share) start + share end, exactly the one or the other at 0 and 1."""
    return {
        name: first.lerp(end[name].to(first), share) if first.is_floating_point() else first
        for name, first in start.items()
    }


def mixed_center(start: float, end: float, share: float) -> float:
    """The weight of the global branch at ``share``, between that of the start and of the end."""
    return (1.0 - share) * start + share * end


def try_shares(
    trainee: Trainee,
    start: State,
    end: State,
    *,
    view: Callable[[], Scored],
    owner: Sequence[int],
    guard: Guard | None,
    shares: Sequence[float] = SHARES,
) -> list[ShareTrial]:
    """One trial for each share, and for each mixing weight of an aligned head.

    Args:
        trainee: holds the weights that are tried; those of the last share in the end.
        start: the weights of share 0.
        end: the weights of share 1.
        view: scores what is held back with the weights of the trainee.
        owner: the place of each text's video there.
        guard: ranks what the start knew; None does without.
        shares: those to try.
    """
    first = trainee.settings.center_weight
    found = []
    for share in shares:
        trainee.module.load_state_dict(mixed_weights(start, end, share))
        scored, kept = view(), None if guard is None else guard.view(trainee)
        for last in trainee.settings.mixing if scored.aligned and share > 0 else (first,):
            # Of wti both scores come of the same weights, and the start's are already near to it.
            near = trainee.settings.interacts and share > 0
            weight = last if near else mixed_center(first, last, share)
            found.append(
                ShareTrial(
                    share,
                    weight,
                    Ranking.of(scored.mixed(weight), owner),
                    None if kept is None else Ranking.of(kept.mixed(weight), range(kept.videos)),
                )
            )
    return found


def _as_lists(ranking: Ranking) -> dict[str, list[float]]:
    return {
        "texts": ranking.texts.tolist(),
        "videos": ranking.videos.tolist(),
        "by_caption": ranking.by_caption.tolist(),
        "owner": ranking.owner.tolist(),
    }


def _from_lists(content: Mapping[str, list[float]]) -> Ranking:
    texts, videos, by_caption = (
        np.asarray(content[name], np.float64) for name in ("texts", "videos", "by_caption")
    )
    return Ranking(texts, videos, by_caption, np.asarray(content["owner"], np.int64))
