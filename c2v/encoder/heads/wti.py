"""Weighted token-frame interaction (DRL, Wang et al. 2022, "Disentangled Representation Learning").

Every word looks for the frame that shows it best, every frame for the word that says it best:

    s(w, f) = cosine of a word's and a frame's feature
    score   = (sum_w a_w max_f s(w, f) + sum_f b_f max_w s(w, f)) / 2

The weights a (of the words of a text) and b (of the frames of a video) are softmaxes of a linear
layer over these features. The paper's frames have been through a transformer as wide as they are;
here it is narrow, because a search does it again for hundreds of segments (`numpy_wti`):

    f_t = unit(u_t + W transformer(N u + P)_t)      u_t: the unit feature of the frame
    w_i = unit(t + C unit(x_i))                     x_i: the feature of a token, t: of the text

W and C are zero at first: then all words are the text, and the head is a mean and a maximum of
what meanP compares. What a tower says of single tokens need not lie in the space of the frames.
The last token stands for the whole text and is t itself.

A model may mix it with what its vectors say, w <t, v> + (1 - w) score, w being `center_weight`:
before the first step of training w is 1, so that it begins as meanP; after it 0, unless a half
does better on the videos that are held back.
"""

from __future__ import annotations

import torch  # noqa: TID253
from torch import Tensor, nn  # noqa: TID253
from torch.nn import functional as F  # noqa: N812, TID253
from torch.utils.checkpoint import checkpoint  # noqa: TID253

from c2v.encoder.heads.base import (
    HeadModule,
    last_token,
    masked_mean,
    positions_for,
    sentence_feature,
    unit,
)
from c2v.encoder.heads.blocks import TemporalTransformer
from c2v.encoder.heads.settings import HeadSettings
from c2v.encoder.heads.tab import words_only

NO_TOKEN = -1.0
"""The weight of what is padding; a real one is never below 0."""
_FARTHEST = -2.0  # below every cosine
_COSINES_AT_ONCE = 1 << 24
_POSITION_STD = 1.0  # as large as what comes of the frames; 0.3 learns the order half as well


