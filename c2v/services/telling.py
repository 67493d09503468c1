"""Where remarks go that are neither a result nor an error."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from c2v.files.presence import Presence

Tell = Callable[[str], None]
"""Gets one line."""


def log_notice(text: str) -> None:
    """Give a notice to the logger ``c2v``."""
    import logging  # nearly no command needs it

    logging.getLogger("c2v").info("%s", text)


def log_problem(text: str) -> None:
    """Give a problem to the logger ``c2v``."""
    import logging

    logging.getLogger("c2v").warning("%s", text)


@dataclass(frozen=True)
class Telling:
    """Two callbacks: what is good to know, and what was left out or could not be done."""

    notice: Tell = log_notice
    problem: Tell = log_problem
    _told: set[str] = field(default_factory=set)

    def once(self, tell: Tell, text: str, *, about: str = "") -> None:
        """Tell a line that has a text, unless it, or one ``about`` the same, was told before."""
        if text and (about or text) not in self._told:
            self._told.add(about or text)
            tell(text)


def tell_of_missing(
    telling: Telling, presence: Presence, left_out: Sequence[str], *, library: str
) -> None:
    """Say, once, that results were passed over because their files are not there, and why."""
    for drive in presence.silent_drives():
        telling.once(telling.problem, f"{drive} does not answer: its files count as missing")
    if not left_out:
        return
    import shlex

    first = left_out[0]
    more = f" and {count - 1} more" if (count := len(set(left_out))) > 1 else ""
    folder = shlex.quote(os.path.dirname(first))  # noqa: PTH120
    place = f" --library {shlex.quote(library)}"
    telling.once(
        telling.notice,
        f"left out, for the file is missing: {first}{more}; if it is elsewhere index that folder, "
        f"if it is gone: c2v index {folder} --prune{place}",
        about="missing files",
    )
