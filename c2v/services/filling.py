"""Filling a library: what can be asked of a run, and its library and encoder made ready."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np

from c2v.config import Settings, cache_dir
from c2v.encoder.bundle import Bundle
from c2v.encoder.catalogue import Fetch, choose_default, default_for_new_library
from c2v.errors import C2VError
from c2v.indexing.memory import return_large_blocks
from c2v.indexing.options import IndexOptions
from c2v.indexing.pipeline import index_paths
from c2v.indexing.pruning import amount_of
from c2v.indexing.reading_time import reading_minutes
from c2v.indexing.reembedding import model_record, reembed
from c2v.indexing.report import ConfirmPrune, IndexProgress, IndexReport, refuse
from c2v.indexing.unfinished import Unfinished
from c2v.library import ModelRecord, Store, VideoRecord
from c2v.library.refusals import other_towers
from c2v.media.containers import MOST_MEGAPIXELS
from c2v.media.decode import choose_decoder
from c2v.media.sampling import Exactness
from c2v.services.keywords import check_keywords
from c2v.services.removing import give_back_room
from c2v.services.telling import Tell
from c2v.services.workspace import Workspace

BeforeRebuild = Callable[[Store, bool], None]
"""Told which library is about to be rebuilt, and whether all of it is forgotten first (its towers
change). Raising keeps everything as it is."""


class IndexArguments(TypedDict, total=False):
    """How a library is filled; all of it may be left out."""

    model: str | None
    """The encoder; None is the library's own, else that of the settings."""
    exclude: Sequence[str]
    """Path patterns of what is left out."""
    hidden: bool
    """Take hidden files too."""
    segment: str | None
    """``auto``, ``whole``, ``scene`` or seconds; None keeps what a video has."""
    sampling: Exactness
    """``exact`` frames, or the nearest keyframes, which is ``fast``."""
    workers: int | None
    """Decoding threads; None is one a core."""
    prune: bool
    """Drop videos that are no longer on disk."""
    retry_failed: bool
    """Try unchanged files again that failed before."""
    subtitles: bool
    """Read subtitles, beside videos and in them; True."""
    rebuild: bool
    """Read what is below the paths again; with other towers forget all else."""
    max_megapixels: float | None
    """Refuse files with larger pictures; None is 200."""
    progress: IndexProgress | None
    """Told what happens."""
    confirm_prune: ConfirmPrune | None
    """Asked whether vanished videos go where that is not sure; None keeps them."""
    confirm_rebuild: Tell | None
    """Told what ``rebuild`` is about to do; raising stops it."""
    fetch: Fetch | None
    """Gets ``ViT-B-32`` for a new library; without it nothing is ever fetched."""
    stop: threading.Event | AbstractContextManager[threading.Event] | None
    """Setting it ends the run; what was finished is kept. A context that gives such an event is
    entered when everything is asked and loaded."""


def fill(space: Workspace, roots: Sequence[Path], how: IndexArguments) -> IndexReport:
    """Bring the library up to date with folders and files; make it if there is none.

    Raises:
        LibraryError: another process is writing, or the library is of other towers.
        C2VError: none of the paths exists.
    """
    check_keywords(how, IndexArguments, of="index")
    options = _options(how, space.settings)
    # Said before any work.
    decoder = choose_decoder(options.decoder, exactness=options.exactness)
    present = space.store if space.exists else None
    _check_paths(roots, present)
    return_large_blocks()
    confirm_rebuild = how.get("confirm_rebuild") or (lambda _what: None)
    stop = how.get("stop")
    with _ready_to_fill(
        space,
        present,
        model=how.get("model"),
        fetch=how.get("fetch"),
        before_rebuild=_asking_to_rebuild(roots, confirm_rebuild) if options.reread else None,
    ) as ready:
        if options.subtitles and not ready.library.keeps_lines:
            space.telling.notice("subtitles are not read: this Python's SQLite has no FTS5")
        unfinished = Unfinished.of(cache_dir() / "unfinished", ready.bundle, decoder.name)
        with stop if isinstance(stop, AbstractContextManager) else nullcontext(stop) as stopped:
            report = index_paths(
                ready.library,
                ready.bundle,
                roots,
                options=options,
                progress=how.get("progress"),
                confirm_prune=how.get("confirm_prune") or refuse,
                stop=stopped,
                unfinished=unfinished,
            )
        if report.interrupted and unfinished.refused:
            space.telling.notice(f"long films begin anew next time: {unfinished.refused}")
        if report.removed:
            give_back_room(ready.library, space.telling)
    space.notice_once(ready.library.slower_because)
    return dataclasses.replace(report, reembedded=ready.reembedded)


def _options(how: IndexArguments, settings: Settings) -> IndexOptions:
    segment, most = how.get("segment"), how.get("max_megapixels")
    if segment is not None:
        settings = dataclasses.replace(settings, segment=segment)
    return dataclasses.replace(
        IndexOptions.from_settings(settings, segment_is_chosen=segment is not None),
        exclude=tuple(how.get("exclude", ())),
        hidden=how.get("hidden", False),
        exactness=how.get("sampling", "exact"),
        workers=how.get("workers"),
        prune=how.get("prune", False),
        retry_failed=how.get("retry_failed", False),
        max_megapixels=MOST_MEGAPIXELS if most is None else most,
        subtitles=how.get("subtitles", True),
        reread=how.get("rebuild", False),
    )


