"""Files that are either whole or what they were: written beside the target and moved there.

This is for what is written in a moment: a process that is killed in it leaves a file
``TARGET.*.tmp`` behind. What takes longer, or is large, is a draft (:mod:`c2v.files.drafts`), whose
leavings are swept.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_NUMBERS = itertools.count()
"""Of the writers of this process: threads write side by side."""


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """A file to fill; it takes the place of ``path`` in one step when the block ends well.

    Args:
        path: its folder must be there.
        durable: have it on the disk, also when the power goes, before this ends. Without, a file
            of before or an empty one may be found then: for what is checked when it is read.

    Raises:
        OSError: it cannot be written; ``path`` is what it was.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{next(_NUMBERS)}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # what went wrong first is what is told
            temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def write_file(path: Path, content: bytes | str, *, durable: bool = True) -> None:
    """Write ``content`` (text as UTF-8) as :func:`replacing` does; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, durable=durable) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system has a call for it."""
    if os.name == "nt":  # it has none, and needs none
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some file systems have no sync for folders
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
