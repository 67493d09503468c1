"""How a run ended: what was learnt, and how much of it was taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from c2v.training.choosing import Verdict


@dataclass(frozen=True, slots=True)
class Ended:
    """How the loop ended; the trainee holds the weights of the end unless it was interrupted.

    The end is the best epoch on the videos held back, the last one where none are.
    """

    interrupted: bool
    history: list[dict[str, Any]]
    end_epoch: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended; the trainee holds the weights that were taken unless it was interrupted.

    ``best_epoch`` is the epoch they are of, or lie towards; 0 where they are those of the start.
    """

    interrupted: bool
    before: dict[str, Any]
    after: dict[str, Any]
    history: list[dict[str, Any]]
    best_epoch: int
    seconds: float
    choice: Verdict | None = None
    """None where the run was interrupted."""

    @property
    def center_weight(self) -> float:
        """The weight of the global branch that goes with the weights."""
        return 1.0 if self.choice is None else self.choice.taken.center_weight

    @property
    def cannot_tell(self) -> bool:
        """Whether everything stood first before the first step: nothing could be better."""
        return self.choice is not None and self.choice.reason == "perfect"

    @property
    def was_worth_it(self) -> bool:
        """Whether something was better than the beginning."""
        return self.choice is not None and self.choice.share > 0

    @classmethod
    def chosen(cls, choice: Verdict, ended: Ended, history: list[dict[str, Any]]) -> Outcome:
        """Of a run that came to its end."""
        return cls(
            interrupted=False,
            before=choice.before.as_dict(),
            after=choice.after.as_dict(),
            history=history,
            best_epoch=ended.end_epoch if choice.share > 0 else 0,
            seconds=ended.seconds,
            choice=choice,
        )

    @classmethod
    def broken_off(cls, ended: Ended) -> Outcome:
        """Of a run that was interrupted: what it was so far."""
        history = ended.history
        return cls(
            interrupted=True,
            before=history[0]["validation"],
            after=history[ended.end_epoch]["validation"],
            history=history,
            best_epoch=ended.end_epoch,
            seconds=ended.seconds,
        )
