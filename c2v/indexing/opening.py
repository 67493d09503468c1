"""A library and the encoder it is to be filled with, opened together or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.obtain import choose_default
from c2v.errors import LibraryError
from c2v.indexing.reembedding import model_record, reembed
from c2v.indexing.report import amount
from c2v.library import Library, ModelRecord

BeforeRebuild = Callable[[Library, bool], None]
"""Told which library is about to be rebuilt, and whether all of it is forgotten first (its towers
change). Raising keeps everything as it is."""


@contextmanager
def open_for_indexing(
    directory: Path,
    *,
    model: str | None,
    configured: str,
    device: str,
    precision: str,
    notice: Callable[[str], None],
    before_rebuild: BeforeRebuild | None = None,
) -> Iterator[tuple[Library, Bundle]]:
    """Open (or create) the library at ``directory`` for writing, with the encoder it takes.

    ``model`` is the encoder asked for by name; None takes the library's own, else the default
    of DESIGN section 4 starting from ``configured``. An encoder with the towers of the library's
    but another head is welcome: the stored frame features are embedded again. One with other
    towers is refused, unless ``before_rebuild`` is given: then the library forgets every video,
    for features of other towers are of no use. It is called before anything is changed, and after
    everything that can be wrong with the encoder would have shown.

    Raises:
        LibraryError: another process is writing, or the library is of another model.
    """
    exists = Library.exists(directory)
    library = Library.open(directory) if exists else None
    try:
        held = library.model if library else None
        bundle = _load(held, model, configured, device=device, precision=precision, notice=notice)
        same_towers = held is None or held.towers_fingerprint == bundle.towers_fingerprint
        if library is not None and held is not None:
            if not same_towers and before_rebuild is None:
                raise _other_model(library, held, bundle)
            if before_rebuild is not None:
                if not same_towers:
                    _try_out(bundle)
                before_rebuild(library, not same_towers)
        if library is None:
            library = Library.create(directory)
        with library.writer():
            if not same_towers:
                library.reset(model_record(bundle))
            elif held is not None and held.fingerprint != bundle.fingerprint:
                notice(f"embedding the library again from its frame features with {bundle.name}")
                reembed(library, bundle)
            else:
                library.set_model(model_record(bundle))  # its name may be new
            yield library, bundle
    finally:
        if library is not None:
            library.close()


def _try_out(bundle: Bundle) -> None:
    """Encode a picture: what is wrong with an encoder is to show before anything is forgotten."""
    side = bundle.config.image.side
    bundle.encode_frames(np.zeros((1, side, side, 3), np.uint8))


def _load(
    held: ModelRecord | None,
    model: str | None,
    configured: str,
    *,
    device: str,
    precision: str,
    notice: Callable[[str], None],
) -> Bundle:
    if model is not None:
        return load_bundle(model, device=device, precision=precision)
    name, remark = choose_default(library_model=held.name if held else None, configured=configured)
    if remark:
        notice(remark)
    return load_bundle(name, device=device, precision=precision)


def _other_model(library: Library, held: ModelRecord, bundle: Bundle) -> LibraryError:
    counts = library.counts()
    other = "that model as it is now" if held.name == bundle.name else bundle.name
    return LibraryError(
        f"the library {library.directory} holds frames as {held.name} saw them, of no use to "
        f"{other}",
        hint=f"give {bundle.name} a library of its own: --library NAME; or index afresh with "
        f"--rebuild, which forgets all of {amount(counts.videos, counts.seconds)}",
    )
