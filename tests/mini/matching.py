"""The constants that make a confidence of a score, fitted on photos and set on captioned clips.

Slopes come from Flickr8k's dev photos, in galleries of 10 to 640 of them, against captions of
photos that are not there. The offset comes from clips with captions (MSR-VTT's): photos score
higher than films.
"""

from __future__ import annotations

import base64
import csv
import dataclasses
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import c2v
from c2v.encoder import load_bundle
from c2v.encoder.bundle import Bundle
from c2v.encoder.bundle_config import CONFIG_NAME, Calibration
from c2v.evaluation.confidence_fit import Logistic, fit_logistic, moved_to_refuse_few
from c2v.search.sentences import SENTENCES
from tests.mini.flickr import CAPTIONS, random_view, read_picture, read_split

SIZES = (10, 20, 40, 80, 160, 320, 640)
_GALLERIES = 12  # of each size
_QUERIES = 40  # of each gallery, with a match and without one
_VIEWS = 4
_TYPICAL = -0.5
"""Of closeness to everyday sentences, beside 1 of the score. Not fitted: captions of one style do
not show that a vague or short sentence scores higher on anything. Chosen among 0, -0.2, -0.5 and -1
by a look at both sets of clips; short questions that have a match are refused no more often."""
_CLIP_CUT = 0.7  # strangers of 43 clips stay below in nine of ten, films' own segments above
_CLIP_SLOPE = 20.0

Array = NDArray[np.float32]


def calibrate_matching(directory: Path, flickr: Path, clips: Path) -> Calibration:
    """Fit the constants and write them into the ``config.json`` of a bundle.

    Args:
        directory: the bundle.
        flickr: the folder of Flickr8k.
        clips: a folder of clips with ``captions.csv`` (video, caption).
    """
    bundle = load_bundle(directory, device="cpu")
    centre = bundle.embed_text(SENTENCES).mean(0).astype("<f2")  # [H]
    fitted = _slopes(bundle, flickr, centre.astype(np.float32))
    fitted = moved_to_refuse_few(fitted, _clip_signals(directory, clips, centre.astype(np.float32)))
    calibration = Calibration(
        score=round(float(fitted.weights[0]), 4),
        typical=round(_TYPICAL * float(fitted.weights[0]), 4),
        size=round(float(fitted.weights[1]), 4),
        offset=round(fitted.offset, 4),
        fewest=SIZES[0],
        most=SIZES[-1],
        clip_score=_CLIP_SLOPE,
        clip_offset=-_CLIP_SLOPE * _CLIP_CUT,
        centre=base64.b64encode(centre.tobytes()).decode(),
    )
    config = dataclasses.replace(bundle.config, calibration=calibration)
    (directory / CONFIG_NAME).write_text(config.to_json(), encoding="utf-8")
    return calibration


def signals(bundle: Bundle, questions: Array, vectors: Array, centre: Array) -> NDArray[np.float64]:
    """Top score less closeness to everyday sentences, and log of the gallery: [Q, 2].

    Args:
        bundle: the encoder.
        questions: [Q, H] of unit length.
        vectors: [S, V], all that is in the gallery as a library keeps it.
        centre: [H], the mean of everyday sentences.
    """
    size = np.full(len(questions), np.log(len(vectors)))
    scores = bundle.as_questions(questions) @ vectors.T
    top = scores.max(1) + _TYPICAL * (questions @ centre)
    return np.stack([top, size], axis=1)


def _slopes(bundle: Bundle, flickr: Path, centre: Array) -> Logistic:
    random = np.random.default_rng(0)
    photos = read_split(flickr, "dev")
    vectors = _pan_vectors(bundle, photos.paths, random)  # [N, V]
    texts = bundle.embed_text(photos.texts())  # [N * 5, V]
    rows, matched = [], []
    for size in SIZES:
        for _ in range(_GALLERIES):
            order = random.permutation(len(vectors))
            inside, outside = order[:size], order[size : size + _QUERIES]
            for photo, has_match in ((inside[:_QUERIES], True), (outside, False)):
                caption = photo * CAPTIONS + random.integers(0, CAPTIONS, len(photo))
                rows.append(signals(bundle, texts[caption], vectors[inside], centre))
                matched.append(np.full(len(photo), has_match))
    return fit_logistic(np.concatenate(rows), np.concatenate(matched))


def _pan_vectors(bundle: Bundle, paths: tuple[Path, ...], random: np.random.Generator) -> Array:
    """Each photo as a short film over parts of it, as a library keeps it: [N, V]."""
    found = []
    for path in paths:
        picture = read_picture(path)
        views = np.stack([picture, *(random_view(picture, random) for _ in range(_VIEWS))])
        found.append(bundle.embed_segments([bundle.encode_frames(views)])[0])
    return bundle.for_library(np.stack(found))


def _clip_signals(directory: Path, clips: Path, centre: Array) -> NDArray[np.float64]:
    """The signals of the clips' captions, asked of a library of the clips."""
    with (clips / "captions.csv").open(encoding="utf-8", newline="") as file:
        captions = [row["caption"] for row in csv.DictReader(file)]
    with tempfile.TemporaryDirectory() as scratch:
        library = Path(scratch) / "library"
        with c2v.open(library, model=str(directory)) as videos:
            videos.index([clips])
            answers = videos.search_many(captions, top=1)
    typical = load_bundle(directory, device="cpu").embed_text(captions) @ centre
    top = [answer[0].score + _TYPICAL * near for answer, near in zip(answers, typical, strict=True)]
    compared = [answer.explanation.compared for answer in answers if answer.explanation]
    return np.stack([top, np.log(compared)], axis=1)
