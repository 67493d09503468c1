"""A library seen from outside: what it is, without opening it, bringing it up to date, or NumPy.

For lists of libraries and for completions, which have a tenth of a second. Nothing is written; what
cannot be read is said to be so.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from c2v.config import libraries_dir

DATABASE_NAME: Final = "library.db"
APPLICATION_ID: Final = 0x63327631
"""``c2v1`` in ASCII: ``file library.db`` can tell whose database it is."""
_BUSY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Glance:
    """What a library holds; ``problem`` says why nothing could be seen of it."""

    videos: int = 0
    seconds: float = 0.0
    model: str | None = None
    number: str = ""
    """The library's own."""
    problem: str = ""
    is_ours: bool = True
    """Whether the database is of c2v at all, or may be: one that is damaged counts as ours."""


def glance(folder: Path) -> Glance:
    """What the library in ``folder`` holds."""
    try:
        with _connected(folder) as connection:
            if _application(connection) != APPLICATION_ID:
                return Glance(problem="a database of another program", is_ours=False)
            videos, seconds = connection.execute(
                "SELECT count(*), coalesce(sum(duration_seconds), 0) FROM video"
            ).fetchone()
            row = connection.execute("SELECT name FROM model").fetchone()
            (number,) = connection.execute("SELECT uuid FROM library").fetchone()
    except (sqlite3.Error, OSError) as error:
        reason = str(error)
        if "unable to open" in reason:
            reason = "cannot be opened"
        return Glance(problem=reason, is_ours="not a database" not in reason)
    return Glance(int(videos), float(seconds), row[0] if row else None, str(number))


def named_libraries() -> list[str]:
    """The names of the libraries that have one, sound or not."""
    try:
        folders = sorted(libraries_dir().iterdir())
    except OSError:
        return []
    return [folder.name for folder in folders if _holds_one(folder)]


def _holds_one(folder: Path) -> bool:
    try:
        return (folder / DATABASE_NAME).stat().st_size > 0
    except OSError:
        return False


def next_names(folder: Path, below: str, beginning: str, *, most: int) -> list[str]:
    """What can follow ``below`` (a folder, with its separator) in the paths of the videos.

    Each name of a file or folder once, one of a folder with the separator behind it; only those
    that begin with ``beginning``. Each costs one look into an index, however many videos there are.

    Raises:
        sqlite3.Error: the library cannot be read.
    """
    separator = os.sep
    found: list[str] = []
    root, place = os.fsencode(below), os.fsencode(below + beginning)
    end = _after(place)
    with _connected(folder) as connection:
        while len(found) < most:
            row = connection.execute(
                "SELECT path FROM video WHERE path >= ? AND (? IS NULL OR path < ?) "
                "ORDER BY path LIMIT 1",
                (place, end, end),
            ).fetchone()
            if row is None:
                break
            name, slash, _ = os.fsdecode(bytes(row[0])[len(root) :]).partition(separator)
            found.append(name + slash)
            place = root + os.fsencode(name + slash)
            place = _after(place) if slash else place + b"\0"
    return found


def tag_names(folder: Path) -> list[str]:
    """The tags that videos have; none where the library is older than tags.

    Raises:
        sqlite3.Error: the library cannot be read.
    """
    with _connected(folder) as connection:
        has_tags = "SELECT 1 FROM sqlite_master WHERE name = 'tag'"
        if connection.execute(has_tags).fetchone() is None:
            return []
        rows = connection.execute("SELECT DISTINCT name FROM tag ORDER BY name").fetchall()
    return [str(name) for (name,) in rows]


def _after(prefix: bytes) -> bytes:
    """The least bytes above everything that begins with ``prefix``."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1]) if kept else b"\xff" * 9


def _application(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA application_id").fetchone()[0])


@contextmanager
def _connected(folder: Path) -> Iterator[sqlite3.Connection]:
    """A connection that reads; of a read-only medium without its shared memory, too."""
    path = folder / DATABASE_NAME
    path.stat()
    uri = path.absolute().as_uri()
    wal = path.with_name(path.name + "-wal")
    for query in ("mode=ro", "mode=ro&immutable=1"):
        with closing(
            sqlite3.connect(f"{uri}?{query}", uri=True, timeout=_BUSY_SECONDS)
        ) as connection:
            try:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except sqlite3.OperationalError:
                if "immutable" in query or (wal.exists() and wal.stat().st_size):
                    raise
                continue
            yield connection
            return
