"""The videos of a captions file that are on disk and not in the library: indexed on the way."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from c2v.encoder.catalogue import Fetch
    from c2v.indexing.report import IndexProgress
    from c2v.services.telling import Tell
    from c2v.services.workspace import Workspace


def is_filled(space: Workspace) -> bool:
    """Whether there is a library that something was indexed into."""
    return space.exists and space.store.model is not None


def index_missing(
    space: Workspace,
    paths: Iterable[str],
    *,
    model: str | None,
    notice: Tell,
    indexing: Callable[[], AbstractContextManager[IndexProgress]],
    fetch: Fetch | None,
    stop: threading.Event,
) -> None:
    """Bring those videos into the library that are on disk and not in it.

    ``model`` fills a library that is made here, and never re-embeds somebody's.

    Raises:
        KeyboardInterrupt: ``stop`` was set.
    """
    from c2v.services.filling import IndexArguments, fill

    known: set[str] = set()
    if is_filled(space):
        known = {video.path for video in space.store.videos()}
        known |= {failure.path for failure in space.store.failures()}
        model = None
    new = [
        Path(path)
        for path in paths
        if path not in known and os.path.realpath(path) not in known and Path(path).is_file()
    ]
    if not new:
        return
    notice(f"indexing {len(new)} videos that are not in the library yet")
    with indexing() as progress:
        how: IndexArguments = {"model": model, "progress": progress, "fetch": fetch, "stop": stop}
        fill(space, new, how)
    if stop.is_set():
        raise KeyboardInterrupt
