"""What fails in a run, and what failed before: only the first is news.

A failure is remembered with the state of its file. While that stays the same the file is not tried
again, and counts among the known ones. Folders that cannot be looked into are remembered, too: a
drive may have one that its owner will never be let into (``lost+found``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from c2v.errors import ChangedError
from c2v.indexing.options import IndexOptions
from c2v.indexing.plan import Refused, is_below
from c2v.indexing.report import Failure, Tally
from c2v.library import FOLDER_BYTES, Store
from c2v.media.identity import modified_ns
from c2v.media.scan import ScanProblem


def note_problems(
    library: Store,
    problems: Iterable[ScanProblem],
    *,
    named: Sequence[Path],
    options: IndexOptions,
    tally: Tally,
) -> None:
    """Report what could not be looked at, and remember it unless it was ``named`` itself.

    With ``prune`` a named place that is missing is not told: what was in it is.
    """
    known = {failure.path: failure for failure in library.failures()}
    again = options.retry_failed or options.reread
    for problem in problems:
        failure = Failure(problem.path, problem.reason)
        listed = tally.folders if problem.kind == "folder" else tally.failed
        if problem.kind == "rule" or problem.path in named:
            if not (options.prune and problem.kind == "file"):
                listed.append(failure)
            continue
        size_bytes, mtime_ns = _state(problem)
        before = known.get(str(problem.path))
        if (
            before is not None
            and not again
            and (before.size_bytes, before.mtime_ns) == (size_bytes, mtime_ns)
        ):
            tally.known_failures += 1
            continue
        listed.append(failure)
        library.record_failure(
            str(problem.path), size_bytes=size_bytes, mtime_ns=mtime_ns, reason=problem.reason
        )


def note_refused(library: Store, refused: Iterable[Refused], tally: Tally) -> None:
    """Report files that could not even be opened, and remember those that stayed as they were."""
    for one in refused:
        file, error = one.file, one.error
        tally.failed.append(Failure(file.path, error.message, error.trace))
        if not isinstance(error, ChangedError):
            library.record_failure(
                str(file.path),
                size_bytes=file.size_bytes,
                mtime_ns=file.mtime_ns,
                reason=error.message,
            )


def forget_gone(library: Store, *, named: Sequence[Path], problems: Sequence[ScanProblem]) -> None:
    """Forget failures below the named folders of files that are gone, and of folders that are
    gone or can be looked into again.

    Nothing is known of what is in a folder that cannot be looked into, or is missing itself.
    """
    still = {str(problem.path) for problem in problems}
    unread = [problem.path for problem in problems if problem.kind == "folder"]
    folders = [folder for folder in named if folder.is_dir()]
    over = []
    for failure in library.failures():
        path = Path(failure.path)
        if failure.path in still or not is_below(path, folders) or is_below(path, unread):
            continue
        if failure.is_folder or _is_gone(path):
            over.append(failure.path)
    if over:
        library.clear_failures(over)


def _state(problem: ScanProblem) -> tuple[int, int]:
    """Size and time stamp of what is there, a link itself; the same for a folder at all times."""
    if problem.kind == "folder":
        return FOLDER_BYTES, 0
    try:
        status = problem.path.lstat()
    except OSError:
        return 0, 0
    return status.st_size, modified_ns(status)


def _is_gone(path: Path) -> bool:
    """Nothing is there, not even a broken link; what cannot be looked at is not gone."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
