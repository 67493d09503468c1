"""The training recipe of CLIP2Video and CLIP4Clip once more, apart from c2v: torch and float64.

Written from what the papers and their released code do, not from c2v: plain functions over a
dictionary of weights under the names of official checkpoints (``clip.`` for the towers). Only what
is *given* to a training is taken from c2v by the tests: pictures, token ids, first weights where
chance decides them, and which videos stand together in a step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

Weights = dict[str, Tensor]
STEMS = (
    "clip.positional_embedding", "clip.visual.class_embedding", "clip.visual.positional_embedding",
    "clip.visual.conv1.weight", "clip.visual.ln_pre.weight", "clip.visual.ln_pre.bias",
    "clip.token_embedding.weight",
)  # fmt: skip
"""Frozen with ``freeze_layer_num`` 0."""


@dataclass(frozen=True)
class Rules:
    """The recipe; a test that changes one of them must see the weights go elsewhere."""

    head: str = "clip2video"
    strict_differences: bool = True
    rate: float = 1e-4
    coefficient: float = 1e-3
    """coef_lr: the towers learn at rate * coefficient."""
    epochs: int = 5
    warmup: float = 0.1
    decay: float = 0.2
    decay_everything: bool = False
    beta_1: float = 0.9
    beta_2: float = 0.98
    eps: float = 1e-6
    bias_correction: bool = False
    global_norm: float = 1.0
    tensor_norm: float = 1.0
    largest_scale: float = 100.0
    scale_rate: float | None = None
    """The temperature is a weight of CLIP, and learns at its rate."""
    share: float = 0.5
    """Of the global branch."""
    both_directions: bool = True
    fused_loss: bool = False
    frozen: tuple[str, ...] = STEMS


@dataclass(frozen=True)
class Clips:
    """Pictures [M, T, 3, H, W], zero where there is none; real [M, T]; ids [M, L]; words [M, L]."""

    pictures: Tensor
    real: Tensor
    ids: Tensor
    words: Tensor

    def take(self, videos: Sequence[int]) -> Clips:
        rows = torch.tensor(videos)
        return Clips(self.pictures[rows], self.real[rows], self.ids[rows], self.words[rows])


# -- the model -------------------------------------------------------------------------------------


def layer_norm(w: Weights, name: str, x: Tensor, eps: float) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return (
        centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt() * w[f"{name}.weight"]
        + w[f"{name}.bias"]
    )


def transformer(w: Weights, name: str, x: Tensor, added: Tensor | float, eps: float) -> Tensor:
    """Pre-norm residual blocks, heads of 64, QuickGELU: [B, N, W], ``added`` to the logits."""
    width = x.shape[-1]
    blocks = sorted({int(key.split(".")[name.count(".") + 2]) for key in w
                     if key.startswith(f"{name}.resblocks.")})  # fmt: skip
    for number in blocks:
        at = f"{name}.resblocks.{number}"
        y = layer_norm(w, f"{at}.ln_1", x, eps)
        y = y @ w[f"{at}.attn.in_proj_weight"].T + w[f"{at}.attn.in_proj_bias"]
        heads = []
        for head in range(width // 64):
            q, k, v = (y[..., i * width + 64 * head :][..., :64] for i in range(3))
            heads.append(torch.softmax(q @ k.transpose(1, 2) / 8.0 + added, -1) @ v)
        y = torch.cat(heads, -1) @ w[f"{at}.attn.out_proj.weight"].T
        x = x + y + w[f"{at}.attn.out_proj.bias"]
        y = layer_norm(w, f"{at}.ln_2", x, eps)
        y = y @ w[f"{at}.mlp.c_fc.weight"].T + w[f"{at}.mlp.c_fc.bias"]
        y = y * torch.sigmoid(1.702 * y)
        x = x + y @ w[f"{at}.mlp.c_proj.weight"].T + w[f"{at}.mlp.c_proj.bias"]
    return x


def frame_features(w: Weights, pictures: Tensor) -> Tensor:
    """[B, T, 3, H, W] -> [B, T, D]; frames that are no frames too."""
    flat = pictures.flatten(0, 1)
    kernel = w["clip.visual.conv1.weight"]
    x = F.conv2d(flat, kernel, stride=kernel.shape[-1]).flatten(2).transpose(1, 2)
    first = w["clip.visual.class_embedding"].expand(len(flat), 1, -1)
    x = torch.cat([first, x], 1) + w["clip.visual.positional_embedding"]
    x = layer_norm(w, "clip.visual.ln_pre", x, 1e-5)
    x = transformer(w, "clip.visual.transformer", x, 0.0, 1e-5)
    x = layer_norm(w, "clip.visual.ln_post", x[:, 0], 1e-5) @ w["clip.visual.proj"]
    return x.unflatten(0, pictures.shape[:2])


def word_features(w: Weights, ids: Tensor) -> Tensor:
    """[B, L] -> [B, L, D]."""
    length = ids.shape[1]
    later = torch.full((length, length), -math.inf, dtype=torch.float64).triu(1)
    x = w["clip.token_embedding.weight"][ids] + w["clip.positional_embedding"][:length]
    x = transformer(w, "clip.transformer", x, later, 1e-5)
    return layer_norm(w, "clip.ln_final", x, 1e-5) @ w["clip.text_projection"]


def unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True)


def hidden(real: Tensor) -> Tensor:
    """[B, N] -> what is added to the attention logits: keys that are not real are out."""
    return (1.0 - real)[:, None, :] * -1e6


def difference_block(w: Weights, name: str, x: Tensor, real: Tensor, *, strict: bool) -> Tensor:
    """TDB: frames and what changed between them, in turn, through the transformer ``name``."""
    time = x.shape[1]
    positions = w["frame_position_embeddings.weight"]
    types = w["type_position_embeddings.weight"]
    steps = x[:, 1:] - x[:, :-1]
    steps = transformer(
        w, "frame2t_attention", steps + positions[1:time], hidden(real[:, 1:]), 1e-12
    )
    steps = 2.0 * torch.sigmoid(layer_norm(w, "trans_layernorm", steps, 1e-5)) - 1.0
    tokens, masks = [], []
    for t in range(time):
        tokens.append(x[:, t] + positions[t] + types[1])
        masks.append(real[:, t])
        if t + 1 < time:
            tokens.append(steps[:, t] + positions[t] + types[0])
            masks.append(real[:, t] * real[:, t + 1] if strict else real[:, t])
    y = transformer(w, name, torch.stack(tokens, 1), hidden(torch.stack(masks, 1)), 1e-12)
    return y[:, 0::2] + x


def aligned(w: Weights, tokens: Tensor, real: Tensor) -> Tensor:
    """TAB: the residuals from K shared centres, each of unit length, averaged."""
    weight, centre = w["weight_center"], w["emb_center"]
    share = torch.softmax(tokens @ weight.T, -1) * real[..., None]  # [B, N, K]
    rest = [unit((share[..., k, None] * (tokens - centre[k])).sum(1)) for k in range(len(centre))]
    return unit(torch.stack(rest).mean(0))


def lstm(w: Weights, x: Tensor, real: Tensor) -> Tensor:
    """One layer, forward; its gates are i, f, g, o. Zero after the end of a clip."""
    h = c = torch.zeros_like(x[:, 0])
    out = []
    for t in range(x.shape[1]):
        gates = x[:, t] @ w["lstm_visual.weight_ih_l0"].T + w["lstm_visual.bias_ih_l0"]
        gates = gates + h @ w["lstm_visual.weight_hh_l0"].T + w["lstm_visual.bias_hh_l0"]
        i, f, g, o = gates.chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        out.append(h * real[:, t, None])
    return torch.stack(out, 1)


def vectors(w: Weights, clips: Clips, rules: Rules) -> list[tuple[Tensor, Tensor]]:
    """Texts [B, D] and videos [B, D] of unit length, of each branch."""
    x, real = frame_features(w, clips.pictures), clips.real
    words = word_features(w, clips.ids)
    end = clips.ids.argmax(1)
    text = unit(words[torch.arange(len(words)), end])
    if rules.head == "meanP":
        seen = x
    elif rules.head == "seqTransf":
        positions = w["frame_position_embeddings.weight"][: x.shape[1]]
        seen = transformer(w, "transformerClip", x + positions, hidden(real), 1e-12) + x
    elif rules.head == "seqLSTM":
        seen = lstm(w, x, real) + x
    else:
        strict = rules.strict_differences
        seen = difference_block(w, "transformerClip", x, real, strict=strict)
    frames = unit(seen) * real[..., None]
    video = unit(frames.sum(1) / real.sum(1, keepdim=True))
    if rules.head != "clip2video":
        return [(text, video)]
    sparse = difference_block(
        w, "actionClip", x[:, 0::2], real[:, 0::2], strict=rules.strict_differences
    )
    tokens, kept = torch.cat([x, sparse], 1), torch.cat([real, real[:, 0::2]], 1)
    said = clips.words.clone()
    said[:, 0] = 0.0
    return [(text, video), (aligned(w, words, said), aligned(w, tokens, kept))]


def loss_of(w: Weights, clips: Clips, rules: Rules) -> Tensor:
    scale = w["clip.logit_scale"].exp()
    scores = [scale * text @ video.T for text, video in vectors(w, clips, rules)]
    shares = (rules.share, 1.0 - rules.share) if len(scores) == 2 else (1.0,)
    if rules.fused_loss:
        scores = [sum(s * x for s, x in zip(shares, scores, strict=True))]  # type: ignore[misc]
        shares = (1.0,)
    target = torch.arange(len(clips.ids))
    total = torch.zeros((), dtype=torch.float64)
    for share, score in zip(shares, scores, strict=True):
        rows, columns = F.cross_entropy(score, target), F.cross_entropy(score.T, target)
        total = total + share * ((rows + columns) / 2 if rules.both_directions else rows)
    return total


# -- the optimiser ---------------------------------------------------------------------------------


class Adam:
    """BertAdam: no correction of the first steps, decay inside, each tensor's gradient cut."""

    def __init__(self, w: Weights, rules: Rules, *, total_steps: float) -> None:
        self.rules, self.total = rules, total_steps
        self.m = {name: torch.zeros_like(x) for name, x in w.items()}
        self.v = {name: torch.zeros_like(x) for name, x in w.items()}
        self.done = 0

    def share(self) -> float:
        x = self.done / self.total
        if x < self.rules.warmup:
            return x / self.rules.warmup
        return 0.5 * (1.0 + math.cos(math.pi * x))

    def rate(self, name: str) -> float:
        rules = self.rules
        if name == "clip.logit_scale" and rules.scale_rate is not None:
            return rules.scale_rate
        return rules.rate * (rules.coefficient if "clip." in name else 1.0)

    def step(self, w: Weights, gradients: Weights) -> None:
        rules = self.rules
        norm = math.sqrt(sum(float(g.square().sum()) for g in gradients.values()))
        share = self.share()
        for name, gradient in gradients.items():
            g = gradient * min(1.0, rules.global_norm / (norm + 1e-6))
            g = g * min(1.0, rules.tensor_norm / (float(g.norm()) + 1e-6))
            m = self.m[name] = rules.beta_1 * self.m[name] + (1 - rules.beta_1) * g
            v = self.v[name] = rules.beta_2 * self.v[name] + (1 - rules.beta_2) * g * g
            if rules.bias_correction:
                m = m / (1 - rules.beta_1 ** (self.done + 1))
                v = v / (1 - rules.beta_2 ** (self.done + 1))
            update = m / (v.sqrt() + rules.eps)
            if rules.decay_everything or "bias" not in name:
                update = update + rules.decay * w[name]
            w[name] = w[name] - self.rate(name) * share * update
        w["clip.logit_scale"] = w["clip.logit_scale"].clamp(max=math.log(rules.largest_scale))
        self.done += 1


