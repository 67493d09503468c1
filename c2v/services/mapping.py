"""A map of a library: a picture of every video, like ones beside each other, as PNG or HTML.

1,000 short videos take 5 s on two cores, and make a PNG of 22 MB or a page of 5; 10,000 take a
minute, and of memory 650 MB (PNG) or 340 (page). Nearly all of the time goes into the pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from c2v.errors import C2VError, MediaError, UsageError
from c2v.search.sequences import ResultSequence
from c2v.services.places import StrPath, expanded_path
from c2v.services.selecting import tell_of_damage, videos_meant
from c2v.services.workspace import Workspace

if TYPE_CHECKING:
    pass

_KINDS = (".png", ".html", ".htm")
_SMALLEST, _LARGEST = 64, 256
"""Sides of a video's picture, in pixels."""
_USUAL_WIDTH, _WIDEST = 4096, 16384
"""Of the map; of very many videos the pictures are smaller than the smallest, to stay below."""
_GAP = 2
_PAPER, _NOTHING = 24, 64
"""Shades of grey: between the pictures, and in the place of one that there is not."""


@dataclass(frozen=True, slots=True)
class MapCell:
    """A video and its place; columns and rows are counted from 0, at the top left."""

    path: str
    column: int
    row: int
    has_picture: bool
    """Whether one could be read: the file may be gone."""

    def as_dict(self) -> dict[str, Any]:
        """One of the ``videos`` in the JSON of ``c2v map``."""
        return {
            "path": self.path,
            "column": self.column,
            "row": self.row,
            "has_picture": self.has_picture,
        }


@dataclass(frozen=True, slots=True)
class LibraryMap(ResultSequence[MapCell]):
    """What was drawn, row by row."""

    library: str
    file: str | None
    """The absolute path; None where there was nothing to draw, and nothing was written."""
    columns: int
    rows: int
    results: tuple[MapCell, ...]

    def as_dict(self) -> dict[str, Any]:
        """The JSON of ``c2v map``."""
        return {
            "library": self.library,
            "file": self.file,
            "columns": self.columns,
            "rows": self.rows,
            "videos": [cell.as_dict() for cell in self],
        }


def _check_target(file: Path) -> None:
    """Before pictures are read for minutes: what kind of map it is to be, and whether it can be."""
    if file.suffix.lower() not in _KINDS:
        raise UsageError(
            f"--output {file}: a map is a .png or an .html file", hint="c2v map --output map.html"
        )
    if not file.parent.is_dir():
        raise C2VError(
            f"{file} cannot be written: there is no such folder", hint=f"mkdir -p {file.parent}"
        )
    if file.is_dir():
        raise C2VError(
            f"{file} cannot be written: it is a folder", hint="c2v map --output map.html"
        )


def map_videos(
    space: Workspace,
    paths: Iterable[StrPath] | StrPath,
    file: StrPath,
    *,
    on_progress: Callable[[int, int], None] | None,
) -> LibraryMap:
    """Draw the videos that ``paths`` mean; see :class:`VideoLibrary`."""
    from c2v.search.grid_layout import grid_layout, grid_size
    from c2v.search.video_vectors import video_vectors

    target = expanded_path(file).absolute()
    _check_target(target)
    store = space.store
    known = video_vectors(store, videos_meant(store, paths))
    tell_of_damage(space, known.left_out)
    count = len(known.videos)
    if not count:
        return LibraryMap(store.address, None, 0, 0, ())
    columns, rows = grid_size(count)
    order = np.argsort(grid_layout(known.vectors))  # which video is in each cell
    places = [(known.videos[one].path, float(known.typical_seconds[one])) for one in order]
    is_page = target.suffix.lower() != ".png"
    side = _side(columns)
    pictures = _Pictures(space, places, max(side, _SMALLEST) if is_page else side, on_progress)
    _write(target, pictures, columns, rows, is_page=is_page)
    pictures.tell_of_failures()
    cells = tuple(
        MapCell(path, place % columns, place // columns, place not in pictures.failed)
        for place, (path, _) in enumerate(places)
    )
    return LibraryMap(store.address, str(target), columns, rows, cells)


def _side(columns: int) -> int:
    """Of the picture of a video in so many columns."""
    usual = min(_LARGEST, max(_SMALLEST, _USUAL_WIDTH // columns))
    return max(4, min(usual, _WIDEST // columns - _GAP))


class _Pictures:
    """The pictures of some videos, read a few at a time, in their order."""

    def __init__(
        self,
        space: Workspace,
        places: list[tuple[str, float]],
        side: int,
        on_progress: Callable[[int, int], None] | None,
    ) -> None:
        self.places = places
        self.side = side
        self.failed: dict[int, str] = {}
        """Why there is no picture of some of them."""
        self._space = space
        self._on_progress = on_progress

    def read(self, use: Callable[[int, NDArray[np.uint8]], None]) -> None:
        """Give every picture [side, side, 3] to ``use``, with its number, on several threads."""
        from c2v.cores import share_out, usable_cores
        from c2v.media.thumbnails import thumbnail

        done = 0

        def read_one(number: int) -> None:
            nonlocal done
            path, seconds = self.places[number]
            try:
                use(number, thumbnail(Path(path), seconds, self.side))
            except MediaError as error:
                self.failed[number] = error.message
            done += 1
            if self._on_progress is not None:
                self._on_progress(done, len(self.places))

        share_out(range(len(self.places)), read_one, threads=usable_cores())

    def tell_of_failures(self) -> None:
        """One line on files of which there is no picture: the first, and how many more."""
        if self.failed:
            first = min(self.failed)
            more = f" and {len(self.failed) - 1} more" if len(self.failed) > 1 else ""
            path = self.places[first][0]
            reason = self.failed[first].removeprefix(f"{path}: ").removeprefix(f"{path} ")
            self._space.telling.problem(f"no picture of {path}{more}: {reason}")


def _write(target: Path, pictures: _Pictures, columns: int, rows: int, *, is_page: bool) -> None:
    from c2v.files.drafts import output_draft

    content = _page(pictures, columns) if is_page else _png(pictures, columns, rows)
    try:
        with output_draft(target) as draft:
            draft.write_bytes(content)
    except OSError as error:
        raise C2VError(
            f"{target} cannot be written: {error.strerror}",
            hint="choose another file: c2v map --output map.html",
        ) from error


def _png(pictures: _Pictures, columns: int, rows: int) -> bytes:
    from c2v.media.thumbnails import png

    side, step = pictures.side, pictures.side + _GAP
    canvas = np.full((rows * step + _GAP, columns * step + _GAP, 3), _PAPER, np.uint8)

    def corner(number: int) -> tuple[slice, slice]:
        top, left = (place * step + _GAP for place in divmod(number, columns))
        return slice(top, top + side), slice(left, left + side)

    def draw(number: int, picture: NDArray[np.uint8]) -> None:
        canvas[corner(number)] = picture

    pictures.read(draw)
    for number in pictures.failed:
        canvas[corner(number)] = _NOTHING
    return png(canvas)


def _page(pictures: _Pictures, columns: int) -> bytes:
    from c2v.media.thumbnails import jpeg
    from c2v.services.exporting.map_page import map_page

    files: dict[int, bytes] = {}

    def keep(number: int, picture: NDArray[np.uint8]) -> None:
        files[number] = jpeg(picture)

    pictures.read(keep)
    paths = [path for path, _ in pictures.places]
    jpegs = [files.get(number) for number in range(len(paths))]
    return map_page(paths, jpegs, columns=columns, side=pictures.side)