@dataclass(frozen=True, slots=True)
class _Ready:
    """A library open for writing, and the encoder that fills it."""

    library: Store
    bundle: Bundle
    reembedded: int = 0
    """Videos whose vectors the encoder made anew of the stored frame features."""


@contextmanager
def _ready_to_fill(
    space: Workspace,
    library: Store | None,
    *,
    model: str | None,
    fetch: Fetch | None,
    before_rebuild: BeforeRebuild | None,
) -> Iterator[_Ready]:
    """``library`` (None: the one that is made) for writing, with the encoder it takes.

    ``model`` is the encoder asked for by name; None takes the library's own, else the configured
    one, else ``ViT-B-32`` if it is here or, for a library without a model, ``fetch`` can get it,
    else ``mini`` with a notice. Without ``fetch`` nothing is fetched. An encoder with the towers
    of the library's but another head is welcome: the stored frame features are embedded again. One
    with other towers is refused, unless ``before_rebuild`` is given: then the library forgets every
    video, for features of other towers are of no use. It is called before anything is changed, and
    after everything that can be wrong with the encoder would have shown.

    Raises:
        LibraryError: another process is writing, or the library is of another model.
        MissingPartError: the encoder takes a part of c2v that is not installed.
    """
    held, notice = library.model if library else None, space.telling.notice
    if library is not None and held is not None and model is None:
        space.encoders.mention_other_wish(library, held)
    name = model or _default(held, space.settings.model, fetch=fetch, notice=notice)
    bundle = space.encoders.named(name)
    if library is not None and held is not None and model is None and before_rebuild is None:
        bundle = space.encoders.as_filled(bundle, held)
        if bundle.chosen_directory != bundle.directory:
            notice(_filled_by_an_earlier(library, bundle))
    bundle.check_parts()
    if bundle.slower_because:
        notice(bundle.slower_because)
    same_towers = held is None or held.towers_fingerprint == bundle.towers_fingerprint
    if library is not None and held is not None:
        if not same_towers and before_rebuild is None:
            raise other_towers(library, bundle.name)
        if before_rebuild is not None:
            if not same_towers:
                _try_out(bundle)
            before_rebuild(library, not same_towers)
    if library is None:
        library = space.create()
    reembedded = 0
    with library.writer():
        if not same_towers:
            library.reset(model_record(bundle))
        elif held is not None and held.fingerprint != bundle.fingerprint:
            notice(f"embedding the library again from its frame features with {bundle.name}")
            damaged = reembed(library, bundle)
            reembedded = library.counts().videos - len(damaged)
            for path in damaged:
                notice(
                    f"frame features of {path} are damaged: until it is read again, which indexing "
                    "it does, searches leave them out"
                )
        else:
            library.set_model(model_record(bundle))  # its name may be new
        yield _Ready(library, bundle, reembedded)


def _filled_by_an_earlier(library: Store, bundle: Bundle) -> str:
    videos = list(library.videos())
    minutes = reading_minutes(videos)
    return (
        f"the library {library.address} was filled by an earlier {bundle.name} and answers as it "
        f"did; for the present one {amount_of(videos)} are read again, which takes about "
        f"{minutes} minute{'s'[: minutes != 1]}: c2v index --model {bundle.name} --rebuild PATH"
    )


def _try_out(bundle: Bundle) -> None:
    """Encode a picture: what is wrong with an encoder is to show before anything is forgotten."""
    side = bundle.config.image.side
    bundle.encode_frames(np.zeros((1, side, side, 3), np.uint8))


def _default(
    held: ModelRecord | None, configured: str, *, fetch: Fetch | None, notice: Tell
) -> str:
    if held is None and fetch is not None:
        name, remark = default_for_new_library(configured, fetch)
    else:
        name, remark = choose_default(held.name if held else None, configured)
    if remark:
        notice(remark)
    return name


def _asking_to_rebuild(paths: Sequence[Path], confirm: Tell) -> BeforeRebuild:
    """Put into words what a rebuild below ``paths`` does to a library, before it is done.

    ``confirm`` gets the beginning of a sentence; raising there keeps everything as it is.
    """

    def before_rebuild(library: Store, everything: bool) -> None:
        found = [video for path in paths for video in _at_or_below(library, path)]
        below = list({video.id: video for video in found}.values())
        if everything:
            what = f"forgets all of {amount_of(list(library.videos()))}"
            rest = f" and reads {amount_of(below)} again"
        else:
            what, rest = f"reads {amount_of(below)} again", ""
        if everything or below:
            confirm(f"--rebuild {what} in the library {library.address}{rest}")

    return before_rebuild


def _check_paths(paths: Sequence[Path], library: Store | None) -> None:
    """Say at once when there is nothing to do; a drive the library knows may be unplugged.

    Raises:
        C2VError: none of the paths is there, or was when ``library`` was filled.
    """
    missing = [path for path in paths if not os.path.lexists(path)]
    if len(missing) < len(paths) or not missing:
        return  # the missing ones are reported beside what is done
    if library is not None and any(_at_or_below(library, path) for path in missing):
        return
    raise C2VError(f"{missing[0]}: no such file or folder", hint="check the path")


def _at_or_below(library: Store, path: Path) -> list[VideoRecord]:
    """The video of that path, or those of that folder."""
    absolute = os.path.abspath(path)  # noqa: PTH100 - links stay links
    video = library.video_by_path(absolute)
    return [video] if video else list(library.videos(under=absolute))
