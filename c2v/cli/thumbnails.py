"""``c2v search --thumbnails``: a picture of each result below the table."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from c2v.cli.render import clock, short_path
from c2v.cli.session import Session
from c2v.cli.terminal_kind import Drawing, cell_size, drawing_of_terminal
from c2v.cli.terminal_pictures import UPPER_HALF, half_blocks, iterm2, kitty, resized, sixel
from c2v.cli.text import has_all
from c2v.errors import MediaError

if TYPE_CHECKING:
    from c2v.search.results import Moment

COLUMNS, ROWS = 22, 11
"""Cells of a picture: a cell is about twice as high as wide."""
_GAP = 2
_SIDE = 224
"""Pixels of a picture that the terminal makes as large as its cells, or that blocks are made of."""

Labelled = tuple["Moment", NDArray[np.uint8]]


def print_thumbnails(session: Session, moments: Sequence["Moment"]) -> None:
    """Pictures in rows as wide as the terminal; nothing where standard output is none."""
    if not moments or not session.out.is_terminal:
        return
    drawing = drawing_of_terminal()
    if drawing == "blocks" and not has_blocks(session):
        session.notice("--thumbnails: this terminal has no colours for pictures")
        return
    side = max(COLUMNS * cell_size()[0], ROWS * cell_size()[1]) if drawing == "sixel" else _SIDE
    a_row = max(1, (session.out.width + _GAP) // (COLUMNS + _GAP))
    for first in range(0, len(moments), a_row):
        row = _pictures(session, moments[first : first + a_row], side)
        if row:
            _print_row(session, row, drawing)


def has_blocks(session: Session) -> bool:
    """Whether standard output has colours and the characters to make pictures of."""
    console = session.out
    return bool(
        console.color_system and not console.no_color
        and has_all(sys.stdout.encoding or "utf-8", UPPER_HALF)
    )  # fmt: skip


def _pictures(session: Session, moments: Sequence["Moment"], side: int) -> list[Labelled]:
    from c2v.media.thumbnails import thumbnail

    row = []
    for moment in moments:
        try:
            row.append((moment, thumbnail(Path(moment.path), moment.best, side)))
        except MediaError as error:
            session.problem(f"{short_path(moment.path)} has no picture: {error.message}")
    return row


def _print_row(session: Session, row: list[Labelled], drawing: Drawing) -> None:
    from rich.text import Text

    labels = [f"{moment.rank}  {clock(moment.best)}".ljust(COLUMNS) for moment, _ in row]
    session.out.print(Text((" " * _GAP).join(labels).rstrip(), style="dim"), no_wrap=True)
    if drawing == "blocks":
        small = [half_blocks(resized(pixels, COLUMNS, 2 * ROWS)) for _, pixels in row]
        for lines in zip(*small, strict=True):
            session.out.print(Text(" " * _GAP).join(lines), no_wrap=True)
        return
    session.out.file.flush()
    # Room first, so that nothing scrolls while pictures are put beside each other.
    parts = ["\n" * ROWS, f"\x1b[{ROWS}A"]
    for place, (_, pixels) in enumerate(row):
        column = place * (COLUMNS + _GAP) + 1
        # A cursor that a picture has moved goes back to where it was.
        parts.append(f"\x1b[{column}G\x1b7{drawn(pixels, drawing, COLUMNS, ROWS)}\x1b8")
    parts.append(f"\r\x1b[{ROWS}B")
    sys.stdout.write("".join(parts))
    sys.stdout.flush()


def drawn(pixels: NDArray[np.uint8], drawing: Drawing, columns: int, rows: int) -> str:
    """A square picture over so many cells, in a notation of terminals: not as blocks."""
    if drawing == "kitty":
        return kitty(pixels, columns, rows)
    if drawing == "iterm2":
        from c2v.media.thumbnails import jpeg

        return iterm2(jpeg(pixels), columns, rows)
    width, height = cell_size()
    return sixel(resized(pixels, columns * width, rows * height))
