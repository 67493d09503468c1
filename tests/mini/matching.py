"""The constants that make a confidence of a score, fitted on photos and set on captioned clips.

Slopes come from Flickr8k's dev photos, in galleries of 10 to 640 of them, against captions of
photos that are not there. The offset comes from clips with captions (MSR-VTT's): photos score
higher than films.
"""

from __future__ import annotations

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
from c2v.evaluation.confidence_fit import (
    Logistic,
    as_calibration,
    fit_logistic,
    moved_to_refuse_few,
    signals_of,
)
from c2v.search.sentences import SENTENCES
from tests.mini.flickr import CAPTIONS, random_view, read_picture, read_split

SIZES = (10, 20, 40, 80, 160, 320, 640)
_GALLERIES = 12  # of each size
_QUERIES = 40  # of each gallery, with a match and without one
_VIEWS = 4
_CLIP_CUT = 0.7  # strangers of 43 clips stay below in nine of ten, films' own segments above

Array = NDArray[np.float32]


def calibrate_matching(directory: Path, flickr: Path, clips: Path) -> Calibration:
    """Fit the constants and write them into the ``config.json`` of a bundle.

    Args:
        directory: the bundle.
        flickr: the folder of Flickr8k.
        clips: a folder of clips with ``captions.csv`` (video, caption).
    """
    bundle = load_bundle(directory, device="cpu")
    centre = bundle.embed_text(SENTENCES).mean(0).astype("<f2").astype(np.float32)  # [H]
    fitted = _slopes(bundle, flickr, centre)
    fitted = moved_to_refuse_few(fitted, _clip_signals(directory, clips, centre))
    calibration = as_calibration(
        fitted, centre, fewest=SIZES[0], most=SIZES[-1], clip_cut=_CLIP_CUT
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
    scores = bundle.as_questions(questions) @ vectors.T
    return signals_of(scores.max(1), questions @ centre, np.full(len(questions), len(vectors)))


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
    closeness = load_bundle(directory, device="cpu").embed_text(captions) @ centre
    compared = [answer.explanation.compared for answer in answers if answer.explanation]
    best = np.array([answer[0].score for answer in answers])
    return signals_of(best, closeness, np.array(compared))
