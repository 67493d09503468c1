"""Training the two projections on features.

Symmetric InfoNCE (van den Oord et al. 2018; CLIP, section 2.3) between photos and captions. With
6,000 photos the projections would learn them by heart, hence noise on the standardised features
and several views of each photo. Captions of one photo that meet in a batch are not each other's
negatives.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.foreign_caches import keep_caches_here
from tests.mini.prototypes import Prototypes, PrototypeSampler
from tests.mini.repeatable import one_thread

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

_CLASS_SEED = 1000
"""So far from a training's own seed is that of its classes: photos are drawn as without them."""

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that shapes the projections. Chosen on the dev split, never on the test split."""

    learned_dim: int = 512
    hidden_dim: int = 512
    passes: int = 5  # over all captions
    batch: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup_steps: int = 50
    noise: float = 0.3  # in standard deviations of a feature
    dropout: float = 0.3  # of hidden units
    first_temperature: float = 0.07
    largest_scale: float = 100.0
    class_batch: int = 256  # made-up features of ImageNet's classes beside the photos of a step
    class_weight: float = 0.3  # of their loss
    class_scale: float = 20.0  # what their cosines are multiplied with
    seed: int = 0


def fit(
    photos: Array, captions: Array, recipe: Recipe, prototypes: Prototypes | None = None
) -> tuple[dict[str, Array], dict[str, Array], list[float]]:
    """Train both projections.

    Args:
        photos: features of each view of each photo, [views, N, I].
        captions: features of each caption of each photo, [N, C, J].
        recipe: the settings.
        prototypes: classes to learn beside the photos, in a loss of their own.

    Returns:
        The projection of photos and that of captions (``mean``, ``std``, and ``linear``, ``up``,
        ``down`` with ``.weight`` [in, out] and ``.bias``), and the loss of each step. The same
        input and recipe give the same bits on one machine.
    """
    with one_thread(recipe.seed):
        return _fit(photos, captions, recipe, prototypes)


def _fit(
    photos: Array, captions: Array, recipe: Recipe, prototypes: Prototypes | None
) -> tuple[dict[str, Array], dict[str, Array], list[float]]:
    import torch

    photo_mean, photo_std = _moments(photos[0])
    caption_mean, caption_std = _moments(captions.reshape(-1, captions.shape[-1]))
    views = torch.from_numpy((photos - photo_mean) / photo_std)
    texts = torch.from_numpy((captions - caption_mean) / caption_std)
    photo_side = _make_side(photos.shape[-1], recipe)
    caption_side = _make_side(captions.shape[-1], recipe)
    classes = None
    if prototypes is not None:
        classes = PrototypeSampler(
            torch.from_numpy((prototypes.centres - photo_mean) / photo_std),
            torch.from_numpy((prototypes.texts - caption_mean) / caption_std),
            views[0],
            random=torch.Generator().manual_seed(recipe.seed + _CLASS_SEED),
        )
    losses = _descend(photo_side, caption_side, views, texts, recipe, classes)
    return (
        _arrays(photo_side, photo_mean, photo_std),
        _arrays(caption_side, caption_mean, caption_std),
        losses,
    )


def _descend(
    photo_side: nn.Module,
    caption_side: nn.Module,
    views: Tensor,
    texts: Tensor,
    recipe: Recipe,
    classes: PrototypeSampler | None,
) -> list[float]:
    """Train both sides in place on views [V, N, I] and texts [N, C, J]; the loss of each step."""
    import torch

    keep_caches_here()
    random = torch.Generator().manual_seed(recipe.seed)
    log_scale = torch.nn.Parameter(torch.tensor(-math.log(recipe.first_temperature)))
    parameters = [*photo_side.parameters(), *caption_side.parameters(), log_scale]
    optimiser = torch.optim.AdamW(
        parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    losses = []
    steps = list(_batches(texts.shape[0], texts.shape[1], recipe, random))
    for step, (photo, caption) in enumerate(steps):
        view = torch.randint(len(views), (len(photo),), generator=random)
        x = _noisy(views[view, photo], recipe.noise, random)  # [batch, I]
        y = _noisy(texts[photo, caption], recipe.noise, random)  # [batch, J]
        scale = log_scale.exp().clamp(max=recipe.largest_scale)
        loss = contrast(photo_side(x), caption_side(y), photo, scale)
        if classes is not None:
            beside = _class_loss(photo_side, caption_side, classes, recipe)
            loss = loss + recipe.class_weight * beside
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * _rate(step, len(steps), recipe.warmup_steps)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    return losses


def _class_loss(
    photo_side: nn.Module, caption_side: nn.Module, classes: PrototypeSampler, recipe: Recipe
) -> Tensor:
    import torch

    made_up, texts = classes.draw(recipe.class_batch)
    described = caption_side(_noisy(texts, recipe.noise, classes.random))
    owner = torch.arange(recipe.class_batch)
    return contrast(photo_side(made_up), described, owner, torch.tensor(recipe.class_scale))


def contrast(photos: Tensor, captions: Tensor, owner: Tensor, scale: Tensor) -> Tensor:
    """Symmetric InfoNCE of a batch.

    Args:
        photos: [B, D], any length.
        captions: [B, D]; row i belongs to row i of ``photos``.
        owner: [B], which photo a row shows; other rows of the same photo are left out.
        scale: what cosines are multiplied with.
    """
    import torch
    from torch.nn import functional

    similarity = scale * functional.normalize(photos) @ functional.normalize(captions).T  # [B, B]
    right = torch.eye(len(owner), dtype=torch.bool)
    same = (owner[:, None] == owner[None]) & ~right
    similarity = similarity.masked_fill(same, -math.inf)
    target = torch.arange(len(owner))
    to_captions = functional.cross_entropy(similarity, target)
    to_photos = functional.cross_entropy(similarity.T, target)
    return (to_captions + to_photos) / 2


def _make_side(width: int, recipe: Recipe) -> nn.ModuleDict:
    from torch import nn

    class Side(nn.ModuleDict):
        """linear(x) + down(gelu(up(x)))."""

        def forward(self, x: Tensor) -> Tensor:
            hidden = nn.functional.gelu(self["up"](x))
            hidden = nn.functional.dropout(hidden, recipe.dropout)
            result: Tensor = self["linear"](x) + self["down"](hidden)
            return result

    return Side(
        {
            "linear": nn.Linear(width, recipe.learned_dim),
            "up": nn.Linear(width, recipe.hidden_dim),
            "down": nn.Linear(recipe.hidden_dim, recipe.learned_dim),
        }
    )


def _batches(
    photos: int, captions: int, recipe: Recipe, random: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Photo and caption numbers of each batch; a pass takes each caption once.

    A pass is as many sweeps over the photos as each has captions, each sweep with another caption,
    so that a batch seldom holds one photo twice.
    """
    import torch

    for _ in range(recipe.passes):
        turns = torch.rand(photos, captions, generator=random).argsort(1)  # [N, C]
        order = [torch.randperm(photos, generator=random) for _ in range(captions)]
        photo = torch.cat(order)  # [C * N]
        caption = torch.cat([turns[part, turn] for turn, part in enumerate(order)])
        for start in range(0, len(photo) - recipe.batch + 1, recipe.batch):
            chosen = slice(start, start + recipe.batch)
            yield photo[chosen], caption[chosen]


def _noisy(x: Tensor, amount: float, random: torch.Generator) -> Tensor:
    import torch

    return x + amount * torch.randn(x.shape, generator=random)


def _rate(step: int, steps: int, warmup: int) -> float:
    """Learning rate as a part of its peak: a ramp, then half a cosine."""
    return min(1.0, (step + 1) / warmup) * (0.5 + 0.5 * math.cos(math.pi * step / steps))


def _moments(features: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each column; a constant column keeps its scale."""
    deviation = features.std(0)
    return features.mean(0), np.where(deviation > 1e-6, deviation, 1).astype(np.float32)


def _arrays(side: nn.ModuleDict, mean: Array, std: Array) -> dict[str, Array]:
    arrays = {"mean": mean, "std": std}
    for name in ("linear", "up", "down"):
        arrays[f"{name}.weight"] = side.get_parameter(f"{name}.weight").detach().numpy().T.copy()
        arrays[f"{name}.bias"] = side.get_parameter(f"{name}.bias").detach().numpy().copy()
    return arrays
