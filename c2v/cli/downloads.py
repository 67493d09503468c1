"""A progress bar for weights that are fetched."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from c2v.cli.session import Session
from c2v.cli.text import printable


@contextmanager
def download_bar(session: Session, name: str) -> Iterator[Callable[[int, int], None]]:
    """A function to tell how many bytes of how many have come."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    progress = Progress(
        TextColumn("fetching {task.description}", markup=False),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        console=session.err,
        transient=True,
        disable=session.quiet or not session.err.is_terminal,
    )
    with progress:
        task = progress.add_task(printable(name), total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total or None)
