"""Retrieval quality of encoders on a captions file, over a library or as a paper measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle import Bundle
from c2v.encoder.logits import read_logits
from c2v.errors import DataError, UsageError
from c2v.evaluation.captions import Captions
from c2v.evaluation.intervals import recall_intervals
from c2v.evaluation.metrics import RetrievalMetrics, retrieval_metrics
from c2v.evaluation.normalisation import NORMALISATIONS, Normalisation, dual_softmax, qb_norm
from c2v.evaluation.published_videos import Candidates, Protocol, ProtocolName
from c2v.evaluation.ranks import Ties, checked, text_ranks, video_ranks, video_ranks_by_caption
from c2v.evaluation.similarity import interaction_matrix, similarity_matrix
from c2v.evaluation.stored import (
    Missing,
    by_length,
    find_videos,
    read_features,
)
from c2v.evaluation.windows import cut_by_shots
from c2v.library import Store
from c2v.library.refusals import check_towers, model_of
from c2v.nearest import one_of

CLIP_SCALE = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What everything else is computed from: texts x videos, and who belongs to whom."""

    text_to_video: NDArray[np.floating[Any]]
    """[texts, videos]; only its order within rows has a meaning when it is normalised."""
    video_to_text: NDArray[np.floating[Any]]
    owner: NDArray[np.int64]
    texts: tuple[str, ...]
    paths: tuple[str, ...]

    def ranks(self) -> NDArray[np.float64]:
        """Of each text's own video, from 1: [texts]."""
        scores, owner = checked(self.text_to_video, self.owner)
        return text_ranks(scores, owner)

    @property
    def tied(self) -> int:
        """Texts for which another video scores exactly as high as their own."""
        own = self.text_to_video[np.arange(len(self.owner)), self.owner]
        return int(((self.text_to_video == own[:, None]).sum(axis=1) > 1).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """R@K in per cent, median and mean rank, in both directions, with 95 % intervals."""

    model: str
    metrics: RetrievalMetrics
    texts: int
    videos: int
    missing: tuple[Missing, ...]
    normalize: Normalisation
    protocol: ProtocolName
    """Whose frames were ranked: the library's, or those a paper takes."""
    ties: Ties
    intervals: dict[str, dict[str, tuple[float, float]]]
    scores: Scores

    @property
    def skipped(self) -> tuple[str, ...]:
        """Paths that the captions file names and that could not be ranked."""
        return tuple(missing.path for missing in self.missing)

    @property
    def several_captions(self) -> bool:
        """Whether some video has more than one caption, so that conventions differ."""
        return self.texts > len(np.unique(self.scores.owner))

    def as_dict(self) -> dict[str, Any]:
        """What ``--format json`` prints."""
        return {
            **self.metrics.as_dict(),
            "texts": self.texts,
            "videos": self.videos,
            "skipped": list(self.skipped),
            "skipped_because": {missing.path: missing.reason for missing in self.missing},
            "model": self.model,
            "protocol": self.protocol,
            "normalize": self.normalize,
            "ties": self.ties,
            "tied_texts": self.scores.tied,
            "intervals_95": {
                direction: {name: list(bounds) for name, bounds in found.items()}
                for direction, found in self.intervals.items()
            },
        }


@dataclass(frozen=True, slots=True)
class Measure:
    """How scores become figures.

    ``normalize`` corrects for hubs; ``bank`` are the training captions that ``qb-norm`` needs.
    ``ties`` says what an equal score counts as (see :mod:`c2v.evaluation.ranks`).
    """

    normalize: Normalisation = "none"
    bank: tuple[str, ...] = ()
    ties: Ties = "optimistic"

    @classmethod
    def of(
        cls,
        *,
        normalize: str = "none",
        bank: Sequence[str] = (),
        ties: str = "optimistic",
    ) -> Measure:
        """From words a user typed.

        Raises:
            UsageError: an unknown normalisation or kind of ties, or ``qb-norm`` without a bank.
        """
        if normalize == "qb-norm" and not bank:
            raise UsageError(
                "--normalize qb-norm needs captions to compare with",
                hint="--bank FILE, the captions of the training videos",
            )
        if normalize not in NORMALISATIONS:
            raise UsageError(
                f"--normalize {normalize}: no such correction",
                hint=one_of(normalize, NORMALISATIONS),
            )
        if ties not in get_args(Ties):
            raise UsageError(
                f"--ties {ties}: no such way to count", hint=one_of(ties, get_args(Ties))
            )
        return cls(normalize, tuple(bank), ties)  # type: ignore[arg-type]


def evaluate_library(
    library: Store,
    bundle: Bundle,
    captions: Captions,
    measure: Measure | None = None,
) -> Evaluation:
    """Rank the videos of the file for each caption, and its captions for each video.

    Only the videos that the file names take part, each once. Where ``bundle`` is not the model
    that filled the library but has the same towers, vectors are computed from the stored frame
    features; the library is not changed.

    Args:
        library: holds the videos.
        bundle: the encoder to measure.
        captions: sentences and videos.
        measure: corrections and ties, none and optimistic if not given.

    Raises:
        DataError: none of the videos is in the library.
        LibraryError: the library's features are of other towers.
    """
    found, missing = find_videos(library, captions)
    if not found:
        raise DataError(
            f"--data {captions.file}: none of its videos is in the library {library.address} "
            f"({missing[0].path}: {missing[0].reason})",
            hint="check the paths, and --videos DIR for where the videos are; then c2v index DIR",
        )
    limit = captions.first_seconds
    if bundle.interacts:
        candidates = _with_frames(library, bundle, found, missing, first_seconds=limit)
    else:
        vectors, column = video_vectors(library, bundle, found, first_seconds=limit)
        candidates = Candidates(tuple(found), vectors, column, missing)
    return evaluate_candidates(bundle, captions, candidates, measure or Measure())


def evaluate_candidates(
    bundle: Bundle,
    captions: Captions,
    candidates: Candidates,
    measure: Measure,
    protocol: Protocol | None = None,
) -> Evaluation:
    """Rank videos that are embedded already; ``protocol`` is the paper's by which they are.

    Raises:
        DataError: there is not one.
    """
    if not candidates.paths:
        first = candidates.missing[0]
        raise DataError(
            f"--data {captions.file}: not one of its videos can be ranked "
            f"({first.path}: {first.reason})",
            hint="check the paths, and --videos DIR for where the videos are",
        )
    position = {path: number for number, path in enumerate(candidates.paths)}
    pairs = [
        (text, position[path])
        for path, text in zip(captions.paths, captions.texts, strict=True)
        if path in position
    ]
    texts = [text for text, _ in pairs]
    owner = np.asarray([video for _, video in pairs], np.int64)
    most_tokens = protocol.most_tokens if protocol else None

    def similarity_to(sentences: Sequence[str]) -> NDArray[np.float32]:
        if candidates.frames:
            return interaction_matrix(bundle, sentences, candidates, most_tokens=most_tokens)
        asked = text_vectors(bundle, sentences, most_tokens=most_tokens)
        return similarity_matrix(
            asked, candidates.vectors, candidates.column, len(candidates.paths)
        )

    similarity = similarity_to(texts)
    to_video, to_text = similarity, similarity
    if measure.normalize == "dual-softmax":
        to_video, to_text = dual_softmax(similarity, scale=score_scale(bundle))
    elif measure.normalize == "qb-norm":
        to_video = qb_norm(similarity, similarity_to(measure.bank))
    scores = Scores(to_video, to_text, owner, tuple(texts), candidates.paths)
    return Evaluation(
        model=bundle.name,
        metrics=_metrics(scores, measure.ties),
        texts=len(texts),
        videos=len(candidates.paths),
        missing=candidates.missing,
        normalize=measure.normalize,
        protocol=protocol.name if protocol else "library",
        ties=measure.ties,
        intervals=_intervals(scores, measure.ties),
        scores=scores,
    )


def _metrics(scores: Scores, ties: Ties) -> RetrievalMetrics:
    """Both directions, each from its own matrix."""
    first = retrieval_metrics(scores.text_to_video, scores.owner, ties=ties)
    if scores.video_to_text is scores.text_to_video:
        return first
    second = retrieval_metrics(scores.video_to_text, scores.owner, ties=ties)
    return RetrievalMetrics(
        text_to_video=first.text_to_video,
        video_to_text=second.video_to_text,
        video_to_text_by_caption=second.video_to_text_by_caption,
        texts=first.texts,
        videos=first.videos,
    )


def _intervals(scores: Scores, ties: Ties) -> dict[str, dict[str, tuple[float, float]]]:
    """Over videos. The released code's ties make more ranks than queries: optimistic ones then."""
    ties = "optimistic" if ties == "legacy" else ties
    to_video, owner = checked(scores.text_to_video, scores.owner)
    to_text, _ = checked(scores.video_to_text, owner)
    asked = np.unique(owner)
    by_caption = video_ranks_by_caption(to_text, owner, ties=ties)
    return {
        "text_to_video": recall_intervals(text_ranks(to_video, owner, ties=ties), owner),
        "video_to_text": recall_intervals(video_ranks(to_text, owner, ties=ties), asked),
        "video_to_text_by_caption": recall_intervals(by_caption, asked),
    }


def text_vectors(
    bundle: Bundle, texts: Sequence[str], *, most_tokens: int | None = None
) -> NDArray[np.float32]:
    """N texts as a library is asked, [N, V], computed with texts of like length together."""
    order = by_length(texts)
    vectors = np.empty((len(texts), bundle.head_dim), np.float32)
    vectors[order] = bundle.embed_text([texts[place] for place in order], most_tokens=most_tokens)
    return bundle.as_questions(vectors)


def video_vectors(
    library: Store, bundle: Bundle, ids: dict[str, int], *, first_seconds: float | None = None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Segments of these videos as a library keeps them, [S, V], and the number of each one's video.

    Of videos that are cut by shots, those of their windows, from the stored features.

    Raises:
        LibraryError: the library's features are of other towers than ``bundle``'s.
    """
    record = model_of(library)
    if record.fingerprint == bundle.fingerprint and first_seconds is None:
        segments = library.segments_of(list(ids.values()))
        by_shots = cut_by_shots(library, segments)
        cut = read_features(library, {path: v for path, v in ids.items() if v in by_shots})
        windows = {
            video: bundle.for_library(bundle.embed_segments(segments))
            for video, segments in zip(cut.ids, cut.segments, strict=True)
        }
        whole = [v for v in ids.values() if v not in by_shots]
        stored = library.vectors([row.segment_id for v in whole for row in segments[v]])
        parts = [
            windows[v]
            if v in by_shots
            else np.stack([stored[row.segment_id] for row in segments[v]])
            for v in ids.values()
        ]
        column = [n for n, part in enumerate(parts) for _ in part]
        return np.concatenate(parts), np.asarray(column, np.int64)
    check_towers(library, bundle.name, bundle.towers_fingerprint)
    found = read_features(library, ids, first_seconds=first_seconds)
    features = [part for segments in found.segments for part in segments]
    column = [n for n, segments in enumerate(found.segments) for _ in segments]
    vectors = bundle.for_library(bundle.embed_segments(features))
    return vectors, np.asarray(column, np.int64)


def _with_frames(
    library: Store,
    bundle: Bundle,
    ids: dict[str, int],
    missing: tuple[Missing, ...],
    *,
    first_seconds: float | None,
) -> Candidates:
    """These videos with the stored features of their frames."""
    check_towers(library, bundle.name, bundle.towers_fingerprint)
    found = read_features(library, ids, first_seconds=first_seconds)
    frames = tuple(part for segments in found.segments for part in segments)
    column = [n for n, segments in enumerate(found.segments) for _ in segments]
    vectors = bundle.for_library(bundle.embed_segments(frames))
    return Candidates(tuple(ids), vectors, np.asarray(column, np.int64), missing, frames)


def score_scale(bundle: Bundle) -> float:
    """exp(logit_scale) of an encoder, CLIP's 100 where it does not say."""
    logits = read_logits(bundle.directory, bundle.config)
    return CLIP_SCALE if logits is None else logits.scale
