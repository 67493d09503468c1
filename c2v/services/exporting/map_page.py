"""A page with a picture of each video on a grid: one file that needs nothing beside it.

No script: the name of a video shows where the mouse or the keyboard is, a click opens the file.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape

from c2v.services.exporting.names import file_uri, name_of, readable

_SMALLEST, _LARGEST = 88, 256
"""Sides of a cell on the screen, in its pixels; a wide page is scrolled."""
_STYLE = """
:root { color-scheme: dark }
body { margin: 0; background: #181818; color: #eee; font: 13px/1.35 system-ui, sans-serif }
ol { display: grid; gap: 2px; list-style: none; margin: 0; padding: 24px 24px 64px }
li { position: relative; aspect-ratio: 1 }
a { position: absolute; inset: 0; color: inherit; text-decoration: none; background: #404040 }
img { display: block; width: 100%; height: 100%; object-fit: cover }
span { display: none; position: absolute; top: 100%; left: 50%; translate: -50% 0; z-index: 2;
  width: max-content; max-width: 240px; padding: 3px 7px; background: #000d; border-radius: 0 0 6px
  6px; overflow-wrap: anywhere; text-align: center; pointer-events: none }
a.none span { display: block; inset: 0; translate: none; width: auto; max-width: none;
  max-height: 100%; overflow: hidden; background: none; font-size: 11px }
a:hover, a:focus-visible { z-index: 1; scale: 1.25; outline: 3px solid #4a8fe7 }
a:hover span, a:focus-visible span { display: block }
li.first span { left: 0; translate: none }
li.last span { left: auto; right: 0; translate: none }
"""


def map_page(
    paths: Sequence[str], pictures: Sequence[bytes | None], *, columns: int, side: int
) -> bytes:
    """The page.

    Args:
        paths: of the videos, absolute, row by row.
        pictures: of each one a JPEG file, or None.
        columns: how many there are in a row.
        side: of the pictures, in pixels; they are never shown larger than twice that.
    """
    title = f"{len(paths):,} video{'s'[: len(paths) != 1]}"
    widths = f"minmax({min(side, _SMALLEST)}px, {min(2 * side, _LARGEST)}px)"
    grid = f"ol {{ grid-template-columns: repeat({columns}, {widths}) }}"
    cells = (
        _cell(path, picture, place % columns, columns)
        for place, (path, picture) in enumerate(zip(paths, pictures, strict=True))
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}{grid}\n</style>\n</head>\n<body>\n"
        f"<ol>\n{''.join(cells)}</ol>\n</body>\n</html>\n"
    ).encode()


def _cell(path: str, picture: bytes | None, column: int, columns: int) -> str:
    name, place = escape(name_of(path)), escape(readable(path))
    edge = {0: ' class="first"', columns - 1: ' class="last"'}.get(column, "")
    shown, kind = "", ' class="none"'
    if picture is not None:
        data = b64encode(picture).decode()
        shown, kind = f'<img alt="" src="data:image/jpeg;base64,{data}">', ""
    return (
        f'<li{edge}><a{kind} href="{escape(file_uri(path))}" title="{place}">{shown}'
        f"<span>{name}</span></a></li>\n"
    )
