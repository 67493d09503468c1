"""Settings around an encoder's weights, tried on somebody's own captioned videos and kept."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from c2v.errors import DataError, ModelError
from c2v.services.captioned import index_missing, is_filled
from c2v.services.keywords import check_keywords
from c2v.services.odd_captions import odd_rows
from c2v.services.tuned import Tuned
from c2v.services.tuning_trial import FEWEST_VIDEOS, CaptionPairs, Found, try_settings
from c2v.services.workspace import Workspace

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle
    from c2v.encoder.catalogue import Fetch
    from c2v.evaluation.captions import Captions
    from c2v.evaluation.stored import Missing
    from c2v.indexing.report import IndexProgress
    from c2v.library import Store

RECORD_NAME = "tuning.json"
_MOST_VIDEOS = 1000
_MOST_CAPTIONS = 2000


class TuneArguments(TypedDict, total=False):
    """What is tuned on, and what comes of it; all of it may be left out."""

    videos: Path | None
    """The folder of the videos; None is beside the file, else in the library."""
    called: str | None
    """The name of the new encoder; None is that of the old one with ``-tuned``."""
    overwrite: bool
    """Replace an encoder of that name."""
    keep: bool
    """Write it also where nothing helped."""
    indexing: Callable[[], AbstractContextManager[IndexProgress]] | None
    """Shows how far videos are that are indexed first."""
    fetch: Fetch | None
    """Gets a model for the videos that are indexed first; None fetches nothing."""
    stop: threading.Event | None
    """Setting it ends the indexing."""


def tune(space: Workspace, name: str, data: str, how: TuneArguments) -> Tuned:
    """Try what helps the encoder ``name`` on the captions ``data``, and write what does.

    Raises:
        DataError: the captions cannot be used, or are of too few videos.
        LibraryError: the library's features are of other towers.
        ModelError: there is no such encoder, or one of the new name.
        KeyboardInterrupt: ``stop`` was set while videos were indexed.
    """
    from c2v.evaluation.datasets import load_captions

    check_keywords(how, TuneArguments, of="tune")
    started = time.perf_counter()
    parent = space.encoders.named(name)
    called = _name(parent, how)
    captions = load_captions(data, split="train", videos=how.get("videos"))
    for sentence in odd_rows(captions):
        space.telling.notice(sentence)
    _fill(space, parent, name, captions, how)
    pairs, missing = _pairs(space.store, parent, captions)
    found = try_settings(parent, pairs)
    result = Tuned(
        parent=parent.name,
        name=called,
        directory=None,
        data=captions.file.name,
        videos=len(pairs.fold),
        captions=len(pairs.captions),
        missing=missing,
        found=found,
    )
    if found.changed or how.get("keep", False):
        folder = _write(result, parent, found, overwrite=how.get("overwrite", False))
        result = dataclasses.replace(result, directory=folder)
    return dataclasses.replace(result, seconds=time.perf_counter() - started)


def _name(parent: Bundle, how: TuneArguments) -> str:
    """What the new encoder will be called; said before any work where it is taken."""
    from c2v.encoder.names import check_bundle_name, name_from
    from c2v.encoder.registry import bundle_folder

    called = check_bundle_name(how.get("called") or f"{name_from(parent.name)}-tuned")
    if bundle_folder(called).exists() and not how.get("overwrite", False):
        raise ModelError(
            f"there is a model named {called} already",
            hint="choose another name with --as, or add --overwrite",
        )
    return called


def _fill(
    space: Workspace, parent: Bundle, name: str, captions: Captions, how: TuneArguments
) -> None:
    """Make sure that the library has features of the encoder's towers, and the videos."""
    from contextlib import nullcontext

    from c2v.indexing.report import Silent
    from c2v.library.refusals import check_towers

    if is_filled(space):
        check_towers(space.store, parent.name, parent.towers_fingerprint)
    index_missing(
        space,
        captions.videos,
        model=name,
        notice=space.telling.notice,
        indexing=how.get("indexing") or (lambda: nullcontext(Silent())),
        fetch=how.get("fetch"),
        stop=how.get("stop") or threading.Event(),
    )


def _pairs(
    library: Store, bundle: Bundle, captions: Captions
) -> tuple[CaptionPairs, tuple[Missing, ...]]:
    """The captions whose videos are in the library, and these as the head sees them."""
    from c2v.evaluation.library_names import in_library
    from c2v.evaluation.retrieval import video_vectors
    from c2v.evaluation.stored import find_videos

    captions = in_library(library, captions)
    ids, missing = find_videos(library, captions)
    if len(ids) < FEWEST_VIDEOS:
        what = f"{len(ids)} video{'s'[: len(ids) != 1]} of it can be used"
        first = f" ({missing[0].path}: {missing[0].reason})" if missing else ""
        raise DataError(
            f"--data {captions.file}: {what}, at least {FEWEST_VIDEOS} are needed{first}",
            hint="give captions of more videos; of dozens, for figures that mean something",
        )
    taken = np.random.default_rng(0).permutation(list(ids))[:_MOST_VIDEOS].tolist()
    ids = {path: ids[path] for path in sorted(taken, key=list(ids).index)}
    vectors, video = video_vectors(library, bundle, ids, first_seconds=captions.first_seconds)
    return CaptionPairs.of(bundle.from_library(vectors), video, _texts(captions, ids)), missing


def _texts(captions: Captions, ids: dict[str, int]) -> list[list[str]]:
    """The captions of each video, as many of each as there is time for."""
    texts: dict[str, list[str]] = {path: [] for path in ids}
    most = max(1, _MOST_CAPTIONS // len(ids))
    for path, text in zip(captions.paths, captions.texts, strict=True):
        if len(texts.get(path, ())) < most and path in texts:
            texts[path].append(text)
    return list(texts.values())


def _write(result: Tuned, parent: Bundle, found: Found, *, overwrite: bool) -> Path:
    from c2v import __version__
    from c2v.encoder.tuned_bundle import save_tuned

    record = {"c2v": __version__, "parent_fingerprint": parent.fingerprint, **result.record()}
    return save_tuned(
        result.name,
        parent=parent,
        settings=found.settings,
        documents={RECORD_NAME: json.dumps(record, indent=1) + "\n"},
        overwrite=overwrite,
    )
