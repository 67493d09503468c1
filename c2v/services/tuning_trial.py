"""Which settings help an encoder with captioned videos: hub bias, questions, confidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle_config import (
    Calibration,
    HubConfig,
    QuestionConfig,
    settings_as_json,
)
from c2v.encoder.heads import head_settings
from c2v.encoder.hubs import GAIN, biases
from c2v.encoder.logits import pair_probability
from c2v.encoder.tuned_bundle import Surroundings
from c2v.evaluation.confidence_fit import as_calibration
from c2v.evaluation.confidence_trial import (
    Confidence,
    ConfidenceTrial,
    confidence_of,
    is_better,
)
from c2v.evaluation.trial_questions import Questions, short_questions, with_prefixes
from c2v.evaluation.tuning import (
    Figures,
    Gallery,
    Kind,
    SettingsTrial,
    Way,
    choose,
    deal,
    held_out,
    held_out_biases,
)

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle
    from c2v.search.confidence import Scale

FEWEST_VIDEOS = 5
_FEWEST_FOR_CONFIDENCE = 10
_NEIGHBOURS = 10
_WEIGHTS = (0.25, 0.5)
_ENOUGH_CAPTIONS = 500
"""A bank of fewer has everyday sentences beside them."""
_TEMPLATES = ("", "there is a {} in the picture", "a video of a {}", "a photo of a {}")
_AS_IT_IS, _OFF = "as it is", "off"
_LIKE = 0.9
"""Nine of ten clips are no match with the nearest of the others."""
_TEXTS_AT_ONCE = 256

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class CaptionPairs:
    """Captioned videos as the head of an encoder sees them."""

    vectors: Array
    """[S, H]: their segments."""
    video: NDArray[np.int64]
    """[S]: the number of each segment's video."""
    fold: NDArray[np.int64]
    """[V]."""
    captions: Questions

    @classmethod
    def of(
        cls, vectors: Array, video: NDArray[np.int64], texts: Sequence[Sequence[str]]
    ) -> CaptionPairs:
        """Segments [S, H] with their videos [S], and the captions of each video."""
        owner = np.array([n for n, given in enumerate(texts) for _ in given], np.int64)
        flat = [text for given in texts for text in given]
        questions = Questions.of_own(flat, owner, len(texts))
        return cls(np.ascontiguousarray(vectors), video, deal(len(texts)), questions)

    @property
    def first_captions(self) -> list[str]:
        """One of each video: the bank is to hold no video's words more often than another's."""
        _, first = np.unique(self.captions.owner, return_index=True)
        return [self.captions.texts[place] for place in first]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What the encoder is to be like, and the figures of videos held back."""

    settings: Surroundings
    changed: tuple[str, ...]
    """What of it is another than before: ``hubs``, ``questions``, ``calibration``."""
    folds: int
    before: dict[Kind, Figures]
    after: dict[Kind, Figures]
    confidence: tuple[Confidence, Confidence] | None
    """Before and after; None: not measured."""
    remarks: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """A part of the JSON of ``c2v model tune``."""
        settings = self.settings
        parts = settings_as_json(settings.hubs, settings.questions, settings.calibration)
        return {
            "changed": list(self.changed),
            "folds": self.folds,
            "text_to_video": {
                kind: {"before": self.before[kind].as_dict(), "after": self.after[kind].as_dict()}
                for kind in self.before
            },
            "confidence": self.confidence
            and dict(
                zip(("before", "after"), (one.as_dict() for one in self.confidence), strict=True)
            ),
            **parts,
            "remarks": list(self.remarks),
        }


def try_settings(bundle: Bundle, pairs: CaptionPairs) -> Found:
    """Try all settings on the videos held back, fold by fold; what does not help stays as it is."""
    return _Trying(bundle, pairs).run()


class _Trying:
    """One encoder, its captioned videos, and what is tried with them."""

    def __init__(self, bundle: Bundle, pairs: CaptionPairs) -> None:
        from c2v.search.sentences import SENTENCES

        self.bundle, self.pairs = bundle, pairs
        self.remarks: list[str] = []
        self.gallery = Gallery(pairs.vectors, pairs.video, pairs.fold)
        self.everyday = bundle.embed_text(SENTENCES)
        self.bank_texts = list(pairs.first_captions)
        if len(self.bank_texts) < _ENOUGH_CAPTIONS:
            self.bank_texts += SENTENCES
        own = bundle.config.questions or QuestionConfig(strip=False, short_template="")
        self.start = Way(_AS_IT_IS, own.strip, own.short_template)

    def run(self) -> Found:
        """Choose, measure, and fit what makes confidences of the scores."""
        captions = self.pairs.captions
        questions: dict[Kind, Questions] = {
            "captions": captions,
            "with_prefix": with_prefixes(captions),
            "short": short_questions(captions),
        }
        trial = SettingsTrial(
            self.gallery,
            {kind: asked for kind, asked in questions.items() if len(asked)},
            self._hubs(),
            self._embed,
        )
        way, ranks = self._chosen(trial)
        settings, confidence = self._with_confidence(trial, way)
        return Found(
            settings,
            self._changed(way, settings),
            self.gallery.folds,
            {kind: Figures.of(trial.ranks(kind, self.start)) for kind in trial.questions},
            {kind: Figures.of(found) for kind, found in ranks.items()},
            confidence,
            tuple(self.remarks),
        )

    # -- what is tried ------------------------------------------------------------------------

    def _hubs(self) -> dict[str, Array | None]:
        """Biases [folds, S] by the name of the setting; scores stay where they are on the whole."""
        folds = self.gallery.folds
        if self.bundle.hubs is None:
            tried: dict[str, Array | None] = {_AS_IT_IS: None}
        else:
            own = -self.bundle.hubs.column(self.gallery.vectors) / np.float32(GAIN)
            tried = {_AS_IT_IS: np.repeat(own[None], folds, axis=0), _OFF: None}
        if head_settings(self.bundle.config).reads_words:
            self.remarks.append(
                f"no hub bias was tried: the {self.bundle.config.head.type} head of "
                f"{self.bundle.name} compares single words too, and a bank keeps sentences alone"
            )
            return tried
        firsts = self.bundle.embed_text(self.pairs.first_captions)  # [V, H]
        by_fold = [firsts[self.gallery.fold == fold] for fold in range(folds)]
        few = len(firsts) < _ENOUGH_CAPTIONS
        everyday = self.everyday if few else self.everyday[:0]
        found = held_out_biases(self.gallery, by_fold, everyday, neighbours=_NEIGHBOURS)
        for weight in _WEIGHTS:
            tried[str(weight)] = np.float32(weight) * (found - found.mean())
        return tried

    def _embed(self, texts: Sequence[str], strip: bool, template: str) -> Array:
        from c2v.search.ranking import put_queries

        how = QuestionConfig(strip=strip, short_template=template)
        parts = [texts[n : n + _TEXTS_AT_ONCE] for n in range(0, len(texts), _TEXTS_AT_ONCE)]
        return np.stack([q.vector for part in parts for q in put_queries(self.bundle, part, how)])

    def _chosen(self, trial: SettingsTrial) -> tuple[Way, dict[Kind, NDArray[np.float64]]]:
        """What helps, also with questions that had no say in it; ranks of the videos held back."""
        templates = [one for one in _TEMPLATES if one != self.start.template]
        free: set[Kind] = set(trial.questions)
        while True:
            way = choose(trial, self.start, templates, free)
            ranks = held_out(trial, self.start, templates, free)
            moved: dict[Kind, bool] = {
                "captions": way.hubs != self.start.hubs,
                "with_prefix": way.strip != self.start.strip,
                "short": way.template != self.start.template,
            }
            useful = {
                kind
                for kind in free
                if moved[kind]
                and (1 / ranks[kind]).mean() > (1 / trial.ranks(kind, self.start)).mean()
            }
            if useful == free:
                return way, ranks
            free = useful

    # -- what is made of it -------------------------------------------------------------------

    def _settings(self, way: Way) -> Surroundings:
        """The settings but for the calibration, which is the parent's."""
        config = self.bundle.config
        questions = QuestionConfig(strip=way.strip, short_template=way.template)
        put = questions if way.strip or way.template else None
        hubs, bank = config.hubs, None
        if way.hubs == _OFF:
            hubs = None
        elif way.hubs != _AS_IT_IS:
            weight = float(way.hubs)
            vectors = self.bundle.embed_text(self.bank_texts)
            found = biases(self.gallery.vectors, vectors, neighbours=_NEIGHBOURS)
            hubs = HubConfig(_NEIGHBOURS, weight, round(weight * float(found.mean()), 4))
            bank = np.concatenate(
                [
                    self.bundle.encode_text(self.bank_texts[n : n + _TEXTS_AT_ONCE]).pooled()
                    for n in range(0, len(self.bank_texts), _TEXTS_AT_ONCE)
                ]
            )
        return Surroundings(hubs, bank, put, config.calibration)

    def _changed(self, way: Way, settings: Surroundings) -> tuple[str, ...]:
        config = self.bundle.config
        pairs = {
            "hubs": way.hubs != _AS_IT_IS,
            "questions": (way.strip, way.template) != (self.start.strip, self.start.template),
            "calibration": settings.calibration != config.calibration,
        }
        return tuple(name for name, changed in pairs.items() if changed)

    def _with_confidence(
        self, trial: SettingsTrial, way: Way
    ) -> tuple[Surroundings, tuple[Confidence, Confidence] | None]:
        """The settings with the calibration, and what becomes of questions before and after."""
        from c2v.search.confidence import MATCH

        settings = self._settings(way)
        if len(self.gallery.fold) < _FEWEST_FOR_CONFIDENCE:
            self.remarks.append(
                f"confidence was not looked at: it takes {_FEWEST_FOR_CONFIDENCE} videos"
            )
            return self._without(settings, way), None
        head = head_settings(self.bundle.config)
        if head.interacts:
            self.remarks.append(
                f"confidence was not looked at: the {head.type} head of {self.bundle.name} scores "
                "words with frames, and what was tried are the vectors that propose results"
            )
            return self._without(settings, way), None
        before = self._before(trial)
        fitting, centre = self._fitting(trial, way)
        fitted, after = fitting.fit(), fitting.held_out()
        moved = way.hubs != _AS_IT_IS
        owner = self.pairs.captions.owner
        first = confidence_of(before, bar=MATCH)
        if fitted is None or after is None or not (moved or is_better(before, after, owner)):
            return self._without(settings, way), (first, first)
        calibration = as_calibration(
            fitted,
            centre,
            fewest=max(1, min(fitting.among)),
            most=max(fitting.among),
            clip_cut=self._clip_cut(),
        )
        own = self.bundle.config.calibration
        if own is not None:
            calibration = replace(
                calibration, clip_score=own.clip_score, clip_offset=own.clip_offset
            )
        return replace(settings, calibration=calibration), (first, confidence_of(after, bar=MATCH))

    def _without(self, settings: Surroundings, way: Way) -> Surroundings:
        """The parent's calibration stays with the parent's scores, and only with them."""
        return settings if way.hubs == _AS_IT_IS else replace(settings, calibration=None)

    def _fitting(self, trial: SettingsTrial, way: Way) -> tuple[ConfidenceTrial, Array]:
        """The captions under a setting, and the mean [H] of everyday sentences."""
        centre = self.everyday.mean(axis=0).astype("<f2").astype(np.float32)
        segments = np.bincount(self.gallery.video, minlength=len(self.gallery.fold))
        made = ConfidenceTrial(
            trial.scores("captions", way),
            self.pairs.captions.owner,
            trial.vectors("captions", way) @ centre,
            fold=self.gallery.fold,
            segments=segments,
        )
        return made, centre

    def _before(self, trial: SettingsTrial) -> NDArray[np.float64]:
        """Confidences of the captions with and without a match, as the encoder is: [Q, 2]."""
        best = self._fitting(trial, self.start)[0].best
        scale = self._scale(trial)
        vectors = trial.vectors("captions", self.start)
        columns = ((best.matched, best.matched_among), (best.stray, best.stray_among))
        return np.array(
            [
                [
                    scale(vector, int(among[n])).confidence(float(score[n]))
                    for score, among in columns
                ]
                for n, vector in enumerate(vectors)
            ]
        )

    def _scale(self, trial: SettingsTrial) -> Callable[[Array, int], Scale]:
        """What makes confidences now: the encoder's constants, or those of unrelated sentences."""
        from c2v.search.confidence import Scale, text_scale
        from c2v.search.estimating import unrelated_scale

        calibration: Calibration | None = self.bundle.config.calibration
        if calibration is not None:
            return lambda vector, among: text_scale(calibration, vector, among)
        learnt = pair_probability(self.bundle.directory, self.bundle.config)
        if learnt is not None:
            own = Scale(learnt.scale, learnt.bias or 0.0)
            return lambda _vector, _among: own
        kept = self.bundle.for_library(self.gallery.vectors)
        scores = self.bundle.as_questions(self.everyday) @ kept.T
        estimated = unrelated_scale(scores.max(axis=1))
        return lambda _vector, _among: estimated

    def _clip_cut(self) -> float:
        """The score that nine of ten videos do not reach with the nearest other one."""
        near = self.gallery.vectors @ self.gallery.vectors.T
        near[self.gallery.video[:, None] == self.gallery.video] = -1.0
        best = np.full(len(self.gallery.fold), -1.0, np.float32)
        np.maximum.at(best, self.gallery.video, near.max(axis=1))
        return float(np.quantile(best, _LIKE))
