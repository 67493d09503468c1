"""The database: its tables, its migrations, and what is said of SQLite's errors.

Eight tables hold the content, three what a user or a measurement says of it, one the history of
changes:

* ``video``, ``segment``: small rows, so that listings and joins stay in few pages;
* ``vector``: the head's vector of each segment, float32. A table of its own, so that the matrix
  can be rebuilt without reading features;
* ``feature``: stage 1's frame features of each segment, float16, by far the largest table;
* ``checksum``: of each segment's vector and frames (see ``checksums.py``);
* ``failure``: files that could not be read, so that they are not decoded again;
* ``subtitle``, ``line``: what is said, and of which files and streams that was read. The index of
  its words (``line_word``, see ``line_table.py``) is made with the first line, not here: there are
  builds of SQLite that cannot;
* ``tag``: names of what is in a video; ``not_duplicate``: pairs of contents that a user has told
  apart; ``calibration``: numbers measured on this library with its present model, as JSON;
* ``generation``: one row for each transaction that changed vectors; caches name the row they
  were made at.

Choices. WAL: a search reads while an index run writes, and ``kill -9`` costs at most the open
transaction. synchronous=NORMAL: a power cut may lose the last commits, which the next run does
again from the files; it cannot damage the database, and saves an fsync a video. Pages of 4 KiB:
features and vectors are a few KiB each and fill overflow chains of small pages best (an hour of
video: 5.1 MB, with 8 KiB 5.9 MB; 1024-d vectors: 5.3 and 7.5 MB), at the same speed of reading.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from c2v.errors import C2VError, LibraryError, NoRoomError
from c2v.library.sqlite import checksums

DATABASE_NAME = "library.db"
APPLICATION_ID = 0x63327631
"""``c2v1`` in ASCII: ``file library.db`` can tell whose database it is."""
PAGE_BYTES = 4096

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE library (uuid TEXT NOT NULL)",
        """CREATE TABLE model (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            name TEXT NOT NULL,
            fingerprint TEXT NOT NULL,
            towers_fingerprint TEXT NOT NULL,
            feature_dim INTEGER NOT NULL,
            vector_dim INTEGER NOT NULL)""",
        """CREATE TABLE video (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            path BLOB NOT NULL UNIQUE,
            size_bytes INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL,
            content_id TEXT NOT NULL,
            duration_seconds REAL NOT NULL,
            width INTEGER NOT NULL,
            height INTEGER NOT NULL,
            codec TEXT NOT NULL,
            sampling TEXT NOT NULL,
            indexed_at REAL NOT NULL,
            problems TEXT NOT NULL)""",
        "CREATE INDEX video_content ON video (content_id)",
        # AUTOINCREMENT: a segment id is never given twice, so a cache row is known by its id alone.
        """CREATE TABLE segment (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            video_id INTEGER NOT NULL REFERENCES video (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            start_seconds REAL NOT NULL,
            end_seconds REAL NOT NULL,
            times BLOB NOT NULL)""",
        "CREATE UNIQUE INDEX segment_video ON segment (video_id, position)",
        """CREATE TABLE vector (
            segment_id INTEGER PRIMARY KEY REFERENCES segment (id) ON DELETE CASCADE,
            vector BLOB NOT NULL)""",
        """CREATE TABLE feature (
            segment_id INTEGER PRIMARY KEY REFERENCES segment (id) ON DELETE CASCADE,
            features BLOB NOT NULL)""",
        """CREATE TABLE failure (
            path BLOB PRIMARY KEY,
            size_bytes INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL,
            reason TEXT NOT NULL,
            failed_at REAL NOT NULL) WITHOUT ROWID""",
        """CREATE TABLE generation (
            number INTEGER PRIMARY KEY,
            stamp INTEGER NOT NULL,
            last_segment_id INTEGER NOT NULL)""",
    ),
    (
        """CREATE TABLE checksum (
            segment_id INTEGER PRIMARY KEY REFERENCES segment (id) ON DELETE CASCADE,
            vector_crc INTEGER NOT NULL,
            frames_crc INTEGER NOT NULL)""",
        """INSERT INTO checksum
            SELECT id, c2v_vector_crc(vector),
                c2v_frames_crc(start_seconds, end_seconds, times, features)
            FROM segment LEFT JOIN vector ON vector.segment_id = id
                LEFT JOIN feature ON feature.segment_id = id""",
        "ALTER TABLE model ADD COLUMN checksum INTEGER",
        "UPDATE model SET checksum = c2v_model_crc(name, fingerprint, towers_fingerprint, "
        "feature_dim, vector_dim)",
    ),
    (
        "ALTER TABLE video ADD COLUMN recorded_at REAL",
        # What filters look at, so that no other part of a row is read.
        "CREATE INDEX video_filter ON video (coalesce(recorded_at, mtime_ns / 1e9), "
        "duration_seconds, height)",
        """CREATE TABLE tag (
            video_id INTEGER NOT NULL REFERENCES video (id) ON DELETE CASCADE,
            name TEXT NOT NULL COLLATE NOCASE,
            confidence REAL NOT NULL,
            by_hand INTEGER NOT NULL,
            PRIMARY KEY (video_id, name)) WITHOUT ROWID""",
        "CREATE INDEX tag_name ON tag (name)",
        """CREATE TABLE not_duplicate (
            content_a TEXT NOT NULL,
            content_b TEXT NOT NULL CHECK (content_a < content_b),
            PRIMARY KEY (content_a, content_b)) WITHOUT ROWID""",
        "CREATE TABLE calibration (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    ),
    (
        """CREATE TABLE subtitle (
            id INTEGER PRIMARY KEY,
            video_id INTEGER NOT NULL REFERENCES video (id) ON DELETE CASCADE,
            path BLOB NOT NULL,
            size_bytes INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL,
            without_text INTEGER NOT NULL,
            UNIQUE (video_id, path))""",
        # AUTOINCREMENT: what is left in the index of words of a line that is gone means no other.
        """CREATE TABLE line (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            subtitle_id INTEGER NOT NULL REFERENCES subtitle (id) ON DELETE CASCADE,
            start_seconds REAL NOT NULL,
            end_seconds REAL NOT NULL,
            text TEXT NOT NULL)""",
        "CREATE INDEX line_subtitle ON line (subtitle_id)",
    ),
)
"""Append only: the n-th entry takes a database from ``user_version`` n to n + 1."""

_BRIDGE_FROM_3 = (
    "CREATE TEMP TABLE subtitle (id, video_id, path, size_bytes, mtime_ns, without_text)",
    "CREATE TEMP TABLE line (id, subtitle_id, start_seconds, end_seconds, text)",
)
_BRIDGE_FROM_2 = (
    "CREATE TEMP VIEW video AS SELECT *, NULL AS recorded_at FROM main.video",
    "CREATE TEMP TABLE tag (video_id, name TEXT COLLATE NOCASE, confidence, by_hand)",
    "CREATE TEMP TABLE not_duplicate (content_a, content_b)",
    "CREATE TEMP TABLE calibration (name, value)",
    *_BRIDGE_FROM_3,
)
BRIDGES: dict[int, tuple[str, ...]] = {
    1: (
        "CREATE TEMP TABLE checksum (segment_id INTEGER PRIMARY KEY, vector_crc, frames_crc)",
        *_BRIDGE_FROM_2,
    ),
    2: _BRIDGE_FROM_2,
    3: _BRIDGE_FROM_3,
}
"""What lets today's queries read an earlier format that cannot be changed, in memory alone."""


def version_of(connection: sqlite3.Connection) -> int | None:
    """The format of a database; None while nothing was ever committed to it."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version or _application(connection) or _tables(connection):
        return version
    return None


def refuse_other(connection: sqlite3.Connection, path: Path) -> None:
    """Raise LibraryError for a database of another program."""
    application = _application(connection)
    if application != APPLICATION_ID and version_of(connection) is not None:
        raise LibraryError(
            f"{path} is a database of another program", hint="choose another folder: --library DIR"
        )


def _application(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA application_id").fetchone()[0])


def _tables(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def migrate(connection: sqlite3.Connection, path: Path, *, to: int) -> None:
    """Apply the missing migrations up to number ``to``, each in a transaction of its own."""
    checksums.add_functions(connection)
    while True:
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Read again inside the transaction: another process may have been faster.
            refuse_other(connection, path)
            version = version_of(connection) or 0
            if version >= to:
                connection.execute("ROLLBACK")
                return
            for statement in MIGRATIONS[version]:
                connection.execute(statement)
            if version == 0:
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute("INSERT INTO library (uuid) VALUES (?)", (os.urandom(16).hex(),))
                connection.execute("INSERT INTO generation VALUES (1, ?, 0)", (new_stamp(),))
            connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def new_stamp() -> int:
    """A random number that no other generation of any library has; fits SQLite's INTEGER."""
    # os.urandom, not secrets: that imports hmac and random, 4 ms of a cold search.
    return int.from_bytes(os.urandom(7), "little")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about ``path`` into one sentence and one hint."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explain(error, path) from error
    except OverflowError as error:
        raise C2VError(
            f"{path} cannot hold a number beyond 64 bits ({error})",
            hint="check the size and the time stamps of the files",
        ) from error


def is_for_want_of_room(error: sqlite3.Error) -> bool:
    """Whether a full disk may be the cause (of some of SQLite's files it says "I/O" instead)."""
    return "full" in str(error) or "disk I/O" in str(error)


_SIGNS_OF_DAMAGE = ("not a database", "malformed", "disk image", "Could not decode to UTF-8")


def _explain(error: sqlite3.Error, path: Path) -> C2VError:
    # By message: the error codes are attributes only from Python 3.11 on.
    text = str(error)
    if isinstance(error, sqlite3.IntegrityError):
        return C2VError(
            f"{path} refused a row that does not fit the others ({text})",
            hint="run it again with --verbose and report what it prints",
        )
    if any(words in text for words in _SIGNS_OF_DAMAGE):
        return LibraryError(
            f"{path} is damaged ({text})",
            hint="put back a copy, or move it away and index again: c2v index FOLDER",
        )
    if "full" in text:
        return NoRoomError(
            f"no space left for {path}; what was finished before is kept",
            hint="free some space and run the same command again",
        )
    if "disk I/O" in text:
        return NoRoomError(
            f"{path} could not be read or written ({text}); what was finished before is kept",
            hint="check the disk's free space and health, then run the same command again",
        )
    if "locked" in text:
        return LibraryError(
            f"another program has kept {path} busy for too long",
            hint="wait until it has finished, or stop it",
        )
    if "readonly" in text or "unable to open" in text:
        return LibraryError(
            f"{path} cannot be opened or written ({text})",
            hint="check the permissions of the file and its folder",
        )
    return LibraryError(
        f"{path}: {text}", hint="run it again with --verbose and report what it prints"
    )
