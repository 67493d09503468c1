"""The picture beside the results of ``c2v search -i``: drawn as the terminal can."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from c2v.cli.latest import Latest
from c2v.cli.session import Session
from c2v.cli.terminal_kind import cell_size, drawing_of_terminal
from c2v.cli.terminal_pictures import UPPER_HALF, resized
from c2v.cli.thumbnails import drawn, has_blocks
from c2v.errors import MediaError

if TYPE_CHECKING:
    from prompt_toolkit.formatted_text import StyleAndTextTuples

    from c2v.search.results import Moment

_SIDE = 224
_MOST_PICTURES = 64
_FORGET_KITTY = "\x1b_Ga=d,q=2\x1b\\"
"""All pictures that kitty shows: they lie over the text and do not go by themselves."""

Which = tuple[str, float]
"""A file and a time in it."""


class Preview:
    """The picture of one moment at a time; asking for it never waits."""

    def __init__(
        self,
        session: Session,
        changed: Callable[[], None],
        crashed: Callable[[Exception], None],
    ) -> None:
        """Ask the terminal what it can draw, which has to be done before anything reads its keys.

        ``changed`` is called by another thread when a picture has come, ``crashed`` with what is
        no fault of a file.
        """
        self._drawing = drawing_of_terminal()
        self.possible = self._drawing != "blocks" or has_blocks(session)
        self._pictures: dict[Which, NDArray[np.uint8] | str] = {}
        self._wanted: Which | None = None
        self._on_screen: object = None
        self._changed, self._crashed = changed, crashed
        self._finder: Latest[Which, NDArray[np.uint8]] = Latest(self._find, self._put, self._lack)

    def has(self, moment: "Moment") -> bool:
        """Whether nothing has to be read to show it."""
        return (moment.path, moment.best) in self._pictures

    def show(self, moment: "Moment | None") -> None:
        """Let this be the moment that is looked at."""
        if not self.possible:
            return
        self._wanted = None if moment is None else (moment.path, moment.best)
        if self._wanted is not None and self._wanted not in self._pictures:
            self._finder.ask(self._wanted)

    def stop(self) -> None:
        """Let go of the thread, and of what would stay on the screen."""
        self._finder.stop()
        if self._drawing == "kitty":
            sys.stdout.write(_FORGET_KITTY)

    def lines(self, columns: int, rows: int) -> "StyleAndTextTuples":
        """The picture as text: blocks, or nothing where the terminal draws better ones."""
        picture = self._pictures.get(self._wanted) if self._wanted else None
        if isinstance(picture, str):
            return [("class:dim", picture)]
        if picture is None or self._drawing != "blocks":
            return []
        made: StyleAndTextTuples = []
        small = resized(picture, columns, 2 * rows).tolist()
        for upper, lower in zip(small[0::2], small[1::2], strict=True):
            for above, below in zip(upper, lower, strict=True):
                made.append((f"fg:{_hex(above)} bg:{_hex(below)}", UPPER_HALF))
            made.append(("", "\n"))
        return made

    def forget_screen(self) -> None:
        """Something else was on the screen: what was drawn there is gone."""
        self._on_screen = None

    def draw(self, column: int, row: int, columns: int, rows: int) -> str:
        """What puts the picture at a cell (from 0) of the screen; nothing where it is there."""
        if not self.possible or self._drawing == "blocks":
            return ""
        picture = self._pictures.get(self._wanted) if self._wanted else None
        now = (self._wanted if picture is not None else None, column, row, columns, rows)
        if now == self._on_screen or not columns:
            return ""
        self._on_screen = now
        parts = ["\x1b7", _FORGET_KITTY if self._drawing == "kitty" else ""]
        if isinstance(picture, np.ndarray):
            parts.append(f"\x1b[{row + 1};{column + 1}H")
            parts.append(drawn(picture, self._drawing, columns, rows))
        elif self._drawing != "kitty":
            parts += [f"\x1b[{row + line + 1};{column + 1}H\x1b[{columns}X" for line in range(rows)]
        return "".join([*parts, "\x1b8"])

    def _find(self, which: Which) -> NDArray[np.uint8]:
        from c2v.media.thumbnails import thumbnail

        side = _SIDE
        if self._drawing == "sixel":  # as many pixels as the largest preview has
            width, height = cell_size()
            side = max(_SIDE, 44 * width, 22 * height)
        return thumbnail(Path(which[0]), which[1], side)

    def _put(self, which: Which, found: "NDArray[np.uint8] | str") -> None:
        self._pictures[which] = found
        if len(self._pictures) > _MOST_PICTURES:
            del self._pictures[next(iter(self._pictures))]
        self._changed()

    def _lack(self, which: Which, error: Exception) -> None:
        if isinstance(error, MediaError):
            self._put(which, f"no picture: {error.message}")
        else:
            self._crashed(error)


def _hex(colour: list[int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
