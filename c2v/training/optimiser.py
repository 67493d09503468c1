"""Which weights learn how fast, and which stay as they are."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from typing import Any

import torch  # noqa: TID253
from torch import nn  # noqa: TID253

from c2v.encoder.foreign_caches import keep_caches_here
from c2v.errors import UsageError
from c2v.training.bertadam import BertAdam, warmup_cosine
from c2v.training.recipe import Recipe

BETAS = (0.9, 0.98)
EPSILON = 1e-6
_MOST_BACK = 0.5
"""Of the way to the start in one step: a rate that ruins the weights is not to go unseen."""
TOWERS = "towers."
_STEMS = (
    "positional_embedding",
    "token_embedding.",
    "visual.class_embedding",
    "visual.positional_embedding",
    "visual.conv1.",
    "visual.ln_pre.",
)
_BLOCK = "transformer.resblocks."
_TAIL = ("ln_final.", "text_projection", "visual.ln_post.", "visual.proj", "logit_scale")


def freeze(module: nn.Module, recipe: Recipe) -> None:
    """Switch off the gradients of what is not to be trained.

    ``freeze_layers`` n freezes in both towers the embeddings, the patch layer and the first n
    blocks (CLIP4Clip's rule), -1 nothing; ``freeze`` are patterns over the names of weights.

    Raises:
        UsageError: a pattern that fits no weight, or nothing is left to train.
    """
    names = dict(module.named_parameters())
    for name, parameter in names.items():
        parameter.requires_grad_(not _below(name, recipe.freeze_layers))
    for pattern in recipe.freeze:
        found = [name for name in names if fnmatch.fnmatchcase(_plain(name), pattern)]
        if not found:
            raise UsageError(
                f"--freeze {pattern} fits no weight",
                hint=f"weights are called {', '.join(map(_plain, list(names)[:3]))}, ...",
            )
        for name in found:
            names[name].requires_grad_(False)
    if not any(p.requires_grad for name, p in names.items() if name != "log_scale"):
        raise UsageError("nothing is left to train", hint="drop --freeze, or choose another --head")


def _plain(name: str) -> str:
    """The name of a weight as a bundle has it."""
    return name.removeprefix("head.").removeprefix(TOWERS)


def _below(name: str, layers: int) -> bool:
    """Whether a tower's weight lies below block ``layers``."""
    if layers < 0 or not name.startswith(TOWERS):
        return False
    tower = name.removeprefix(TOWERS)
    if tower.startswith(_TAIL):
        return False
    inner = tower.removeprefix("visual.")
    if inner.startswith(_BLOCK):
        return int(inner.removeprefix(_BLOCK).split(".")[0]) < layers
    return tower.startswith(_STEMS)


def make_optimiser(module: nn.Module, recipe: Recipe, *, steps: int) -> torch.optim.Optimizer:
    """AdamW or BertAdam over the weights that learn, in groups of rate and decay.

    With AdamW matrices decay; biases, norms, embeddings of single things and the temperature do
    not. BertAdam is here to train as the papers do: all decays but biases.
    """
    keep_caches_here()
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            decay = recipe.weight_decay if _decays(name, parameter, recipe) else 0.0
            groups.setdefault((_rate(name, recipe), decay), []).append(parameter)
    described: list[dict[str, Any]] = [
        {"params": parameters, "lr": rate, "weight_decay": decay, "peak": rate}
        for (rate, decay), parameters in groups.items()
    ]
    if recipe.optimiser == "bertadam":
        return BertAdam(
            described,
            lr=recipe.learning_rate,
            total_steps=steps,
            warmup=recipe.warmup,
            betas=BETAS,
            eps=EPSILON,
        )
    return torch.optim.AdamW(described, lr=recipe.learning_rate, betas=BETAS, eps=EPSILON)


def _decays(name: str, parameter: nn.Parameter, recipe: Recipe) -> bool:
    if recipe.optimiser == "bertadam":
        return "bias" not in name
    return parameter.ndim >= 2


def _rate(name: str, recipe: Recipe) -> float:
    if name.startswith(TOWERS):
        return recipe.clip_rate
    if name == "log_scale":
        return recipe.scale_rate
    projection = "frame_projection." in name or "word_projection." in name
    return recipe.projection_rate if projection else recipe.learning_rate


def set_rates(optimiser: torch.optim.Optimizer, *, step: int, steps: int, warmup: float) -> float:
    """Warm-up and cosine of step ``step`` (from 0); returns the share of the peak.

    BertAdam keeps its own count. AdamW starts at the first rise instead of at rate 0, which would
    waste a step.
    """
    if isinstance(optimiser, BertAdam):
        return warmup_cosine(step / steps, warmup)
    share = warmup_cosine((step + 1) / (steps + 1), warmup)
    for group in optimiser.param_groups:
        group["lr"] = group["peak"] * share
    return share


@torch.no_grad()
def pull_back(
    optimiser: torch.optim.Optimizer,
    first: Mapping[nn.Parameter, torch.Tensor],
    *,
    strength: float,
    share: float,
) -> None:
    """p <- p - strength rate (p - p_0): decay, but towards the first weights instead of 0.

    Source: Li et al. 2018, "Explicit inductive bias for transfer learning" (L2-SP), decoupled from
    the moments as AdamW decouples its decay. ``share`` is that of the peak rate in this step.
    """
    for group in optimiser.param_groups:
        step = min(_MOST_BACK, strength * share * group["peak"])
        for parameter in group["params"]:
            if parameter in first:
                parameter.lerp_(first[parameter], step)


def clip_gradients(parameters: Iterable[nn.Parameter], norm: float) -> float:
    """Scale all gradients together to a norm of at most ``norm``; returns what it was."""
    given = [p for p in parameters if p.grad is not None]
    return float(torch.nn.utils.clip_grad_norm_(given, norm, foreach=False))
