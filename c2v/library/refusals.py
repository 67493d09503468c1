"""Why a library cannot be worked with as it is, said in one way wherever it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from c2v.errors import LibraryError

if TYPE_CHECKING:
    from c2v.library.records import ModelRecord
    from c2v.library.store import Store


def empty(address: object) -> LibraryError:
    """The library has no model yet, for nothing was ever indexed into it."""
    return LibraryError(f"the library {address} is empty", hint="c2v index PATH")


def model_of(library: Store) -> ModelRecord:
    """The model whose vectors ``library`` holds.

    Raises:
        LibraryError: it is empty.
    """
    if library.model is None:
        raise empty(library.address)
    return library.model


def other_towers(library: Store, name: str) -> LibraryError:
    """The frame features of ``library`` were made by other towers than those of model ``name``."""
    held = model_of(library)
    counts = library.counts()
    other = "that model as it is now" if held.name == name else name
    return LibraryError(
        f"the library {library.address} holds frames as {held.name} saw them, of no use to {other}",
        hint=f"give {name} a library of its own: c2v index --model {name} --library NAME PATH; or "
        f"index this one afresh with --rebuild, which forgets all of "
        f"{amount(counts.videos, counts.seconds)}",
    )


def check_towers(library: Store, name: str, towers_fingerprint: str) -> None:
    """Refuse a model ``name`` whose towers are not those that made the features of ``library``.

    Raises:
        LibraryError: they are not, or the library is empty.
    """
    if model_of(library).towers_fingerprint != towers_fingerprint:
        raise other_towers(library, name)


def amount(videos: int, seconds: float) -> str:
    """So many videos and how long they are together.

    >>> amount(63, 4500.0), amount(1, 30.0)
    ('63 videos (1.2 hours)', '1 video (30 s)')
    """
    if seconds >= 3600:
        length = f"{seconds / 3600:.1f} hours"
    else:
        length = f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} s"
    return f"{videos:,} video{'s'[: videos != 1]} ({length})"
