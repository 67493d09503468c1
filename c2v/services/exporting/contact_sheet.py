"""A page with a picture of each moment: one file that needs nothing beside it, and no script.

A click opens the video at the moment: ``file://`` addresses with ``#t=START,END``, which browsers
understand. The page may lie anywhere, for as long as the videos stay where they are.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from c2v.errors import MediaError
from c2v.services.exporting.names import file_uri, name_of, readable
from c2v.services.playing import seconds_text

if TYPE_CHECKING:
    from c2v.search.results import Moment

_SIDE = 256
"""Of the pictures, in pixels."""
_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1b1b; --soft: #666; --card: #f2f2f2 }
@media (prefers-color-scheme: dark) {
  :root { --paper: #161616; --ink: #eee; --soft: #a0a0a0; --card: #242424 }
}
body { margin: 2rem; background: var(--paper); color: var(--ink); font: 15px/1.4 system-ui,
  sans-serif }
h1 { font-size: 1.3rem; font-weight: 600 }
ol { display: grid; grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); gap: 1rem;
  list-style: none; margin: 0; padding: 0 }
a { display: block; height: 100%; border-radius: 8px; overflow: hidden; background: var(--card);
  color: inherit; text-decoration: none }
a:hover, a:focus-visible { outline: 3px solid #4a8fe7 }
img, .none { display: block; width: 100%; aspect-ratio: 1; object-fit: cover }
.none { display: grid; place-items: center; color: var(--soft) }
.name, .at { display: block; padding: .5rem .7rem 0; overflow-wrap: anywhere }
.at { padding: 0 .7rem .6rem; color: var(--soft); font-variant-numeric: tabular-nums }
"""


def contact_sheet(
    moments: Sequence[Moment], title: str, on_problem: Callable[[str], None]
) -> bytes:
    """The page; a file without a picture keeps its place, and ``on_problem`` is told why."""
    heading = escape(readable(title))
    cards = [_card(moment, on_problem) for moment in moments]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{heading}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{heading}</h1>\n<ol>\n{''.join(cards)}</ol>\n</body>\n</html>\n"
    ).encode()


def _card(moment: Moment, on_problem: Callable[[str], None]) -> str:
    span = f"{seconds_text(moment.start)},{seconds_text(moment.end)}"
    address = escape(f"{file_uri(moment.path)}#t={span}")
    name = escape(name_of(moment.path))
    place = escape(readable(moment.path))
    times = f"{_clock(moment.start)}-{_clock(moment.end)}"
    picture = _picture(moment, on_problem)
    shown = (
        f'<img alt="{name}" src="data:image/jpeg;base64,{picture}">'
        if picture
        else '<span class="none">no picture</span>'
    )
    return (
        f'<li><a href="{address}" title="{place}">{shown}'
        f'<span class="name">{moment.rank}. {name}</span>'
        f'<span class="at">{_clock(moment.best)} in {times}, score {moment.score:.3f}</span>'
        "</a></li>\n"
    )


def _picture(moment: Moment, on_problem: Callable[[str], None]) -> str:
    from c2v.media.thumbnails import jpeg, thumbnail

    try:
        return b64encode(jpeg(thumbnail(Path(moment.path), moment.best, _SIDE))).decode()
    except MediaError as error:
        on_problem(f"{readable(moment.path)} has no picture: {error.message}")
        return ""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"
