"""A library and the encoder it is to be filled with, opened together or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.catalogue import Fetch, choose_default, default_for_new_library
from c2v.errors import LibraryError
from c2v.indexing.reembedding import model_record, reembed
from c2v.indexing.report import amount
from c2v.library import Address, ModelRecord, Store, open_store, store_exists

BeforeRebuild = Callable[[Store, bool], None]
"""Told which library is about to be rebuilt, and whether all of it is forgotten first (its towers
change). Raising keeps everything as it is."""


@contextmanager
def open_for_indexing(
    address: Address,
    *,
    model: str | None,
    configured: str,
    device: str,
    precision: str,
    notice: Callable[[str], None],
    fetch: Fetch | None = None,
    before_rebuild: BeforeRebuild | None = None,
) -> Iterator[tuple[Store, Bundle]]:
    """Open (or create) the library at ``address`` for writing, with the encoder it takes.

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
    exists = store_exists(address)
    library = open_store(address) if exists else None
    try:
        held = library.model if library else None
        name = model or _default(held, configured, fetch=fetch, notice=notice)
        bundle = load_bundle(name, device=device, precision=precision)
        bundle.check_parts()
        if bundle.slower_because:
            notice(bundle.slower_because)
        same_towers = held is None or held.towers_fingerprint == bundle.towers_fingerprint
        if library is not None and held is not None:
            if not same_towers and before_rebuild is None:
                raise _other_model(library, held, bundle)
            if before_rebuild is not None:
                if not same_towers:
                    _try_out(bundle)
                before_rebuild(library, not same_towers)
        if library is None:
            library = open_store(address, create=True)
        with library.writer():
            if not same_towers:
                library.reset(model_record(bundle))
            elif held is not None and held.fingerprint != bundle.fingerprint:
                notice(f"embedding the library again from its frame features with {bundle.name}")
                for path in reembed(library, bundle):
                    notice(f"frame features of {path} are damaged: until it is read again, which "
                           f"indexing it does, searches leave them out")  # fmt: skip
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


def _default(
    held: ModelRecord | None,
    configured: str,
    *,
    fetch: Fetch | None,
    notice: Callable[[str], None],
) -> str:
    if held is None and fetch is not None:
        name, remark = default_for_new_library(configured, fetch)
    else:
        name, remark = choose_default(held.name if held else None, configured)
    if remark:
        notice(remark)
    return name


def _other_model(library: Store, held: ModelRecord, bundle: Bundle) -> LibraryError:
    counts = library.counts()
    other = "that model as it is now" if held.name == bundle.name else bundle.name
    return LibraryError(
        f"the library {library.address} holds frames as {held.name} saw them, of no use to {other}",
        hint=f"give {bundle.name} a library of its own: --library NAME; or index afresh with "
        f"--rebuild, which forgets all of {amount(counts.videos, counts.seconds)}",
    )
