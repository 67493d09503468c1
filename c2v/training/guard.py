"""What the start knew, kept: everyday sentences, and clips that show them.

Pairs of the start's own kind are not at hand where a head is trained: neither the photographs it
learnt from nor their captions are in an installed package. They are made of what is there. The
towers put texts and frames into one space, so a clip k with the caption c becomes a clip of the
everyday sentence s by the difference of the two texts:

    f' = f_k + m |f| / |t| (t_s - t_c)

It keeps what a clip has beyond its caption (noise, movement, the gap between pictures and words).
m is chosen such that the start finds four fifths of the sentences' clips first: hard enough that
what is lost shows, and easy enough that learning from the clips at hand does not make up for it.
(With half of them, weights that had forgotten real clips still found as many of these.)

They are ranked like the videos held back, and weights that rank them worse than the start did are
not chosen. Learning them beside the pairs was tried and brought nothing that choosing does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch  # noqa: TID253
from numpy.typing import NDArray
from torch import Tensor  # noqa: TID253

from c2v.encoder.heads.base import HeadModule
from c2v.encoder.padding import pad
from c2v.training.objective import branches
from c2v.training.trainee import Trainee
from c2v.training.validation import Scored

FOUND_FIRST = 0.8
"""How much of the sentences' clips the start is to find first."""
_FARTHEST_MOVE, _HALVINGS = 2.0, 9
_AT_ONCE = 64


class Guard:
    """N sentences and N clips that show them.

    Args:
        tokens: token features of the sentences, [L_i, D].
        clips: frame features of the clips, [T_i, D].
    """

    def __init__(
        self,
        tokens: Sequence[NDArray[Any]],
        clips: Sequence[NDArray[Any]],
        *,
        device: torch.device,
    ) -> None:
        self._texts = [torch.from_numpy(x).to(device) for x in pad(tokens)]
        self._clips = [torch.from_numpy(x).to(device) for x in pad(clips)]

    def __len__(self) -> int:
        return len(self._texts[0])

    def view(self, trainee: Trainee) -> Scored:
        """All sentences with all clips, as the weights of the trainee have it."""
        head = trainee.module.get_submodule("head")
        assert isinstance(head, HeadModule)
        head.eval()
        texts: list[tuple[Tensor, ...]] = []
        videos: list[tuple[Tensor, ...]] = []
        with torch.inference_mode():
            for start in range(0, len(self), _AT_ONCE):
                part = slice(start, start + _AT_ONCE)
                tokens, words = (x[part] for x in self._texts)
                clips, frames = (x[part] for x in self._clips)
                texts.append(head.text_parts(tokens, words.to(tokens.dtype)))
                videos.append(head.video_parts(clips, frames.to(clips.dtype)))
        head.train()
        text, video = ([torch.cat(x) for x in zip(*side, strict=True)] for side in (texts, videos))
        found = [similarity.float().cpu() for similarity in branches(text, video)]
        return Scored(found, torch.arange(len(self)), len(self))


def moved_clips(
    sentences: NDArray[np.float32],
    captions: NDArray[np.float32],
    clips: Sequence[NDArray[Any]],
    *,
    seed: int,
) -> list[NDArray[np.float32]]:
    """A clip for each sentence, made of one that is at hand: N arrays [T_i, D].

    Args:
        sentences: features of the sentences, [N, D].
        captions: a caption's feature of each clip, [M, D].
        clips: frame features of the clips, M arrays [T_i, D].
        seed: of the clip that each sentence gets.
    """
    which = np.random.default_rng(seed).integers(0, len(clips), len(sentences))
    frames = [np.asarray(clip, np.float32) for clip in clips]
    size = np.mean([np.linalg.norm(f, axis=1).mean() for f in frames])
    size /= np.linalg.norm(captions, axis=1).mean()
    steps = size * (sentences - captions[which])

    def moved(by: float) -> list[NDArray[np.float32]]:
        pairs = zip(which, steps, strict=True)
        return [np.asarray(frames[clip] + by * step, np.float32) for clip, step in pairs]

    low, high = 0.0, _FARTHEST_MOVE
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _found_first(sentences, moved(middle)) < FOUND_FIRST:
            low = middle
        else:
            high = middle
    return moved(high)


def _found_first(sentences: NDArray[np.float32], clips: Sequence[NDArray[np.float32]]) -> float:
    """The share of sentences whose clip is first by the mean of its frames."""
    means = _unit(np.stack([_unit(clip).mean(axis=0) for clip in clips]))
    similarity = _unit(sentences) @ means.T
    return float((similarity.argmax(axis=1) == np.arange(len(sentences))).mean())


def _unit(x: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)
    return np.asarray(x / norms, np.float32)
