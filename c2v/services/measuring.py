"""Retrieval quality of encoders on a captions file: over a library, or as a paper measures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from c2v.errors import DataError, UsageError
from c2v.evaluation.datasets import BENCHMARKS, SPLITS, load_captions
from c2v.evaluation.library_names import in_library
from c2v.evaluation.published import published_rows
from c2v.evaluation.published_videos import Protocol, embed_published, published_protocol
from c2v.evaluation.retrieval import (
    Evaluation,
    Measure,
    evaluate_candidates,
    evaluate_library,
)
from c2v.nearest import one_of
from c2v.services.keywords import check_keywords
from c2v.services.odd_captions import odd_rows
from c2v.services.reports import Comparison
from c2v.services.telling import Telling
from c2v.services.workspace import Workspace

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle
    from c2v.evaluation.captions import Captions
    from c2v.library import Store

OnProgress = Callable[[int, int], None]


class EvaluateArguments(TypedDict, total=False):
    """What is measured, and how; all of it may be left out."""

    videos: Path | None
    """The folder of the videos; None is beside the file, else in the library."""
    annotations: Path | None
    """The folder of a benchmark's own files; None is ``videos``."""
    split: str
    """``train``, ``val`` or ``test`` of a benchmark; ``test``."""
    models: Sequence[str]
    """Encoders, set side by side; none is the library's own."""
    protocol: str
    """``library`` ranks its videos; ``clip4clip`` and ``clip2video`` read the files as those
    papers do."""
    normalize: str
    """``none``, ``dual-softmax`` or ``qb-norm``."""
    bank: str | None
    """Training captions for ``qb-norm``; None is those of the benchmark."""
    ties: str
    """``optimistic``, ``average``, ``pessimistic`` or ``legacy``."""
    on_progress: OnProgress | None
    """With a paper's protocol, told how many videos of how many are read."""


def measure(space: Workspace, data: str, how: EvaluateArguments) -> Comparison:
    """Measure encoders on the captions ``data``: over the library, or as a paper does.

    Raises:
        DataError: the captions cannot be read, or not one of their videos can be ranked.
        UsageError: an unknown split, protocol, normalisation or kind of ties.
    """
    check_keywords(how, EvaluateArguments, of="evaluate")
    measuring = _Measuring(data, how, space.telling)
    models = tuple(how.get("models", ()))
    if measuring.paper is None:
        space.encoder()  # what is wrong with the library is said first
        return measuring.over_library(space.store, space.encoders_named(models))
    on_progress = how.get("on_progress") or (lambda _done, _total: None)
    bundles = space.encoders_named(models)
    store = space.store if measuring.captions.names and space.exists else None
    return measuring.over_files(measuring.paper, bundles, store, on_progress)


class _Measuring:
    """One measurement: which captions, and how they are measured."""

    def __init__(self, data: str, how: EvaluateArguments, telling: Telling) -> None:
        videos, annotations = how.get("videos"), how.get("annotations")
        normalize = how.get("normalize", "none")
        self.captions = _load(
            data, split=how.get("split", "test"), videos=videos, annotations=annotations
        )
        self.paper = published_protocol(
            how.get("protocol", "library"), data=data, first_seconds=self.captions.first_seconds
        )
        for sentence in odd_rows(self.captions):
            telling.notice(sentence)
        banked = _bank(how.get("bank"), data, normalize, videos=videos, annotations=annotations)
        self.measure = Measure.of(
            normalize=normalize, bank=banked, ties=how.get("ties", "optimistic")
        )
        self._telling = telling

    def over_library(self, library: Store, bundles: Sequence[Bundle]) -> Comparison:
        """Rank the videos of the captions as ``library`` holds them."""
        captions = in_library(library, self.captions)
        return self._compared(
            evaluate_library(library, bundle, captions, self.measure) for bundle in bundles
        )

    def over_files(
        self,
        paper: Protocol,
        bundles: Sequence[Bundle],
        library: Store | None,
        on_progress: OnProgress,
    ) -> Comparison:
        """Rank the video files themselves, looked at as ``paper`` does.

        No library is needed; where there is one it says where a video is that is not beside the
        captions.
        """
        captions = in_library(library, self.captions) if library else self.captions
        candidates = embed_published(
            bundles,
            captions.videos,
            paper.sampling,
            on_progress=on_progress,
            on_problem=self._telling.problem,
        )
        return self._compared(
            evaluate_candidates(
                bundle, captions, ranked.explained(captions.unclear), self.measure, paper
            )
            for bundle, ranked in zip(bundles, candidates, strict=True)
        )

    def _compared(self, results: Iterable[Evaluation]) -> Comparison:
        return Comparison(tuple(results), published_rows(self.captions.benchmark))


def _load(data: str, *, split: str, videos: Path | None, annotations: Path | None) -> Captions:
    for known in SPLITS:
        if known == split:
            return load_captions(data, split=known, videos=videos, annotations=annotations)
    raise UsageError(f"--split {split}: no such part", hint=one_of(split, SPLITS))


def _bank(
    bank: str | None, data: str, normalize: str, *, videos: Path | None, annotations: Path | None
) -> tuple[str, ...]:
    """The captions of ``bank``; with qb-norm on a benchmark its training captions."""
    if normalize != "qb-norm":
        return ()
    if bank is None:
        if data.lower() not in BENCHMARKS:
            return ()
        bank = data
    if bank.lower() not in BENCHMARKS:  # a file of one's own has neither
        videos = annotations = None
    try:
        return _load(bank, split="train", videos=videos, annotations=annotations).texts
    except DataError as error:
        raise DataError(error.message.replace("--data", "--bank", 1), hint=error.hint) from error
