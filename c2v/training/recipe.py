"""How a run trains: what the user chose, and what follows from the data where nothing was chosen.

Defaults of the optimiser are CLIP4Clip's but for the rate of the towers: the 1e-7 of
the published recipe works in its fp16 Adam alone, whose second moments underflow. The one here
moves the weights about as far; ``tests/benchmarks/clip_learning_rate.py`` has the figures, and
says what they cannot decide.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from c2v.errors import UsageError

TrainedPart = Literal["head", "all"]
Start = Literal["identity", "clip", "model"]
Optimiser = Literal["adamw", "bertadam"]

SMALL_PAIRS = 20_000
"""Below that many pairs the towers stay as they are and a head starts as meanP."""
SMALL_LAYERS = 2
"""Layers of the temporal transformer for few pairs; the published four need more data."""
WTI_LAYERS = 1
WTI_RATE = 2e-3
"""Of the narrow layers of wti, most of which begin at zero."""
LARGE_VIDEOS = 5_000
FEW_VIDEOS = 50
"""Below that many every video is held back once, and a head without time is trained: the order of
frames is not learnt from so few."""
FOLDS = 5
FEWEST_STEPS = 400
FEWEST_STEPS_OF_FEW = 200
MOST_EPOCHS = 200
_STRONGEST_ANCHOR, _ANCHORED_PAIRS = 20.0, 200
VALIDATION = 0.1
"""Share of the videos that is held back where nothing else is said."""
FEWEST_VALIDATION = 8
"""Videos of a validation split, where there are twice as many to train on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that shapes the weights that come out."""

    train: TrainedPart
    init: Start
    epochs: int
    batch: int = 64
    """Videos a step, over all processes, each with its captions: the negatives of one another."""
    pairs: bool = False
    """Every caption with its video is an example of its own, as in the papers: two of one video may
    stand in a step, and what does not fill the last step of an epoch is left out."""
    captions_a_video: int = 8
    """At most so many captions of a video in one step, drawn anew each time."""
    segments_a_video: int = 4
    """At most so many segments of a long video in one step, drawn anew each time."""
    micro_batch: int = 64
    """Videos whose activations are held at once; the gradient is that of the whole batch."""
    optimiser: Optimiser = "adamw"
    learning_rate: float = 3e-4
    """Of the temporal head."""
    projection_rate: float = 1e-3
    """Of the linear layers on the features."""
    scale_rate: float = 1e-2
    """Of the logarithm of the temperature."""
    clip_rate: float = 3e-6
    """Of the towers."""
    weight_decay: float = 0.2
    warmup: float = 0.1
    clip_norm: float = 1.0
    noise: float = 0.3
    """Of stage-1 features while training, in their own standard deviations (head only)."""
    guard: bool = False
    """Whether no weights are taken that forgot what the start knew (:mod:`c2v.training.guard`)."""
    anchor: float = 0.0
    """Share of the way back to the start a step, times the rate: L2 towards the first weights."""
    branch_weight: float = 0.5
    """w of the loss: global and aligned branch (CLIP2Video)."""
    validation: float = VALIDATION
    folds: int = 0
    """Parts that are held back in turn; 0 holds back one share of the videos, once."""
    patience: int = 0
    """Epochs without a better validation after which to stop; 0 is a sixth of all, at least 8, and
    none once everything held back stands first."""
    freeze: tuple[str, ...] = ()
    freeze_layers: int = 0
    """Blocks of both towers that are frozen, with what is below them; -1 freezes nothing."""
    autocast: bool = False
    """Multiply matrices in bfloat16."""
    seed: int = 0

    def __post_init__(self) -> None:
        positive = {
            "--epochs": self.epochs,
            "--batch": self.batch,
            "--learning-rate": self.learning_rate,
            "--clip-learning-rate": self.clip_rate,
        }
        for option, value in positive.items():
            if not value > 0:
                raise UsageError(f"{option} {value} is not above 0")
        if not 0 < self.validation < 1:
            raise UsageError(f"--validation {self.validation} is not between 0 and 1")

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "freeze": list(self.freeze)}

    @property
    def stop_after(self) -> int:
        """Epochs without a better validation after which to stop."""
        return self.patience or max(8, math.ceil(self.epochs / 6))


def epochs_for(videos: int, batch: int) -> int:
    """As many passes as make ``FEWEST_STEPS`` steps, at least CLIP4Clip's five."""
    steps = math.ceil(videos / batch)
    fewest = FEWEST_STEPS_OF_FEW if videos < FEW_VIDEOS else FEWEST_STEPS
    return min(MOST_EPOCHS, max(5, math.ceil(fewest / steps)))


def batch_for(videos: int) -> int:
    """An eighth of a small data set, 16 to 64 videos; 256 of a large one.

    What a head learns from a few hundred videos depends on the number of steps more than on the
    number of negatives (measured on the motion clips of the tests).
    """
    if videos >= LARGE_VIDEOS:
        return 256
    return max(2, min(math.ceil(videos / 2), max(16, min(64, math.ceil(videos / 8)))))


def validation_count(videos: int, share: float) -> int:
    """How many videos to hold back: the share, at least 8 where that leaves two thirds."""
    count = max(round(share * videos), min(FEWEST_VALIDATION, videos // 3))
    return max(1, min(count, videos - 2))


def anchor_for(pairs: int) -> float:
    """How strongly few pairs are held at the start; 1 at 200 pairs, less for more.

    At the rates of a head and its some hundred steps 1 takes back a fifth of what moved.
    """
    return min(_STRONGEST_ANCHOR, _ANCHORED_PAIRS / pairs)
