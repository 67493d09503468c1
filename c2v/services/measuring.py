"""Retrieval quality of encoders on a captions file: over a library, or as a paper measures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from c2v.errors import UsageError
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
from c2v.services.captions import odd_rows
from c2v.services.results import Comparison
from c2v.services.telling import Telling

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle
    from c2v.evaluation.captions import Captions
    from c2v.library import Store

OnProgress = Callable[[int, int], None]


class Measuring:
    """One measurement: which captions, and how they are measured.

    Raises:
        DataError: the captions cannot be read.
        UsageError: an unknown split, protocol, normalisation or kind of ties.
    """

    def __init__(
        self,
        data: str,
        *,
        videos: Path | None,
        annotations: Path | None,
        split: str,
        protocol: str,
        normalize: str,
        bank: str | None,
        ties: str,
        telling: Telling,
    ) -> None:
        self.captions = _load(data, split=split, videos=videos, annotations=annotations)
        self.paper = published_protocol(
            protocol, data=data, first_seconds=self.captions.first_seconds
        )
        for sentence in odd_rows(self.captions):
            telling.notice(sentence)
        banked = _bank(bank, data, normalize, videos=videos, annotations=annotations)
        self.measure = Measure.of(normalize=normalize, bank=banked, ties=ties)
        self._telling = telling

    def over_library(self, library: Store, bundles: Sequence[Bundle]) -> Comparison:
        """Rank the videos of the captions as ``library`` holds them."""
        captions = in_library(library, self.captions)
        return self._compared(
            evaluate_library(library, bundle, captions, self.measure) for bundle in bundles
        )

    def over_files(
        self, paper: Protocol, bundles: Sequence[Bundle], on_progress: OnProgress
    ) -> Comparison:
        """Rank the video files themselves, looked at as ``paper`` does; no library is needed."""
        captions = self.captions
        candidates = embed_published(
            bundles,
            captions.videos,
            paper.sampling,
            on_progress=on_progress,
            on_problem=self._telling.problem,
        )
        return self._compared(
            evaluate_candidates(bundle, captions, ranked, self.measure, paper)
            for bundle, ranked in zip(bundles, candidates, strict=True)
        )

    def _compared(self, results: Iterable[Evaluation]) -> Comparison:
        return Comparison(tuple(results), published_rows(self.captions.benchmark))


def _load(data: str, *, split: str, videos: Path | None, annotations: Path | None) -> Captions:
    for known in SPLITS:
        if known == split:
            return load_captions(data, split=known, videos=videos, annotations=annotations)
    raise UsageError(f"--split {split}", hint=f"one of {', '.join(SPLITS)}")


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
    return _load(bank, split="train", videos=videos, annotations=annotations).texts