def train(
    first: Weights, clips: Clips, steps: Sequence[Sequence[int]], rules: Rules
) -> tuple[list[float], Weights]:
    """The loss of every step, and the weights after the last one.

    ``steps`` are the videos that stand together in each step of the whole run.
    """
    w = {name: x.to(torch.float64) for name, x in first.items()}
    optimiser = Adam(w, rules, total_steps=len(steps))
    losses = []
    for videos in steps:
        leaves = {
            name: x.detach().clone().requires_grad_(name not in rules.frozen)
            for name, x in w.items()
        }
        loss = loss_of(leaves, clips.take(videos), rules)
        learnt = {name: x for name, x in leaves.items() if x.requires_grad}
        found = torch.autograd.grad(loss, list(learnt.values()), allow_unused=True)
        losses.append(float(loss.detach()))
        pairs = zip(learnt, found, strict=True)
        optimiser.step(w, {name: g for name, g in pairs if g is not None})
    return losses, w


# -- the first weights -----------------------------------------------------------------------------


def first_weights(clip: Weights, rules: Rules, *, chance: Weights, layers: int = 4) -> Weights:
    """CLIP, and new modules that begin as copies of its text tower; ``chance`` has the rest."""
    w = {f"clip.{name}": x for name, x in clip.items()}
    if rules.head == "meanP":
        return w
    w["frame_position_embeddings.weight"] = clip["positional_embedding"]
    copies = {"seqTransf": {"transformerClip": layers}, "seqLSTM": {}}.get(
        rules.head, {"transformerClip": layers, "frame2t_attention": 1, "actionClip": 1}
    )
    for module, count in copies.items():
        for name, x in clip.items():
            if name.startswith("transformer.resblocks."):
                block, rest = name.removeprefix("transformer.resblocks.").split(".", 1)
                if int(block) < count:
                    w[f"{module}.resblocks.{block}.{rest}"] = x
    if rules.head == "seqLSTM":
        w |= {name: x for name, x in chance.items() if name.startswith("lstm_visual.")}
    if rules.head == "clip2video":
        width = clip["positional_embedding"].shape[1]
        w["type_position_embeddings.weight"] = clip["positional_embedding"][:2]
        w["trans_layernorm.weight"], w["trans_layernorm.bias"] = (
            torch.ones(width),
            torch.zeros(width),
        )
        w |= {name: chance[name] for name in ("weight_center", "emb_center")}
    return w


def parts(order: Sequence[int], count: int) -> Iterator[list[int]]:
    """An order of videos cut into ``count`` steps of (nearly) equal size."""
    for part in range(count):
        start, end = part * len(order) // count, (part + 1) * len(order) // count
        yield list(order[start:end])
