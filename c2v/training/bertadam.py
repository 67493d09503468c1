"""BertAdam, the optimiser of CLIP4Clip's recipe: Adam without bias correction, schedule built in.

m <- b1 m + (1 - b1) g
v <- b2 v + (1 - b2) g^2
p <- p - lr f(step / total) (m / (sqrt(v) + eps) + decay p)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch  # noqa: TID253
from torch import Tensor  # noqa: TID253

from c2v.errors import UsageError


def warmup_cosine(progress: float, warmup: float) -> float:
    """f(x) = x / warmup while warming up, then (1 + cos(pi x)) / 2; 0 from the end on.

    The cosine is not moved to start at the end of the warm-up: at x = 0.1 f drops from 1 to 0.976.
    """
    if progress < warmup:
        return progress / warmup
    return 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))


class BertAdam(torch.optim.Optimizer):
    """For parameters in groups; each group may set `lr` and `weight_decay`.

    `total_steps` may be fractional; without it the rate stays at `lr`. Every tensor's gradient is
    cut to norm `max_grad_norm` by itself (0 turns that off), on top of any clipping outside. The
    first step of a warm-up has rate 0.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        *,
        lr: float,
        total_steps: float | None = None,
        warmup: float = 0.1,
        betas: tuple[float, float] = (0.9, 0.98),
        eps: float = 1e-6,
        weight_decay: float = 0.2,
        max_grad_norm: float = 1.0,
    ) -> None:
        if lr < 0 or not 0 <= warmup < 1 or not all(0 <= beta < 1 for beta in betas):
            raise UsageError(f"BertAdam cannot run with lr {lr}, warmup {warmup}, betas {betas}")
        defaults = {
            "lr": lr,
            "total_steps": total_steps,
            "warmup": warmup,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "max_grad_norm": max_grad_norm,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            rate = self._rate(group)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    gradient = _clipped(parameter.grad, group["max_grad_norm"])
                    self._update(parameter, gradient, group, rate)
            group["step"] = group.get("step", 0) + 1
        return loss

    def _rate(self, group: dict[str, Any]) -> float:
        if group["total_steps"] is None:
            return float(group["lr"])
        progress = group.get("step", 0) / group["total_steps"]
        return float(group["lr"] * warmup_cosine(progress, group["warmup"]))

    def _update(
        self, parameter: Tensor, gradient: Tensor, group: dict[str, Any], rate: float
    ) -> None:
        state = self.state[parameter]
        if not state:
            state["next_m"] = torch.zeros_like(parameter)
            state["next_v"] = torch.zeros_like(parameter)
        beta_1, beta_2 = group["betas"]
        m = state["next_m"].mul_(beta_1).add_(gradient, alpha=1 - beta_1)
        v = state["next_v"].mul_(beta_2).addcmul_(gradient, gradient, value=1 - beta_2)
        update = m / (v.sqrt() + group["eps"]) + group["weight_decay"] * parameter
        parameter.add_(update, alpha=-rate)


def _clipped(gradient: Tensor, max_norm: float) -> Tensor:
    """The gradient scaled to a norm of at most `max_norm` (a new tensor); 0 leaves it alone."""
    if max_norm <= 0:
        return gradient
    scale = torch.clamp(max_norm / (torch.linalg.vector_norm(gradient) + 1e-6), max=1.0)
    return gradient * scale
