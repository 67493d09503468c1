"""Opening ``library.db``: what is there, what is refused with a reason, what can only be read.

A library is made under the writer lock; one whose making was killed, or found the disk full, has
no table yet and counts as none. A disk without a free byte has no room for the shared memory that
WAL needs: then a library is opened to be read, as on a read-only medium.
"""

from __future__ import annotations

import errno
import os
import shlex
import sqlite3
import stat
from dataclasses import dataclass
from pathlib import Path

from c2v.errors import C2VError, LibraryError
from c2v.library.sqlite import schema
from c2v.library.sqlite.glance import named_libraries
from c2v.nearest import did_you_mean
from c2v.optional import upgrade_hint

BUSY_SECONDS = 30.0
_WAL_KEEP_BYTES = 64 * 1024 * 1024
_MAGIC = b"SQLite format 3\0"
_APPLICATION_PLACE = slice(68, 72)
_FOLDER_MODE = 0o700
"""What somebody films, and how it is described, is nobody else's business."""


@dataclass(frozen=True, slots=True)
class OpenDatabase:
    """A connection, and why nothing can be written through it ("" when it can)."""

    connection: sqlite3.Connection
    read_only_because: str
    lacks_room: bool = False


def exists(directory: Path) -> bool:
    """Whether there is a library, sound or not; what a killed creation left behind is none.

    Raises:
        LibraryError: the folder cannot be looked into.
    """
    path = directory / schema.DATABASE_NAME
    try:
        info = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        raise _unreachable(path, error) from error
    return not (stat.S_ISREG(info.st_mode) and _is_unmade(path, info.st_size))


def _is_unmade(path: Path, size_bytes: int) -> bool:
    """Whether a file is a database in which nothing was ever committed."""
    if size_bytes == 0:
        return True
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except OSError as error:
        raise _unreachable(path, error) from error
    if not head.startswith(_MAGIC) or head[_APPLICATION_PLACE] == schema.APPLICATION_ID.to_bytes(
        4, "big"
    ):
        return False
    if size_bytes < schema.PAGE_BYTES:
        return True  # not even its first page was written
    try:
        connection = _open_uri(path, "mode=rw" if os.access(path, os.W_OK) else "mode=ro")
        try:
            return schema.version_of(connection) is None
        finally:
            connection.close()
    except sqlite3.Error:
        return False  # opening it will say what it is


def make_folder(directory: Path) -> None:
    """Make a library's folder, for its owner alone; one that is there stays as it is.

    Raises:
        C2VError: it cannot be made.
    """
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    except (OSError, ValueError) as error:
        raise C2VError(
            f"cannot make the library folder {_shown(directory)}: {_reason(error)}",
            hint="choose another: --library DIR",
        ) from error


def open_database(directory: Path, *, create: bool = False) -> OpenDatabase:
    """Open ``directory/library.db``; with ``create`` make it where there is none.

    Raises:
        LibraryError: no such file, not a library, damaged, or written by a newer c2v.
    """
    path = directory / schema.DATABASE_NAME
    if create:
        _clear_unmade(path)
    else:
        _require(path)
    with schema.explained(path):
        opened = _connect(path, create=create)
        try:
            return _checked(opened, path, create=create)
        except sqlite3.OperationalError as error:
            opened.connection.close()
            if create or opened.read_only_because or not schema.is_for_want_of_room(error):
                raise
            # No room to bring it up to date: it can still be read.
            opened = _connect_read_only(path, str(error), lacks_room=True)
            return _checked(opened, path, create=False)


def _checked(opened: OpenDatabase, path: Path, *, create: bool) -> OpenDatabase:
    try:
        _check_and_migrate(opened, path, create=create)
    except BaseException:
        opened.connection.close()
        raise
    return opened


def _require(path: Path) -> None:
    try:
        info = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _no_library(path) from error
    except (OSError, ValueError) as error:
        raise _unreachable(path, error) from error
    if not stat.S_ISREG(info.st_mode):
        raise LibraryError(
            f"{path} is not a file, so {path.parent} is no library",
            hint="choose another folder: --library DIR",
        )
    if _is_unmade(path, info.st_size):
        raise _no_library(path)