class Wti(HeadModule):
    """Parts of a video: its vector [B, D], frames [B, T, D] and their weights [B, T, 1].

    Of a text likewise: its vector, words and their weights. The vectors (unit mean of the frames,
    the feature of the text) propose candidates; `interact` scores them.
    """

    def __init__(self, settings: HeadSettings) -> None:
        super().__init__(settings)
        self.frame_projection = None  # the transformer's way back bends frames, too
        width, narrow = settings.feature_dim, settings.bottleneck
        self.frame_position_embeddings = nn.Embedding(settings.positions, narrow)
        self.narrow = nn.Linear(width, narrow)
        self.transformerClip = TemporalTransformer(narrow, layers=settings.layers)
        self.wide = nn.Linear(narrow, width)
        self.word_change = nn.Linear(width, width, bias=False)
        self.word_weight = nn.Linear(width, 1)
        self.frame_weight = nn.Linear(width, 1)

    def reset(self) -> None:
        """First weights: layers keep the scale of what goes through; W, C and weights are 0."""
        for layer in (m for m in self.modules() if isinstance(m, nn.Linear)):
            nn.init.normal_(layer.weight, std=(3 * layer.in_features) ** -0.5)
        nn.init.normal_(self.narrow.weight, std=self.settings.feature_dim**-0.5)
        nn.init.normal_(self.frame_position_embeddings.weight, std=_POSITION_STD)
        for layer in (self.wide, self.word_change, self.word_weight, self.frame_weight):
            nn.init.zeros_(layer.weight)

    def frames(self, features: Tensor, mask: Tensor) -> Tensor:
        """Unit features after time was looked at: [B, T, D]."""
        own = unit(features)
        positions = positions_for(self.frame_position_embeddings, features.shape[1])
        scale = self.settings.feature_dim**0.5  # of a unit vector's numbers, to about 1
        seen = self.transformerClip(scale * self.narrow(own) + positions, mask)
        return unit(own + self.wide(seen))

    def _video_parts(self, features: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        frames = self.frames(features, mask)
        weights = self._weights(self.frame_weight, frames, mask)
        return unit(masked_mean(frames, mask)), frames, weights

    def _text_parts(self, tokens: Tensor, mask: Tensor, end: Tensor | None) -> tuple[Tensor, ...]:
        where = last_token(mask) if end is None else end
        whole = unit(sentence_feature(tokens, mask, end))
        steps = torch.arange(tokens.shape[1], device=tokens.device)
        is_word = (steps != where[:, None]).unsqueeze(-1).to(tokens.dtype)
        words = unit(whole.unsqueeze(1) + is_word * self.word_change(unit(tokens)))
        return whole, words, self._weights(self.word_weight, words, words_only(mask))

    def _weights(self, layer: nn.Linear, x: Tensor, mask: Tensor) -> Tensor:
        """Softmax over what is real, `NO_TOKEN` elsewhere: [B, L, D], [B, L] -> [B, L, 1]."""
        logits: Tensor = layer(self.settings.feature_dim**0.5 * x)
        real = mask.unsqueeze(-1) > 0
        shares = torch.softmax(torch.where(real, logits, -1e6), dim=1)
        return torch.where(real, shares, NO_TOKEN)

    def video(self, features: Tensor, mask: Tensor) -> Tensor:
        """The vector that proposes a video: [B, T, D], [B, T] -> [B, D]."""
        return self.video_parts(features, mask)[0]

    def text(self, tokens: Tensor, mask: Tensor, *, end: Tensor | None = None) -> Tensor:
        """The vector that asks for candidates: [N, L, D], [N, L] -> [N, D]."""
        return self.text_parts(tokens, mask, end=end)[0]


def interact(words: Tensor, word_weights: Tensor, frames: Tensor, frame_weights: Tensor) -> Tensor:
    """Scores of N texts with S segments: [N, L, D], [N, L, 1], [S, T, D], [S, T, 1] -> [N, S].

    Some texts at a time, whose cosines are computed again for the gradient instead of kept. What
    has nothing real scores -1, like an opposite.
    """
    cosines = max(1, frames.shape[0] * frames.shape[1] * words.shape[1])
    step = max(1, _COSINES_AT_ONCE // cosines)
    rows = []
    for start in range(0, len(words), step):
        part = words[start : start + step], word_weights[start : start + step]
        given = (*part, frames, frame_weights)
        if torch.is_grad_enabled() and len(words) > step:
            rows.append(checkpoint(_interact, *given, use_reentrant=False))
        else:
            rows.append(_interact(*given))
    return torch.cat(rows)


def _interact(words: Tensor, a: Tensor, frames: Tensor, b: Tensor) -> Tensor:
    a, b = a.squeeze(-1), b.squeeze(-1)
    cosines = words.flatten(0, 1) @ frames.flatten(0, 1).T
    cosines = cosines.view(*words.shape[:2], *frames.shape[:2])  # [N, L, S, T]
    no_word, no_frame = (a < 0)[:, :, None, None], b < 0
    of_word = cosines.masked_fill(no_frame, _FARTHEST).amax(dim=3)  # [N, L, S]
    of_frame = cosines.masked_fill(no_word, _FARTHEST).amax(dim=1)  # [N, S, T]
    a, b = a.clamp(min=0.0), b.clamp(min=0.0)
    return (torch.einsum("nls,nl->ns", of_word, a) + torch.einsum("nst,st->ns", of_frame, b)) / 2


def lengthened(parts: tuple[Tensor, ...], length: int) -> tuple[Tensor, ...]:
    """Parts of wti with padding behind their tokens, up to ``length``."""
    vectors, tokens, weights = parts
    more = length - tokens.shape[1]
    if more <= 0:
        return parts
    return (
        vectors,
        F.pad(tokens, (0, 0, 0, more)),
        F.pad(weights, (0, 0, 0, more), value=NO_TOKEN),
    )


def shortened(tokens: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens and weights up to the last one that is real in any row."""
    real = (weights >= 0).flatten(1).any(dim=0).nonzero()
    length = int(real.max()) + 1 if len(real) else 1
    return tokens[:, :length], weights[:, :length]
