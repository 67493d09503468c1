"""What the user of ``c2v finetune`` chose, and the plan that follows from it and from the data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, get_args

from c2v.encoder.bundle import Bundle
from c2v.encoder.heads.base import HeadModule
from c2v.errors import UsageError
from c2v.nearest import one_of
from c2v.training.recipe import (
    FEW_VIDEOS,
    FOLDS,
    SMALL_PAIRS,
    WTI_RATE,
    Optimiser,
    Recipe,
    TrainedPart,
    anchor_for,
    batch_for,
    epochs_for,
)
from c2v.training.start import choose_start, first_head, head_kind, is_openai_clip

_HEADS = {"clip4clip": "seqTransf", "clip2video": "clip2video"}
"""Of each paper's recipe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The options of the command; None follows from the data."""

    like: str = "own"
    """Whose recipe: c2v's own, or that of a paper (:func:`as_published`)."""
    head: str | None = None
    train: str | None = None
    init: str | None = None
    epochs: int | None = None
    batch: int | None = None
    optimiser: str = "adamw"
    learning_rate: float | None = None
    clip_rate: float | None = None
    layers: int | None = None
    """Of the temporal transformer; for scripts alone."""
    projected: bool = True
    freeze: tuple[str, ...] = ()
    validation: float | None = None
    """Share that is held back; None is a tenth, or of few videos each once."""
    guard: bool = True
    """Take no weights that forgot what the start knew."""
    patience: int = 0
    micro_batch: int | None = None
    autocast: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Planned:
    """Everything that shapes the outcome, decided."""

    recipe: Recipe
    head: str
    projected: bool
    small: bool
    layers: int | None

    def first_head(self, bundle: Bundle) -> HeadModule:
        """What is trained, with its first weights."""
        return first_head(
            bundle,
            head=self.head,
            start=self.recipe.init,
            projected=self.projected,
            small=self.small,
            seed=self.recipe.seed,
            layers=self.layers,
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "head": self.head,
            "projected": self.projected,
            "layers": self.layers,
            "recipe": self.recipe.as_dict(),
        }


def as_published(choices: Choices) -> Choices:
    """What is left open as CLIP4Clip (Luo et al. 2021) trains all of its models.

    CLIP2Video published no training; what is known of it agrees, but for the head. The towers'
    rate is c2v's: the published 1e-7 works in their fp16 alone.

    Raises:
        UsageError: there is no recipe of that name.
    """
    if choices.like == "own":
        return choices
    if choices.like not in _HEADS:
        names = ("own", *_HEADS)
        raise UsageError(
            f"--recipe {choices.like}: no such recipe", hint=one_of(choices.like, names)
        )
    epochs = choices.epochs or 5
    return replace(
        choices,
        head=choices.head or _HEADS[choices.like],
        train=choices.train or "all",
        epochs=epochs,
        batch=choices.batch or 128,
        optimiser="bertadam",
        learning_rate=choices.learning_rate or 1e-4,
        patience=choices.patience or epochs,
    )


def plan(
    choices: Choices, bundle: Bundle, *, pairs: int, videos: int, in_turns: bool = False
) -> Planned:
    """Decide what was left open.

    Args:
        choices: what was chosen.
        bundle: where to start.
        pairs: how many there are.
        videos: how many there are to learn from.
        in_turns: whether they are held back in turns, none of them for good.

    Raises:
        UsageError: an option that is not one, or options that contradict each other.
    """
    if choices.head is not None:
        head_kind(choices.head)
    published = choices.like != "own"
    choices = as_published(choices)
    small = pairs < SMALL_PAIRS and not published
    train = _train(choices, bundle, small=small)
    start = choose_start(bundle, head=choices.head, init=choices.init, small=small)
    batch = min(choices.batch or batch_for(videos), pairs if published else videos)
    usual = "clip2video" if videos >= FEW_VIDEOS or start == "clip" else "meanP"
    head = choices.head or (bundle.config.head.type if start == "model" else usual)
    given = {
        "learning_rate": choices.learning_rate,
        "clip_rate": choices.clip_rate,
        "micro_batch": choices.micro_batch,
        "noise": 0.0 if train == "all" else None,
        "validation": choices.validation,
    }
    if head == "wti" and choices.learning_rate is None:
        given["learning_rate"] = WTI_RATE
    if train == "head" and small and start != "clip":  # there is something to stay near to
        given |= {"guard": choices.guard, "anchor": anchor_for(pairs)}
    layers, patterns = _freeze(choices.freeze)
    if choices.optimiser not in get_args(Optimiser):
        raise UsageError(f"--optimizer {choices.optimiser}", hint="adamw or bertadam")
    epochs = choices.epochs or epochs_for(videos, batch)
    recipe = Recipe(
        train=train,
        init=start,
        epochs=epochs,
        batch=batch,
        pairs=published,
        optimiser=choices.optimiser,  # type: ignore[arg-type]
        folds=min(FOLDS, videos) if in_turns else 0,
        patience=choices.patience or (epochs if head == "wti" else 0),  # it ends late
        freeze=patterns,
        freeze_layers=layers,
        autocast=choices.autocast,
        seed=choices.seed,
        **{name: value for name, value in given.items() if value is not None},  # type: ignore[arg-type]
    )
    if train == "all" and recipe.optimiser == "bertadam":
        # As in the papers, where the temperature is one of CLIP's weights.
        recipe = replace(recipe, scale_rate=recipe.clip_rate)
    return Planned(recipe, head, choices.projected and train == "head", small, choices.layers)


def _train(choices: Choices, bundle: Bundle, *, small: bool) -> TrainedPart:
    trainable = bundle.config.text.family == "clip" and bundle.config.image.family == "open_clip"
    if choices.train is None:
        return "head" if small or not is_openai_clip(bundle) else "all"
    if choices.train not in get_args(TrainedPart):
        raise UsageError(f"--train {choices.train}", hint="head or all")
    if choices.train == "all" and not trainable:
        raise UsageError(
            f"--train all: the towers of {bundle.name} are frozen and cannot be trained",
            hint="--train head, or another --model",
        )
    return choices.train  # type: ignore[return-value]


def _freeze(given: tuple[str, ...]) -> tuple[int, tuple[str, ...]]:
    """A number is how many blocks of both towers, anything else a pattern of weight names."""
    numbers = [value for value in given if value.lstrip("-").isdigit()]
    if len(numbers) > 1:
        raise UsageError(f"--freeze {' '.join(numbers)}: one number of blocks can be given")
    layers = int(numbers[0]) if numbers else 0
    return layers, tuple(value for value in given if value not in numbers)
