"""A library and the encoder it is filled with, made ready together or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from c2v.encoder.bundle import Bundle
from c2v.encoder.catalogue import Fetch, choose_default, default_for_new_library
from c2v.errors import C2VError
from c2v.indexing.pruning import amount_of
from c2v.indexing.reembedding import model_record, reembed
from c2v.library import ModelRecord, Store, VideoRecord
from c2v.library.refusals import other_towers
from c2v.services.encoders import Encoders
from c2v.services.telling import Tell

BeforeRebuild = Callable[[Store, bool], None]
"""Told which library is about to be rebuilt, and whether all of it is forgotten first (its towers
change). Raising keeps everything as it is."""


@contextmanager
def ready_to_fill(
    library: Store | None,
    encoders: Encoders,
    *,
    create: Callable[[], Store],
    model: str | None,
    configured: str,
    notice: Tell,
    fetch: Fetch | None = None,
    before_rebuild: BeforeRebuild | None = None,
) -> Iterator[tuple[Store, Bundle]]:
    """``library`` (or the one that ``create`` makes) for writing, with the encoder it takes.

    ``model`` is the encoder asked for by name; None takes the library's own, else ``configured``,
    else ``ViT-B-32`` if it is here or, for a library without a model, ``fetch`` can get it, else
    ``mini`` with a notice. Without ``fetch`` nothing is fetched. An encoder with the towers of the
    library's but another head is welcome: the stored frame features are embedded again. One with
    other towers is refused, unless ``before_rebuild`` is given: then the library forgets every
    video, for features of other towers are of no use. It is called before anything is changed, and
    after everything that can be wrong with the encoder would have shown.

    Raises:
        LibraryError: another process is writing, or the library is of another model.
        MissingPartError: the encoder takes a part of c2v that is not installed.
    """
    held = library.model if library else None
    if library is not None and held is not None and model is None:
        encoders.mention_other_wish(library, held)
    bundle = encoders.named(model or _default(held, configured, fetch=fetch, notice=notice))
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
        library = create()
    with library.writer():
        if not same_towers:
            library.reset(model_record(bundle))
        elif held is not None and held.fingerprint != bundle.fingerprint:
            notice(f"embedding the library again from its frame features with {bundle.name}")
            for path in reembed(library, bundle):
                notice(
                    f"frame features of {path} are damaged: until it is read again, which indexing "
                    "it does, searches leave them out"
                )
        else:
            library.set_model(model_record(bundle))  # its name may be new
        yield library, bundle


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


def asking_to_rebuild(paths: Sequence[Path], confirm: Callable[[str], None]) -> BeforeRebuild:
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


def check_paths(paths: Sequence[Path], library: Store | None) -> None:
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
