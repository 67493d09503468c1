"""A head over the stored features of a library, ready to be trained; and its guard."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch  # noqa: TID253
from numpy.typing import NDArray

from c2v.encoder.bundle import Bundle
from c2v.evaluation.stored import embed_texts
from c2v.training.choices import Planned
from c2v.training.guard import Guard, moved_clips
from c2v.training.loop import Material
from c2v.training.material import Gathered
from c2v.training.ragged import Ragged
from c2v.training.start import first_scale
from c2v.training.trainee import Features, HeadTrainee, Trainee
from c2v.training.validation import embed

_THREADS_WITH_SAME_BITS = 2
_VIDEOS_OF_FIRST_SCALE = 512
_CLIPS_OF_GUARD = 512


def stored_trainee(
    bundle: Bundle,
    given: Gathered,
    planned: Planned,
    *,
    device: str,
    on_progress: Callable[[int, int], None],
) -> HeadTrainee:
    """The head with its first weights and temperature; nothing is decoded, captions are read."""
    if device == "cpu":
        torch.set_num_threads(min(torch.get_num_threads(), _THREADS_WITH_SAME_BITS))
    head = planned.first_head(bundle)
    where = torch.device(device)
    rows: list[NDArray[np.float16]] = []
    segments_of: list[list[int]] = []
    for segments in given.stored.segments:
        segments_of.append(list(range(len(rows), len(rows) + len(segments))))
        rows += list(segments)
    tokens = embed_texts(
        bundle,
        given.pairs.texts,
        pooled=not (head.settings.aligned or head.settings.interacts),
        words=head.settings.interacts,
        on_progress=on_progress,
    )
    features = Features(
        tokens=Ragged(tokens, device=where),
        frames=Ragged(rows, device=where),
        segments_of=segments_of,
        noise=planned.recipe.noise,
    )
    trainee = HeadTrainee(head, features, scale=1.0).to(where)
    scale = _scale(bundle, trainee, given.material)
    with torch.no_grad():
        trainee.log_scale.fill_(float(np.log(scale)))
    return trainee


def _scale(bundle: Bundle, trainee: HeadTrainee, material: Material) -> float:
    videos = list(material.train[:_VIDEOS_OF_FIRST_SCALE])
    texts = [material.texts_of[video][0] for video in videos]
    text, segment, place = embed(trainee, texts, videos)
    first = [place.index(number) for number in range(len(videos))]
    return first_scale(
        bundle, trainee.head, text[0].numpy(), segment[0].numpy()[first], np.arange(len(videos))
    )


def guard_of(
    bundle: Bundle, trainee: Trainee, given: Gathered, sentences: Sequence[str], *, seed: int,
    device: str,
) -> Guard:  # fmt: skip
    """What the start knows of ``sentences``, by the clips that are there to learn from."""
    interacts = trainee.settings.interacts
    words = embed_texts(bundle, sentences, pooled=False, words=interacts)
    videos, texts_of = given.material.train[:_CLIPS_OF_GUARD], given.material.texts_of
    captions = [given.pairs.texts[texts_of[video][0]] for video in videos]
    clips = moved_clips(
        np.stack([tokens[-1] for tokens in words]),
        np.concatenate(embed_texts(bundle, captions, pooled=True)),
        [given.stored.segments[video][0] for video in videos],
        seed=seed,
    )
    tokens = words if trainee.settings.aligned or interacts else [tokens[-1:] for tokens in words]
    return Guard(tokens, clips, device=torch.device(device))
