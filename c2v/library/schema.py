"""The database: its tables, its migrations, and how it is opened.

Five tables hold the content, one the history of changes:

* ``video``, ``segment``: small rows, so that listings and joins stay in few pages;
* ``vector``: the head's vector of each segment, float32. A table of its own, so that the matrix
  can be rebuilt without reading features;
* ``feature``: stage 1's frame features of each segment, float16, by far the largest table;
* ``failure``: files that could not be read, so that they are not decoded again;
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

from c2v.errors import C2VError, LibraryError
from c2v.optional import upgrade_hint

DATABASE_NAME = "library.db"
APPLICATION_ID = 0x63327631
"""``c2v1`` in ASCII: ``file library.db`` can tell whose database it is."""
PAGE_BYTES = 4096
BUSY_SECONDS = 30.0
_WAL_KEEP_BYTES = 64 * 1024 * 1024

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
)
"""Append only: the n-th entry takes a database from ``user_version`` n to n + 1."""


def open_database(directory: Path, *, create: bool = False) -> tuple[sqlite3.Connection, bool]:
    """Open ``directory/library.db``; returns the connection and whether it is read-only.

    Raises:
        LibraryError: no such file, not a library, damaged, or written by a newer c2v.
        C2VError: the folder cannot be made or written.
    """
    path = directory / DATABASE_NAME
    if create:
        _make_folder(directory)
    else:
        _require(path)
    with explained(path):
        connection, read_only = _connect(path)
        try:
            _check_and_migrate(connection, path, read_only=read_only)
        except BaseException:
            connection.close()
            raise
    return connection, read_only


def _require(path: Path) -> None:
    try:
        size_bytes = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError) as error:
        raise LibraryError(
            f"there is no library in {path.parent}", hint="make one: c2v index FOLDER"
        ) from error
    except OSError as error:
        raise LibraryError(
            f"cannot open {path}: {error.strerror}",
            hint="check the permissions of the file and its folder",
        ) from error
    if size_bytes == 0:
        raise LibraryError(f"{path} is empty", hint="index again: c2v index FOLDER")


def _make_folder(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise C2VError(f"cannot make the library folder {directory}: {error.strerror}") from error


def _connect(path: Path) -> tuple[sqlite3.Connection, bool]:
    """A writable connection where the medium allows it, else a read-only one."""
    exists = path.exists()
    writable = os.access(path.parent, os.W_OK) and (not exists or os.access(path, os.W_OK))
    if exists and not writable:
        return _connect_read_only(path), True
    connection = _open_uri(path, "mode=rwc")
    try:
        if not exists or path.stat().st_size == 0:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEEP_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection, False


def _connect_read_only(path: Path) -> sqlite3.Connection:
    """Open on a read-only medium.

    WAL needs a shared-memory file beside the database. Where it can neither be found nor made, the
    database can still be read as *immutable*, which is right only when no commit waits in the WAL.
    """
    connection = _open_uri(path, "mode=ro")
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        wal = path.with_name(path.name + "-wal")
        if wal.exists() and wal.stat().st_size > 0:
            raise LibraryError(
                f"{path} was not closed cleanly and its folder is read-only ({error})",
                hint="copy the library to a writable folder and open it once",
            ) from error
        return _open_uri(path, "mode=ro&immutable=1")
    except BaseException:
        connection.close()
        raise
    return connection


def _open_uri(path: Path, query: str) -> sqlite3.Connection:
    # No implicit transactions: the store writes BEGIN itself. Threads are kept apart by the
    # library's own lock, which sqlite3 cannot know.
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{query}",
        uri=True,
        isolation_level=None,
        timeout=BUSY_SECONDS,
        check_same_thread=False,
    )


def _check_and_migrate(connection: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
    """Refuse what is not ours or too new; bring what is older up to date."""
    newest = len(MIGRATIONS)
    version = _version(connection, path)
    if version > newest:
        raise LibraryError(
            f"{path} was written by a newer c2v (format {version}, this one knows {newest})",
            hint=upgrade_hint(),
        )
    if version == newest:
        return
    if read_only:
        raise LibraryError(
            f"{path} has the older format {version} and cannot be changed to {newest}: "
            "it is read-only",
            hint="copy the library to a writable folder and open it once",
        )
    migrate(connection, path, to=newest)


def _version(connection: sqlite3.Connection, path: Path) -> int:
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if application != APPLICATION_ID and (application or version or tables):
        raise LibraryError(
            f"{path} is a database of another program", hint="choose another folder: --library DIR"
        )
    return version


def migrate(connection: sqlite3.Connection, path: Path, *, to: int) -> None:
    """Apply the missing migrations up to number ``to``, each in a transaction of its own."""
    while True:
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Read again inside the transaction: another process may have been faster.
            version = _version(connection, path)
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


def _explain(error: sqlite3.Error, path: Path) -> C2VError:
    # By message: the error codes are attributes only from Python 3.11 on.
    text = str(error)
    if isinstance(error, sqlite3.IntegrityError):
        return C2VError(f"{path} refused a row that does not fit the others ({text})")
    if "not a database" in text or "malformed" in text or "disk image" in text:
        return LibraryError(
            f"{path} is damaged ({text})",
            hint="put back a copy, or move it away and index again: c2v index FOLDER",
        )
    if "full" in text:
        return C2VError(
            f"no space left for {path}; what was finished before is kept",
            hint="free some space and run the same command again",
        )
    if "disk I/O" in text:
        return C2VError(
            f"{path} could not be read or written ({text}); what was finished before is kept",
            hint="check the disk's free space and health, then run the same command again",
        )
    if "locked" in text:
        return LibraryError(
            f"another program has kept {path} busy for {BUSY_SECONDS:.0f} s",
            hint="wait until it has finished, or stop it",
        )
    if "readonly" in text or "unable to open" in text:
        return LibraryError(
            f"{path} cannot be opened or written ({text})",
            hint="check the permissions of the file and its folder",
        )
    return LibraryError(f"{path}: {text}")
