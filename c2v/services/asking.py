"""What is asked, in whatever parts, as one query: words, pictures, clips, results of before."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from c2v.config import cache_dir
from c2v.errors import UsageError
from c2v.search.questions import Part, Weighted, combine
from c2v.services.places import StrPath, expanded_path, several

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle
    from c2v.search.ranking import Query
    from c2v.services.wanted import Wanted
    from c2v.services.workspace import Workspace

_STRETCH = re.compile(r"(.+)@([^@]*)", re.DOTALL)
_WEIGHT = re.compile(r"(.+)\^(\d+(?:\.\d+)?|\.\d+)", re.DOTALL)
_NO_QUESTION = 'c2v search "a dog catching a frisbee"'


def question_of(space: Workspace, bundle: Bundle, text: str | None, wanted: Wanted) -> Query:
    """One question out of a text and the parts of ``wanted``.

    Raises:
        UsageError: nothing was asked for.
        MediaError: a picture or a clip that cannot be read.
        DataError: a result of the last search that there is not.
    """
    first = None if text is None else Weighted.parse(text)
    return _with(space, bundle, first, other_parts(space, bundle, wanted))


def questions_of(
    space: Workspace, bundle: Bundle, texts: Sequence[str], wanted: Wanted
) -> list[Query]:
    """A question for each of some texts, each with all other parts of ``wanted``."""
    others = other_parts(space, bundle, wanted)
    return [_with(space, bundle, Weighted.parse(text), others) for text in texts]


def has_other_parts(wanted: Wanted) -> bool:
    """Whether anything but one text is asked for."""
    return any(wanted.get(name) for name in ("and_", "not_", "image", "video", "like"))


def _with(space: Workspace, bundle: Bundle, first: Weighted | None, others: list[Part]) -> Query:
    parts = others if first is None else [_text_part(bundle, first), *others]
    if not parts:
        raise UsageError("there is no question", hint=_NO_QUESTION)
    label = next((part.query.label for part in parts if part.weight > 0), "")
    return combine(label, parts)


def _text_part(bundle: Bundle, one: Weighted, *, sign: int = 1) -> Part:
    from c2v.search.text_cache import cached_query

    query = cached_query(bundle, one.text, cache_dir() / "queries")
    return Part(query, sign * one.weight)


def other_parts(space: Workspace, bundle: Bundle, wanted: Wanted) -> list[Part]:
    """All of a question but the text that it is asked with."""
    parts: list[tuple[Weighted, int]] = []
    parts += [(Weighted.parse(one, option="--and"), 1) for one in _texts(wanted.get("and_", ()))]
    parts += [(Weighted.parse(one, option="--not"), -1) for one in _texts(wanted.get("not_", ()))]
    # What is looked at comes first: it names the question where there are no words.
    texts = [_text_part(bundle, one, sign=sign) for one, sign in parts]
    return [*_seen(space, bundle, wanted), *texts]


def _texts(texts: Sequence[str] | str) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts)


def _seen(space: Workspace, bundle: Bundle, wanted: Wanted) -> list[Part]:
    """The parts that are looked at, in the order image, video, like."""
    parts: list[Part] = []
    for image in several(wanted.get("image") or ()):
        name, weight = _weighted(image)
        parts.append(
            Part(_of_features(bundle, name, _picture(space, bundle, name)), weight, is_seen=True)
        )
    for video in several(wanted.get("video") or ()):
        name, weight = _weighted(video)
        parts.append(Part(_clip(space, bundle, name), weight, is_seen=True))
    like = wanted.get("like") or ()
    for rank in [like] if isinstance(like, int) else like:
        parts.append(Part(_earlier(space, bundle, rank), is_seen=True))
    return parts


def _weighted(path: StrPath) -> tuple[str, float]:
    """A file's name and its weight: a name that exists as it stands has none."""
    text = os.fspath(path)
    found = _WEIGHT.fullmatch(text)
    if found is None or expanded_path(text).exists():
        return text, 1.0
    weight = float(found[2])
    if weight <= 0:
        raise UsageError(f"{text}: a weight is above 0", hint=f"for example {found[1]}^2")
    return found[1], weight


def _picture(space: Workspace, bundle: Bundle, name: str) -> NDArray[np.float16]:
    """The feature [1, D] of a picture."""
    from c2v.media.picture import FrameShape
    from c2v.media.stills import still

    bundle.check_parts()
    space.notice_once(bundle.slower_because)
    image = bundle.config.image
    pixels = still(expanded_path(name), FrameShape(image.side, image.resize))
    return bundle.encode_frames(pixels[np.newaxis]).astype(np.float16)


def _of_features(bundle: Bundle, label: str, features: NDArray[np.float16]) -> Query:
    from c2v.search.ranking import video_query

    return video_query(label, features, bundle.embed_segments([features])[0])


def _clip(space: Workspace, bundle: Bundle, name: str) -> Query:
    """A file, or ``FILE@FROM-TO`` or ``FILE@TIME`` of it."""
    from c2v.search.ranking import video_query
    from c2v.services.whole_videos import clip_of, moment_of, stretch_of

    path, times = clip_asked(name)
    if times is None:
        clip = clip_of(path, bundle, space.store, notice=space.notice_once)
    elif isinstance(times, tuple):
        clip = stretch_of(path, *times, bundle, space.store, notice=space.notice_once)
    else:
        clip = moment_of(path, times, bundle, space.store, notice=space.notice_once)
    return video_query(name, clip.features, clip.vector)


def clip_asked(name: StrPath) -> tuple[Path, float | tuple[float, float] | None]:
    """Which file is meant, and which moment or part of it in seconds; None for all of it.

    Raises:
        UsageError: what is behind @ is no time, or two of which the second is not later.
    """
    text = os.fspath(name)
    found = _STRETCH.fullmatch(text)
    if found is None or expanded_path(text).exists():
        return expanded_path(text), None
    return expanded_path(found[1]), _times(text, found[2])


def _times(name: str, text: str) -> float | tuple[float, float]:
    """TIME, or FROM and TO, in seconds."""
    from c2v.search.amounts import seconds_of

    first, dash, last = text.partition("-")
    if not dash:
        return seconds_of(first, option=f"{name}:")
    start, end = (seconds_of(one, option=f"{name}:") for one in (first, last))
    if start >= end:
        raise UsageError(f"{name}: it ends before it begins", hint="for example film.mp4@1:30-1:45")
    return start, end


def _earlier(space: Workspace, bundle: Bundle, rank: int) -> Query:
    """A result of the last search: the stored frames of its moment."""
    from c2v.errors import DataError
    from c2v.services.last_answer import recall
    from c2v.services.whole_videos import stored_stretch

    last = recall(space.store, rank)
    features = stored_stretch(space.store, last.video_id, last.start, last.end)
    if features is None:
        raise DataError(
            f"what the library holds of {last.path} cannot be read",
            hint=f"read it again: c2v index {last.path} --rebuild",
        )
    return _of_features(bundle, last.path, features)
