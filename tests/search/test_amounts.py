"""Lengths of time and dates as they are typed."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from c2v.errors import UsageError
from c2v.search.amounts import seconds_of, since_of, until_of

NOW = datetime(2024, 3, 31, 15, 30)


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [
        ("90", 90.0), ("1.5", 1.5), (90, 90.0), ("90s", 90.0), ("1m30s", 90.0), ("1m", 60.0),
        ("2h", 7200.0), ("1h1m1s", 3661.0), ("1:30", 90.0), ("0:05.5", 5.5), ("1:00:01", 3601.0),
        ("90:00", 5400.0), (" 1M30S ", 90.0),
    ],
)  # fmt: skip
def test_lengths(typed: str | float, seconds: float) -> None:
    assert seconds_of(typed, option="--min-duration") == seconds


@pytest.mark.parametrize("typed", ["", " ", "long", "-5", "1:2:3:4", "1s30m", "nan", "inf", "1e3"])
def test_what_is_no_length_names_the_option_and_shows_how(typed: str) -> None:
    with pytest.raises(UsageError, match="--min-duration") as caught:
        seconds_of(typed, option="--min-duration")
    assert "1m30s" in caught.value.hint


@pytest.mark.parametrize(
    ("typed", "first", "after"),
    [
        ("2023", datetime(2023, 1, 1), datetime(2024, 1, 1)),
        ("2023-12", datetime(2023, 12, 1), datetime(2024, 1, 1)),
        ("2023-5", datetime(2023, 5, 1), datetime(2023, 6, 1)),
        ("2024-02-29", datetime(2024, 2, 29), datetime(2024, 3, 1)),
        (date(2024, 2, 29), datetime(2024, 2, 29), datetime(2024, 3, 1)),
        ("today", datetime(2024, 3, 31), datetime(2024, 4, 1)),
        ("yesterday", datetime(2024, 3, 30), datetime(2024, 3, 31)),
        ("2023-05-01T12:00", datetime(2023, 5, 1, 12), datetime(2023, 5, 1, 12, 0, 1)),
        ("3d", datetime(2024, 3, 28, 15, 30), datetime(2024, 3, 28, 15, 30)),
        ("2w", datetime(2024, 3, 17, 15, 30), datetime(2024, 3, 17, 15, 30)),
        ("1m", datetime(2024, 2, 29, 15, 30), datetime(2024, 2, 29, 15, 30)),
        ("4m", datetime(2023, 11, 30, 15, 30), datetime(2023, 11, 30, 15, 30)),
        ("1y", datetime(2023, 3, 31, 15, 30), datetime(2023, 3, 31, 15, 30)),
    ],
)
def test_dates_are_of_local_time_and_meant_to_their_end(
    typed: str | date, first: datetime, after: datetime
) -> None:
    assert since_of(typed, now=NOW) == first.timestamp()
    assert until_of(typed, now=NOW) == after.timestamp()


@pytest.mark.parametrize("typed", ["", "soon", "2023-13", "2023-02-30", "3 days", "9999y", "17.5."])
def test_what_is_no_date_names_the_option_and_shows_how(typed: str) -> None:
    for read, option in ((since_of, "--since"), (until_of, "--until")):
        with pytest.raises(UsageError, match=option) as caught:
            read(typed, now=NOW)
        assert "2023-05-17" in caught.value.hint
