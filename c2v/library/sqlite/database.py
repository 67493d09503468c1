"""One connection to ``library.db``: transactions, the generation counter, and rows.

SQL is written in a few files only: ``schema.py`` makes the tables, ``opening.py`` opens them, this
one holds transactions and the small tables, the files named ``..._table.py`` a subject each, and
``passing.py`` the filters. Every value is a parameter.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from c2v.errors import LibraryError
from c2v.library.records import Identity, ModelRecord
from c2v.library.sqlite import checksums, schema
from c2v.library.sqlite.opening import open_database

Row = tuple[Any, ...]
_IDS_PER_QUERY = 500
"""Ids in one ``IN (...)``; SQLite builds before 3.32 allow 999 parameters."""


def _file_identity(path: Path) -> tuple[int, int] | None:
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_dev, info.st_ino


class Database:
    """A library's tables behind transactions that are all or nothing.

    Threads may share it: one works at a time, and a transaction keeps the others out. Which
    process may write is the library's business (``lock.py``), and so are caches.
    """

    def __init__(self, directory: Path, *, create: bool = False) -> None:
        self.path = directory / schema.DATABASE_NAME
        self._open(directory, create=create)
        self._generation_due = False
        self._reading = False
        self._guard = threading.RLock()
        try:
            with schema.explained(self.path):
                self.uuid = str(self.all("SELECT uuid FROM library")[0][0])
        except BaseException:
            self.close()
            raise

    def _open(self, directory: Path, *, create: bool) -> None:
        opened = open_database(directory, create=create)
        self._connection = opened.connection
        self.read_only_because = opened.read_only_because
        """Why nothing can be written; "" when it can."""
        self.lacks_room = opened.lacks_room
        self._file = _file_identity(self.path)

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written."""
        return bool(self.read_only_because)

    def reopen(self) -> None:
        """Open it again: there may be room on the disk now."""
        with self._guard:
            self._connection.close()
            self._open(self.path.parent, create=False)

    def is_in_place(self) -> bool:
        """Whether the file that was opened is still at its path."""
        return self._file == _file_identity(self.path)

    def close(self) -> None:
        """Close the connection; the last one to close folds the WAL into the database."""
        self._connection.close()

    # -- transactions ---------------------------------------------------------------------------

    def refuse_in_write(self, what: str) -> None:
        """Raise RuntimeError inside a write: caches must never be made of uncommitted rows."""
        if self._connection.in_transaction and not self._reading:
            raise RuntimeError(f"{what} inside a batch or write; leave the block first")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Everything read inside sees one state of the library."""
        with self._guard, schema.explained(self.path):
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN")
            self._reading = True
            try:
                yield
            finally:
                self._reading = False
                self._connection.execute("COMMIT")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction; inside another one, a savepoint of it. All or nothing either way."""
        with self._guard, schema.explained(self.path):
            if self._reading:
                raise RuntimeError("a write inside a snapshot would not be seen by it")
            nested = self._connection.in_transaction
            due_before = self._generation_due
            self._connection.execute("SAVEPOINT nested" if nested else "BEGIN IMMEDIATE")
            try:
                yield
                if nested:
                    self._connection.execute("RELEASE nested")
                else:
                    self._commit()
            except BaseException:
                self._generation_due = due_before
                self._undo(nested=nested)
                raise

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Group the writes inside into one commit; each of them is still all or nothing.

        When the block is left by an exception (Ctrl-C, say), the finished writes are committed.
        """
        with self._guard, schema.explained(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                # SQLite itself rolls the whole transaction back on a full disk, for one.
                if self._connection.in_transaction:
                    try:
                        self._commit()
                    except BaseException:
                        self._undo(nested=False)
                        raise
                self._generation_due = False

    def vectors_change(self) -> None:
        """Note that the open transaction changes vectors: its commit makes a new generation."""
        self._generation_due = True

    def _commit(self) -> None:
        if self._generation_due:
            number = int(self.all("SELECT max(number) FROM generation")[0][0])
            last = self.all("SELECT seq FROM sqlite_sequence WHERE name = 'segment'")
            self._connection.execute(
                "INSERT INTO generation VALUES (?, ?, ?)",
                (number + 1, schema.new_stamp(), last[0][0] if last else 0),
            )
        self._connection.execute("COMMIT")
        self._generation_due = False

    def _undo(self, *, nested: bool) -> None:
        if not self._connection.in_transaction:
            return
        if nested:
            self._connection.execute("ROLLBACK TO nested")
            self._connection.execute("RELEASE nested")
        else:
            self._connection.execute("ROLLBACK")

    def problems(self) -> list[str]:
        """SQLite's own check of the file, foreign keys included; empty when all is well."""
        found = [str(row[0]) for row in self.all("PRAGMA integrity_check")]
        orphans = self.all("PRAGMA foreign_key_check")
        found += [f"a row of {table} belongs to no {parent}" for table, _, parent, _ in orphans]
        return [line for line in found if line != "ok"]

    def checkpoint(self) -> None:
        """Fold the WAL into the database now, as far as readers allow."""
        with self._guard, schema.explained(self.path):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def free_bytes(self) -> tuple[int, int]:
        """How much of the file is free for later rows, and how large it is altogether."""
        free, pages, page = (
            int(self.all(f"PRAGMA {name}")[0][0])
            for name in ("freelist_count", "page_count", "page_size")
        )
        return free * page, pages * page

    def vacuum(self) -> None:
        """Write the file anew without what is free in it."""
        with self._guard, schema.explained(self.path):
            self._connection.execute("VACUUM")
        self.checkpoint()

    # -- rows -----------------------------------------------------------------------------------

    def execute(self, query: str, *values: object) -> sqlite3.Cursor:
        """Run one statement; ``rowcount`` and ``lastrowid`` are in the cursor."""
        return self._connection.execute(query, values)

    def execute_many(self, query: str, rows: Iterable[Sequence[object]]) -> None:
        """Run one statement for each row of values."""
        self._connection.executemany(query, rows)

    def all(self, query: str, *values: object) -> list[Row]:
        """All rows of a query."""
        with self._guard, schema.explained(self.path):
            rows: list[Row] = self._connection.execute(query, values).fetchall()
        return rows

    def each(self, query: str, *values: object, rows: int) -> Iterator[list[Row]]:
        """The rows of a query in lists of at most ``rows``, read as they are asked for."""
        with schema.explained(self.path):
            cursor = self._connection.execute(query, values)
            while chunk := cursor.fetchmany(rows):
                yield chunk

    def all_in(self, query: str, ids: Sequence[int]) -> Iterator[Row]:
        """Rows of ``query`` + ``(?, ?, ...)`` for the ids, in no promised order."""
        for start in range(0, len(ids), _IDS_PER_QUERY):
            chunk = [int(i) for i in ids[start : start + _IDS_PER_QUERY]]
            yield from self.all(f"{query} ({', '.join('?' * len(chunk))})", *chunk)

    def state(self) -> tuple[int, int]:
        """Another pair of numbers after every commit, by whatever process; ask it while reading."""
        return int(self.all("PRAGMA data_version")[0][0]), self._connection.total_changes

    # -- model and generation -------------------------------------------------------------------

    def model(self) -> ModelRecord | None:
        """The model that filled the library, or None before the first."""
        rows = self.all("SELECT * FROM model")
        if not rows:
            return None
        # A library of an earlier format that cannot be changed has no checksum here.
        _, name, fingerprint, towers, feature_dim, vector_dim, *checksum = rows[0]
        texts, dims = (name, fingerprint, towers), (feature_dim, vector_dim)
        if all(isinstance(text, str) for text in texts) and all(
            isinstance(dim, int) and dim >= 1 for dim in dims
        ):
            model = ModelRecord(name, fingerprint, towers, feature_dim, vector_dim)
            if checksum in ([], [None], [checksums.of_model(model)]):
                return model
        raise LibraryError(
            f"{self.path} is damaged (the row that names its model)",
            hint="put back a copy, or move it away and index again: c2v index FOLDER",
        )

    def write_model(self, model: ModelRecord) -> None:
        """Record ``model`` in place of the one before."""
        self.execute(
            "INSERT OR REPLACE INTO model (id, name, fingerprint, towers_fingerprint, feature_dim, "
            "vector_dim, checksum) VALUES (1, ?, ?, ?, ?, ?, ?)",
            model.name,
            model.fingerprint,
            model.towers_fingerprint,
            model.feature_dim,
            model.vector_dim,
            checksums.of_model(model),
        )
        self.vectors_change()

    def identity(self) -> Identity | None:
        """What a cache made of the present state would say of itself; None without a model."""
        model = self.model()
        if model is None:
            return None
        number, stamp = self.all(
            "SELECT number, stamp FROM generation ORDER BY number DESC LIMIT 1"
        )[0]
        return Identity(self.uuid, model.fingerprint, model.vector_dim, number, stamp)

    def last_segment_at(self, generation: int, stamp: int) -> int | None:
        """The highest segment id at an earlier generation; None if it is not of this history."""
        rows = self.all(
            "SELECT last_segment_id FROM generation WHERE number = ? AND stamp = ?",
            generation,
            stamp,
        )
        return int(rows[0][0]) if rows else None

    def first_generation(self) -> int:
        """The earliest generation of the history that is still known."""
        return int(self.all("SELECT min(number) FROM generation")[0][0])

    def forget_generations(self, *, before: int) -> None:
        """Drop the history that no cache on disk refers to any more."""
        self.execute("DELETE FROM generation WHERE number < ?", before)
