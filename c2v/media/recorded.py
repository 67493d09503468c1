"""When a video was recorded, as its container says: instants, out of many ways to write a date."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import datetime

_KEYS = (
    "com.apple.quicktime.creationdate",  # with the zone of the place
    "creation_time",  # MP4 and QuickTime, in UTC; FFmpeg's name for Matroska's DateUTC too
    "date_utc",
    "date_recorded",
    "date",  # AVI's IDIT and ICRD, in the camera's own time
    "icrd",
    "idit",
)
"""Best first; in lower case."""
_UNSET = frozenset({(1904, 1, 1), (1970, 1, 1), (1980, 1, 1), (2000, 1, 1), (2001, 1, 1)})
"""Days at whose first second clocks begin that nobody set: QuickTime, Unix, DOS, cameras, Matroska.
A recording of another second of such a day is believed."""
_FIRST_YEAR = 1970
_TOLERANCE_SECONDS = 2 * 86400.0
"""So far ahead a camera's clock may be: zones are 26 hours apart."""
_ZONE = re.compile(r"([+-])(\d\d)(\d\d)$")
_WRITINGS = ("%a %b %d %H:%M:%S %Y", "%Y:%m:%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M")
"""Beside ISO 8601: what AVI files of cameras hold."""


def recording_time(*tags: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds since 1970-01-01 UTC of the first credible date in a file's tags; None without one.

    Args:
        tags: of the container, then of its streams.
        now: what a date must not lie beyond; the present by default.

    >>> recording_time({"creation_time": "2023-05-01T12:00:00.000000Z"})
    1682942400.0
    >>> recording_time({"creation_time": "1904-01-01T00:00:00.000000Z"}) is None
    True
    """
    latest = (time.time() if now is None else now) + _TOLERANCE_SECONDS
    for key in _KEYS:
        for values in tags:
            for name, text in values.items():
                moment = _instant(text) if name.lower() == key else None
                if moment is not None and moment <= latest:
                    return moment
    return None


def _instant(text: str) -> float | None:
    """A date as an instant, if it can be one: without a zone it is of this machine's."""
    moment = _parsed(text.strip().strip("\0"))
    if moment is None or moment.year < _FIRST_YEAR:
        return None
    first_second = moment.replace(microsecond=0, tzinfo=None)
    if (moment.year, moment.month, moment.day) in _UNSET and first_second == datetime(
        moment.year, moment.month, moment.day
    ):
        return None
    try:
        return moment.timestamp()
    except (OverflowError, OSError, ValueError):
        return None  # a day that this machine's clock does not have


def _parsed(text: str) -> datetime | None:
    if len(text) < len("2023-05-01"):
        return None  # a year alone, as of a film's making, is no time of recording
    iso = _ZONE.sub(r"\1\2:\3", re.sub(r"Z$", "+00:00", text))
    iso = re.sub(r"\.(\d{1,6})\d*", lambda match: "." + match[1].ljust(6, "0"), iso)
    try:
        return datetime.fromisoformat(iso)
    except ValueError:
        pass  # not ISO 8601: one of the others
    for writing in _WRITINGS:
        try:
            return datetime.strptime(text, writing)
        except ValueError:
            continue
    return None
