"""Where remarks go that are neither a result nor an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

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

    def once(self, tell: Tell, text: str) -> None:
        """Tell a line that has a text and has not been told before."""
        if text and text not in self._told:
            self._told.add(text)
            tell(text)
