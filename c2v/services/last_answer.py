"""What is kept of the last answer of each library, so that ``c2v play 2`` knows what 2 is.

Ids of videos and times, in one small file a library in the cache folder: never the sentence that
was asked, never a path. The file is named by a hash of the library's own number and its address,
so a library that was deleted and made again has no last answer of the one before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from c2v.config import cache_dir
from c2v.errors import DataError, UsageError
from c2v.files.reading import read_plain
from c2v.files.writing import write_file

if TYPE_CHECKING:
    from c2v.library import Store
    from c2v.search.results import Moment
    from c2v.services.workspace import Workspace

_HINT = 'c2v search "a dog catching a frisbee"'


@dataclass(frozen=True, slots=True)
class LastMoment:
    """One result of the last search, where it is now. Times in seconds."""

    rank: int
    path: str
    """Where the video is now: it may have been moved since."""
    start: float
    end: float
    best: float
    duration: float
    """Of the whole video."""
    video_id: int


def keep_or_tell(space: Workspace, moments: Sequence[Moment]) -> None:
    """Remember these results; where that cannot be done, one notice says so."""
    try:
        keep(space.store, moments)
    except OSError as error:
        why = error.strerror or str(error)
        space.notice_once(f"this answer is not kept for play, open and --like: {why}")


def keep(store: Store, moments: Sequence[Moment]) -> None:
    """Remember these results in place of those of before.

    Raises:
        OSError: the cache folder cannot be written.
    """
    rows = [
        [moment.video_id, round(moment.start, 3), round(moment.end, 3), round(moment.best, 3)]
        for moment in moments
    ]
    write_file(_file(store), json.dumps(rows), durable=False)


def recall(store: Store, rank: int) -> LastMoment:
    """Result ``rank`` (from 1) of the last search in this library.

    Raises:
        UsageError: the rank is below 1.
        DataError: nothing was searched yet, there is no such result, or its video is gone from
            the library.
    """
    if rank < 1:
        raise UsageError(f"result {rank}: results are counted from 1", hint="give 1 or more")
    rows = _rows(_file(store))
    if rows is None:
        raise DataError("there is no last search in this library", hint=_HINT)
    if rank > len(rows):
        raise DataError(f"the last search had {_results(len(rows))}", hint=_HINT)
    video_id, start, end, best = rows[rank - 1]
    segments = store.segments_of([video_id]).get(video_id)
    if not segments:
        raise DataError(f"result {rank} is no longer in the library", hint=f"again: {_HINT}")
    first = segments[0]
    return LastMoment(rank, first.path, start, end, best, first.duration_seconds, video_id)


def _results(count: int) -> str:
    return "1 result" if count == 1 else f"{count or 'no'} results"


def forget(number: str, address: str) -> None:
    """Drop what is kept of a library that is deleted."""
    _file_of(number, address).unlink(missing_ok=True)


def _file(store: Store) -> Path:
    return _file_of(store.number, store.address)


def _file_of(number: str, address: str) -> Path:
    name = f"{number}\0{address}".encode("utf-8", "surrogatepass")
    return cache_dir() / "last" / (hashlib.blake2b(name, digest_size=16).hexdigest() + ".json")


def _rows(path: Path) -> list[tuple[int, float, float, float]] | None:
    """What is in the file; None where there is none, or it is damaged: it is only a cache."""
    try:
        rows: Any = json.loads(read_plain(path))
        return [(int(key), float(start), float(end), float(best)) for key, start, end, best in rows]
    except (OSError, ValueError, TypeError, RecursionError):
        return None
