"""Weights that are fetched: said before the first connection, and a bar while they come."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from c2v.cli.session import Session
from c2v.cli.text import printable


def fetch_model(
    session: Session,
    name: str,
    *,
    origin: str | None = None,
    overwrite: bool = False,
    instead: str = "",
) -> Path:
    """Fetch a model for the user: the one road of the command line to a connection.

    ``instead`` is a command that needs none. The lines that name host and size, and the licence,
    are shown with --quiet too.

    Raises:
        ModelError: see :func:`c2v.encoder.catalogue.fetch_bundle`.
    """
    from c2v.encoder.catalogue import fetch_bundle

    def announce(line: str) -> None:
        session.problem(f"{line}; {instead} needs none" if instead else line)

    try:
        with _download_bar(session, name) as on_progress:
            return fetch_bundle(
                name,
                announce=announce,
                remark=session.problem,
                on_progress=on_progress,
                origin=origin,
                overwrite=overwrite,
            )
    except KeyboardInterrupt:
        session.notice(
            f"{name} was not fetched in full, and no model was made of it; what came is kept, to "
            f"go on: c2v model pull {name}"
        )
        raise


@contextmanager
def _download_bar(session: Session, name: str) -> Iterator[Callable[[int, int], None]]:
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
