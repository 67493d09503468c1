"""Which store an address means: a name, a folder, and later a server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from c2v.config import expanded, libraries_dir
from c2v.errors import UsageError

if TYPE_CHECKING:
    from c2v.library.records import HnswSettings
    from c2v.library.store import Store

Address = str | os.PathLike[str]
"""A library: a name or anything that looks like a path, in text; or a path."""


def open_store(
    address: Address, *, create: bool = False, hnsw: HnswSettings | None = None
) -> Store:
    """Open the library at ``address``, read-only where its medium is.

    Args:
        create: make it, and its folder, if there is none.
        hnsw: the parameters of the approximate index, where the store has one of its own.

    Raises:
        UsageError: the address means nothing.
        LibraryError: there is none, or what is there is damaged, of another program or of a newer
            c2v; or another process is making it.
        C2VError: the folder cannot be made.
    """
    from c2v.library.sqlite.store import SqliteStore

    opening = SqliteStore.create if create else SqliteStore.open
    return opening(library_folder(address), hnsw=hnsw)


def store_exists(address: Address) -> bool:
    """Whether :func:`open_store` would find something there, sound or not.

    Raises:
        UsageError: the address means nothing.
        LibraryError: the place cannot be looked into.
    """
    from c2v.library.sqlite.store import SqliteStore

    return SqliteStore.exists(library_folder(address))


def library_folder(address: Address) -> Path:
    """The folder of a library given by name, or by anything that looks like a path.

    Raises:
        UsageError: there can be no such folder.
    """
    if not isinstance(address, str):
        return Path(address)
    if "://" in address:
        raise UsageError(
            f"--library {address}: libraries on a server are not supported",
            hint="give a name or a folder",
        )
    if "\0" in address:
        raise UsageError("--library: a name with a zero byte", hint="give a name or a folder")
    if any(mark in address for mark in ("/", "\\", "~")) or address.startswith("."):
        return expanded(address, where="--library").absolute()
    return libraries_dir() / address
