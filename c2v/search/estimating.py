"""The scale of confidence for an encoder that brings no constants, out of the library, unlabelled.

Some everyday sentences are asked; most of them have nothing to do with what the library shows, so
the middle and the lower part of their best scores say what an unrelated sentence reaches here. For
clips the same is asked of the segments that those sentences found. What came out is kept in the
cache, for an encoder, a library and the order of its size.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle import Bundle
from c2v.files.writing import write_file
from c2v.library import Store
from c2v.search.confidence import Scale

_EVERY = 4
"""Of the sentences this is asked: enough for a median, and the text tower takes a while."""
_CUT = 0.25
"""Where a match begins: so many spreads above the median of unrelated sentences."""
_STEEPNESS = 2.0
_LEAST_SPREAD = 1e-3
BestScores = Callable[[Sequence[str]], NDArray[np.float32]]
"""The best score of each of some texts, [Q]."""


def estimated_scale(
    library: Store,
    bundle: Bundle,
    *,
    among: int,
    pictures: bool,
    folder: Path,
    best_of: BestScores | None = None,
) -> Scale:
    """The scale for questions in words, or for ``pictures``; ``among``: segments compared.

    ``best_of`` is given where the scores of words are not inner products with vectors.
    """
    key = "\0".join((bundle.fingerprint, library.address, str(among.bit_length())))
    path = folder / (hashlib.blake2b(key.encode(), digest_size=20).hexdigest() + ".json")
    with suppress(OSError, ValueError, TypeError, KeyError):  # not there, or not what was written
        kept = json.loads(path.read_bytes())["clip" if pictures else "text"]
        return Scale(float(kept[0]), float(kept[1]))
    text, clip = _estimate(library, bundle, best_of)
    content = {"text": [text.slope, text.offset], "clip": [clip.slope, clip.offset]}
    with suppress(OSError):  # no room, or a folder that cannot be written: estimated again
        write_file(path, json.dumps(content).encode(), durable=False)
    return clip if pictures else text


def _estimate(library: Store, bundle: Bundle, best_of: BestScores | None) -> tuple[Scale, Scale]:
    """The scales of words and of pictures."""
    from c2v.search.sentences import SENTENCES

    questions = bundle.as_questions(bundle.embed_text(SENTENCES[::_EVERY]))  # [Q, V]
    found = library.nearest(questions, 1)
    if not found.scores.size:
        return Scale(0.0, 0.0), Scale(0.0, 0.0)
    ids = sorted(set(found.segment_ids[:, 0].tolist()))
    videos = {key: row.video_id for key, row in library.segment_rows(ids).items()}
    vectors = {key: bundle.from_library(one) for key, one in library.vectors(ids).items()}  # [H]
    each: dict[int, NDArray[np.float32]] = {videos[key]: vectors[key] for key in ids}
    best = found.scores[:, 0] if best_of is None else best_of(SENTENCES[::_EVERY])
    words = unrelated_scale(best)
    if len(each) < 2:
        return words, Scale(20.0, -14.0)
    stacked = np.stack(list(each.values()))
    between = (stacked @ stacked.T)[np.triu_indices(len(stacked), 1)]
    return words, _halfway(between)


def unrelated_scale(unrelated: NDArray[np.float32]) -> Scale:
    """The scale of words, of the best scores [Q] of sentences that mean nothing of it."""
    middle, low = np.quantile(unrelated, [0.5, 0.16])
    spread = max(float(middle - low), _LEAST_SPREAD)
    slope = _STEEPNESS / spread
    return Scale(slope, -slope * (float(middle) + _CUT * spread))


def _halfway(strangers: NDArray[np.float32]) -> Scale:
    """A match begins half way between the middle of strangers and the same picture."""
    middle = float(np.median(strangers))
    slope = 8.0 / max(1.0 - middle, _LEAST_SPREAD)
    return Scale(slope, -slope * (1.0 + middle) / 2)
