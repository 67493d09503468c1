"""Which files are there now, asked of drives of which one may never answer."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from c2v.files.mounts import Mount, drive_of, mounts

SOON_SECONDS = 0.5
"""A drive that turns answers in thousandths of a second."""
PATIENCE_SECONDS = 5.0
"""One that sleeps takes seconds to wake up; a share whose server is gone never answers."""
REMEMBERED_SECONDS = 60.0
"""So long a drive that did not answer is not asked again."""


def is_there(path: str) -> bool:
    """Whether something can be found at this path."""
    try:
        os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):  # ValueError: no path at all, out of a damaged row
        return False
    return True


class Presence:
    """Tells files that are there from those that are not; threads may share it.

    A file counts as missing when nothing can be found at its path: it was deleted or moved, its
    drive is not mounted, or its drive does not answer.
    """

    def __init__(
        self,
        look: Callable[[str], bool] = is_there,
        *,
        mounted: Callable[[], Sequence[Mount]] = mounts,
        soon: float = SOON_SECONDS,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """Ask the disk by ``look``; ``mounted`` tells its drives apart.

        After ``soon`` seconds each drive is asked by itself, and waited for for ``patience`` more.
        """
        self._look = look
        self._mounted = mounted
        self._soon = soon
        self._patience = patience
        self._silent: dict[str, float] = {}

    def missing(self, paths: Iterable[str]) -> set[str]:
        """Those of the absolute paths at which nothing is found."""
        asked = list(dict.fromkeys(paths))
        there: dict[str, bool] = {}
        first = self._ask([path for path in asked if not self._is_silent(path)], there)
        first.join(self._soon)
        if first.is_alive():
            self._wait_for_drives([path for path in asked if path not in there], there)
        return {path for path in asked if not there.get(path, False)}

    def silent_drives(self) -> list[str]:
        """Those that did not answer of late."""
        now = time.monotonic()
        return [drive for drive, since in self._silent.items() if now - since < REMEMBERED_SECONDS]

    def _is_silent(self, path: str) -> bool:
        return bool(self._silent) and any(
            path.startswith(drive.rstrip(os.sep) + os.sep) for drive in self.silent_drives()
        )

    def _wait_for_drives(self, paths: Sequence[str], there: dict[str, bool]) -> None:
        """Ask each drive by itself: what hangs on one keeps no other from answering."""
        mounted = self._mounted()
        drives: dict[str, list[str]] = {}
        for path in paths:
            if not self._is_silent(path):
                drives.setdefault(drive_of(path, mounted), []).append(path)
        asking = {drive: self._ask(on_it, there) for drive, on_it in drives.items()}
        until = time.monotonic() + self._patience
        for drive, thread in asking.items():
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                self._silent[drive] = time.monotonic()

    def _ask(self, paths: Sequence[str], there: dict[str, bool]) -> threading.Thread:
        """Look at these in a thread of their own: a system call that hangs cannot be ended."""

        def run() -> None:
            for path in paths:
                there[path] = self._look(path)

        thread = threading.Thread(target=run, name="c2v-presence", daemon=True)
        thread.start()
        return thread