def _no_library(path: Path) -> LibraryError:
    from c2v.config import DEFAULTS, libraries_dir

    folder = path.parent
    is_default = folder == libraries_dir() / str(DEFAULTS["library"])
    place = "" if is_default else f" --library {shlex.quote(str(folder))}"
    make = f"make one: c2v index FOLDER{place}"
    near = "" if is_default else did_you_mean(folder.name, named_libraries())
    return LibraryError(f"there is no library in {folder}", hint=f"{near} {make}".strip())


def _unreachable(path: Path, error: Exception) -> LibraryError:
    hint = "check the permissions of the file and its folder"
    if not isinstance(error, PermissionError):
        hint = "choose another folder: --library DIR"
    return LibraryError(f"cannot open {_shown(path)}: {_reason(error)}", hint=hint)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _shown(path: Path) -> str:
    """A path in a sentence: of one that no file system takes, its beginning and its end."""
    text = str(path)
    return text if len(text) <= 400 else f"{text[:100]}...{text[-40:]}"


def _clear_unmade(path: Path) -> None:
    """Take away what a killed creation left, where SQLite would take it for damage."""
    try:
        size_bytes = path.stat().st_size
    except FileNotFoundError:
        return
    if 0 < size_bytes < schema.PAGE_BYTES and _is_unmade(path, size_bytes):
        path.unlink()


def _connect(path: Path, *, create: bool) -> OpenDatabase:
    """A writable connection where the medium allows it, else a read-only one."""
    there = path.exists()
    writable = os.access(path.parent, os.W_OK) and (not there or os.access(path, os.W_OK))
    if there and not writable:
        return _connect_read_only(path, os.strerror(errno.EACCES))
    try:
        return OpenDatabase(_connect_writable(path, new=not there or path.stat().st_size == 0), "")
    except sqlite3.OperationalError as error:
        if create or not schema.is_for_want_of_room(error):
            raise
        return _connect_read_only(path, str(error), lacks_room=True)


def _connect_writable(path: Path, *, new: bool) -> sqlite3.Connection:
    connection = _open_uri(path, "mode=rwc")
    try:
        if new:
            connection.execute(f"PRAGMA page_size = {schema.PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEEP_BYTES}")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_read_only(path: Path, because: str, *, lacks_room: bool = False) -> OpenDatabase:
    """Open on a read-only medium, or a full one.

    WAL needs a shared-memory file beside the database. Where it can neither be found nor made, the
    database can still be read as *immutable*, which is right only when no commit waits in the WAL.
    If one does, and only room is lacking, an exclusive connection keeps that memory to itself.
    """
    connection = _open_uri(path, "mode=ro")
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        wal = path.with_name(path.name + "-wal")
        if not wal.exists() or wal.stat().st_size == 0:
            connection = _open_uri(path, "mode=ro&immutable=1")
        elif lacks_room:
            connection = _open_uri(path, "mode=rw")
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA query_only = ON")
        else:
            raise LibraryError(
                f"{path} was not closed cleanly and its folder is read-only ({error})",
                hint="copy the library to a writable folder and open it once",
            ) from error
    except BaseException:
        connection.close()
        raise
    return OpenDatabase(connection, because, lacks_room)


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


def _check_and_migrate(opened: OpenDatabase, path: Path, *, create: bool) -> None:
    """Refuse what is not ours or too new; bring what is older up to date."""
    newest = len(schema.MIGRATIONS)
    connection = opened.connection
    schema.refuse_other(connection, path)
    version = schema.version_of(connection)
    if version is None and not create:
        raise _no_library(path)
    if version is not None and version > newest:
        raise LibraryError(
            f"{path} was written by a newer c2v (format {version}, this one knows {newest})",
            hint=upgrade_hint(),
        )
    if version == newest:
        return
    if not opened.read_only_because:
        schema.migrate(connection, path, to=newest)
        return
    bridge = schema.BRIDGES.get(version or 0)
    if bridge is None:
        raise LibraryError(
            f"{path} has the older format {version} and cannot be changed to {newest}: "
            f"it is read-only ({opened.read_only_because})",
            hint="copy the library to a writable folder and open it once",
        )
    connection.execute("PRAGMA temp_store = MEMORY")
    for statement in bridge:
        connection.execute(statement)
