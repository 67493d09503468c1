"""A library and the encoder it is to be filled with, opened together or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.obtain import choose_default
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
    rebuild: bool = False,
) -> Iterator[tuple[Library, Bundle]]:
    """Open (or create) the library at ``directory`` for writing, with the encoder it takes.

    ``model`` is the encoder asked for by name; None takes the library's own, else the default
    of DESIGN section 4 starting from ``configured``. An encoder with the towers of the library's
    but another head is welcome: the stored frame features are embedded again. One with other
    towers is refused, and nothing is changed, unless ``rebuild`` is set: then the library
    forgets every video first.

    Raises:
        LibraryError: another process is writing, or the library is of another model.
    """
    exists = Library.exists(directory)
    library = Library.open(directory) if exists else None
    try:
        held = library.model if library else None
        bundle = _load(held, model, configured, device=device, precision=precision, notice=notice)
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
                for path in reembed(library, bundle):
                    notice(f"frame features of {path} are damaged: until it is read again, which "
                           f"indexing it does, searches leave them out")  # fmt: skip
            else:
                library.set_model(model_record(bundle))  # its name may be new
            yield library, bundle
    finally:
        if library is not None:
            library.close()


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


def _other_model(directory: Path, held: ModelRecord, bundle: Bundle) -> LibraryError:
    other = "that model as it is now" if held.name == bundle.name else bundle.name
    return LibraryError(
        f"the library {directory} holds frames as {held.name} saw them, of no use to {other}",
        hint=f"index afresh with --rebuild, or give {bundle.name} a library of its own: --library",
    )
