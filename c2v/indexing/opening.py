"""A library and the encoder it is to be filled with, opened together or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.obtain import Fetch, choose_default, default_for_new_library
from c2v.errors import LibraryError
from c2v.indexing.reembedding import model_record, reembed
from c2v.library import Library, ModelRecord


@contextmanager
def open_for_indexing(
    directory: Path,
    *,
    model: str | None,
    configured: str,
    device: str,
    precision: str,
    notice: Callable[[str], None],
    fetch: Fetch | None = None,
    rebuild: bool = False,
) -> Iterator[tuple[Library, Bundle]]:
    """Open (or create) the library at ``directory`` for writing, with the encoder it takes.

    ``model`` is the encoder asked for by name; None takes the library's own, else ``configured``,
    else ``ViT-B-32`` if it is here or, for a library without a model, ``fetch`` can get it, else
    ``mini`` with a notice. Without ``fetch`` nothing is fetched. An encoder with the towers of the
    library's but another head is welcome: the stored frame features are embedded again. One with
    other towers is refused, and nothing is changed, unless ``rebuild`` is set: then the library
    forgets every video first.

    Raises:
        LibraryError: another process is writing, or the library is of another model.
        MissingPartError: the encoder takes a part of c2v that is not installed.
    """
    exists = Library.exists(directory)
    library = Library.open(directory) if exists else None
    try:
        held = library.model if library else None
        name = model or _default(held, configured, fetch=fetch, notice=notice)
        bundle = load_bundle(name, device=device, precision=precision)
        bundle.check_parts()
        if bundle.slower_because:
            notice(bundle.slower_because)
        same_towers = held is None or held.towers_fingerprint == bundle.towers_fingerprint
        if held is not None and not same_towers and not rebuild:
            raise _other_model(directory, held, bundle)
        if library is None:
            library = Library.create(directory)
        with library.writer():
            if rebuild:
                library.reset(model_record(bundle))
            elif held is not None and held.fingerprint != bundle.fingerprint:
                notice(f"embedding the library again from its frame features with {bundle.name}")
                lacking = reembed(library, bundle)
                if lacking:
                    notice(
                        f"the frame features of {lacking} segments are damaged; index their videos "
                        "again, searches leave them out until then"
                    )
            else:
                library.set_model(model_record(bundle))  # its name may be new
            yield library, bundle
    finally:
        if library is not None:
            library.close()


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


def _other_model(directory: Path, held: ModelRecord, bundle: Bundle) -> LibraryError:
    other = "that model as it is now" if held.name == bundle.name else bundle.name
    return LibraryError(
        f"the library {directory} holds frames as {held.name} saw them, of no use to {other}",
        hint=f"index afresh with --rebuild, or give {bundle.name} a library of its own: --library",
    )
