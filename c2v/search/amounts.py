"""Lengths of time and dates as people type them: ``1m30s``, ``1:30``; ``3d``, ``2023-05``."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta

from c2v.errors import UsageError

_UNITS = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,3}):(\d{1,2}(?:\.\d+)?)")
_AGO = re.compile(r"(\d{1,5})([hdwmy])")
_PERIOD = re.compile(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?")
DURATION_HINT = "give seconds, as 90, or 1m30s, or 1:30"
DATE_HINT = "give a date, as 2023, 2023-05 or 2023-05-17, or an age, as 3d, 2w, 6m (months) or 1y"


def seconds_of(text: str | float, *, option: str) -> float:
    """A length or a place in time, in seconds.

    >>> [seconds_of(text, option="--min-duration") for text in ("90", "1m30s", "1:30", "1:00:00")]
    [90.0, 90.0, 90.0, 3600.0]

    Raises:
        UsageError: it is none; names ``option``.
    """
    typed = str(text).strip().lower()
    if re.fullmatch(r"\d+(\.\d*)?|\.\d+", typed):
        return float(typed)
    found = _CLOCK.fullmatch(typed)
    if found is None and typed:
        found = _UNITS.fullmatch(typed)
    if found is None:
        raise UsageError(f"{option} {text}: not a length of time", hint=DURATION_HINT)
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def since_of(text: str | date | float, *, now: datetime | None = None) -> float:
    """The first instant that ``--since`` means, in seconds since 1970-01-01 UTC; of local time.

    Raises:
        UsageError: it is no date.
    """
    return _bounds(text, "--since", now)[0]


def until_of(text: str | date | float, *, now: datetime | None = None) -> float:
    """The first instant that ``--until`` no longer means: of a day or a year, the one after it.

    Raises:
        UsageError: it is no date.
    """
    return _bounds(text, "--until", now)[1]


def _bounds(text: str | date | float, option: str, now: datetime | None) -> tuple[float, float]:
    if isinstance(text, int | float):
        return float(text), float(text)
    try:
        first, after = _period(text, now or datetime.now())
        return first.timestamp(), after.timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(f"{option} {text}: not a date", hint=DATE_HINT) from error


def _period(text: str | date, now: datetime) -> tuple[datetime, datetime]:
    """The first instant of what is meant, and the first after it. ValueError: it is no date."""
    if isinstance(text, datetime):
        return text, text
    typed = text.isoformat() if isinstance(text, date) else text.strip().lower()
    if typed in ("today", "yesterday"):
        day = datetime.combine(now.date() - timedelta(typed == "yesterday"), time())
        return day, day + timedelta(1)
    if ago := _AGO.fullmatch(typed):
        moment = _before(now, int(ago[1]), ago[2])
        return moment, moment
    if period := _PERIOD.fullmatch(typed):
        year, month, day_number = (int(part) if part else None for part in period.groups())
        first = datetime(year or 0, month or 1, day_number or 1)
        if day_number:
            return first, first + timedelta(1)
        after = first.replace(year=first.year + 1) if not month else _month_after(first)
        return first, after
    moment = datetime.fromisoformat(re.sub("z$", "+00:00", typed))
    return moment, moment + timedelta(seconds=1)


def _month_after(first: datetime) -> datetime:
    return (first + timedelta(31)).replace(day=1)


def _before(now: datetime, count: int, unit: str) -> datetime:
    """So much before now; of months and years the same day, or the last one that month has."""
    if unit in "hdw":
        return now - count * {"h": timedelta(hours=1), "d": timedelta(1), "w": timedelta(7)}[unit]
    months = now.year * 12 + now.month - 1 - count * (12 if unit == "y" else 1)
    first = now.replace(year=months // 12, month=months % 12 + 1, day=1)
    last_day = (_month_after(first) - timedelta(1)).day
    return first.replace(day=min(now.day, last_day))
