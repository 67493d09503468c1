"""From what subtitle files write to what is read or heard: plain lines, each said once."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<\d[\d:.]*>|</>")
_OVERRIDE = re.compile(r"\{\\[^{}]*\}|\{[a-zA-Z]:[^{}]*\}")
_ANY_BRACES = re.compile(r"\{[^{}]*\}")
_DRAWING = re.compile(r"\{[^{}]*\\p[1-9][^{}]*\}.*?(?=\{[^{}]*\\p0[^{}]*\}|$)", re.DOTALL)
_BREAK = re.compile(r"<br\s*/?>|\\N|\\n|\r\n|\r|\n", re.IGNORECASE)
_TOUCH_SECONDS = 0.5
_LONGEST_SECONDS = 60.0
_USUAL_SECONDS = 3.0
_MOST_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class Cue:
    """Plain text that is on the screen for a while; seconds from the start of the video."""

    start_seconds: float
    end_seconds: float
    text: str


@dataclass(frozen=True, slots=True)
class RawCue:
    """The same as its file has it: rows of text, without tags."""

    start_seconds: float
    end_seconds: float | None
    rows: tuple[str, ...]


def rows_of(text: str, *, is_ass: bool = False) -> tuple[str, ...]:
    """The rows of a cue without what only says how they look.

    >>> rows_of("<i>Cr&egrave;me</i> <00:00:01.500><c>br\\u00fbl\\u00e9e</c>\\n5 < 6")
    ('Cr\u00e8me br\u00fbl\u00e9e', '5 < 6')
    >>> rows_of(r"{\\an8}{\\k20}Hap{\\k30}py\\Nday{\\p1}m 0 0 l 9 9{\\p0}", is_ass=True)
    ('Happy', 'day')
    """
    if is_ass:
        text = _ANY_BRACES.sub("", _DRAWING.sub("", text)).replace("\\h", " ")
    else:
        text = _OVERRIDE.sub("", text)
    rows = []
    for row in _BREAK.split(text):
        written = html.unescape(_TAG.sub("", row))
        if not written.isascii():
            # Marks of direction, joiners, byte order marks: nothing that is read.
            written = "".join(c for c in written if unicodedata.category(c) != "Cf")
        written = " ".join(written.replace("\0", "").split())
        if written:
            rows.append(written)
    return tuple(rows)


def lines_of(cues: Iterable[RawCue]) -> list[Cue]:
    """The lines of some cues in the order of time, each as often as it is said.

    Captions that roll show a line again under the next one, and some grow by a word at a time; a
    layer, a shadow, a syllable of karaoke is a cue of its own. What repeats the end of the text
    before it, or stands there already, only makes that longer. Cues without a length last until
    the next, but no longer than is usual.
    """
    # Without text a cue only says that there is a gap.
    ordered = sorted((cue for cue in cues if cue.rows), key=lambda cue: cue.start_seconds)
    found: list[Cue] = []
    last_of: dict[str, int] = {}
    shown: tuple[str, ...] = ()
    shown_until = float("-inf")
    for number, cue in enumerate(ordered):
        following = ordered[number + 1].start_seconds if number + 1 < len(ordered) else None
        start, end = max(cue.start_seconds, 0.0), _end_of(cue, following)
        if end <= 0:
            continue
        touches = start <= shown_until + _TOUCH_SECONDS
        new = cue.rows[_repeated(shown, cue.rows) if touches else 0 :]
        if touches and found and new and new == cue.rows and _grows(shown, new):
            text = " ".join(new)
            last_of.pop(found[-1].text, None)
            found[-1] = Cue(found[-1].start_seconds, end, text)
            last_of[text] = len(found) - 1
        elif not new and found:
            found[-1] = Cue(
                found[-1].start_seconds, max(end, found[-1].end_seconds), found[-1].text
            )
        elif new:
            text = " ".join(new)
            before = last_of.get(text)
            if before is not None and start <= found[before].end_seconds + _TOUCH_SECONDS:
                found[before] = _until(found[before], end)
            else:
                last_of[text] = len(found)
                found.append(Cue(start, end, text))
        shown, shown_until = cue.rows, end
    return [part for cue in found for part in _parts(cue)]


def _until(cue: Cue, end: float) -> Cue:
    return Cue(cue.start_seconds, max(cue.end_seconds, end), cue.text)


def _end_of(cue: RawCue, following: float | None) -> float:
    end = cue.end_seconds
    if end is not None and cue.start_seconds < end <= cue.start_seconds + _LONGEST_SECONDS:
        return end
    usual = cue.start_seconds + _USUAL_SECONDS
    later = following is not None and following > cue.start_seconds
    return min(usual, following) if later and following is not None else usual


def _repeated(shown: tuple[str, ...], rows: tuple[str, ...]) -> int:
    """How many of the first rows are the last ones of what was shown before."""
    for count in range(min(len(shown), len(rows)), 0, -1):
        if shown[-count:] == rows[:count]:
            return count
    return 0


def _grows(shown: tuple[str, ...], rows: tuple[str, ...]) -> bool:
    before, now = " ".join(shown), " ".join(rows)
    return bool(before) and now.startswith(before + " ")


def _parts(cue: Cue) -> Iterable[Cue]:
    """A cue as it is, or of a whole book several of the same time."""
    for first in range(0, len(cue.text), _MOST_CHARACTERS):
        text = cue.text[first : first + _MOST_CHARACTERS]
        yield Cue(cue.start_seconds, cue.end_seconds, text)
