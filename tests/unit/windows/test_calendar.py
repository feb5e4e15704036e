"""Windows belong to hours of the week, in UTC; hours of the same kind are alike."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stream_app.windows.calendar import alike, cell, daily_cell, milliseconds, moment, parse_moment, weekday
from stream_app.windows.grain import Grain

#: A Wednesday, 10:30 UTC.
AT = milliseconds(datetime(2026, 1, 7, 10, 30, tzinfo=UTC)) // 1000


@pytest.mark.parametrize(
    ("grain", "week", "day", "daily"),
    [(Grain.MINUTE, 58, 2, 10), (Grain.HOUR, 58, 2, 10), (Grain.DAY, 2, 2, 2)],
)
def test_a_window_belongs_to_an_hour_of_the_week_or_a_day_to_itself(grain: Grain, week: int, day: int, daily: int) -> None:
    start = grain.start(AT)
    assert cell(start, grain) == week
    assert weekday(week, grain) == day
    assert daily_cell(start, grain) == daily


def test_the_epoch_was_a_thursday() -> None:
    assert (cell(0, Grain.DAY), cell(-1, Grain.HOUR)) == (3, 3 * 24 - 1)


def test_hours_are_alike_on_working_days_and_on_the_weekend() -> None:
    assert alike(58, Grain.HOUR) == ((10, 34, 58, 82, 106), (10, 34, 58, 82, 106, 130, 154))
    assert alike(130, Grain.HOUR)[0] == (130, 154)
    assert alike(2, Grain.DAY) == ((0, 1, 2, 3, 4), (0, 1, 2, 3, 4, 5, 6))
    assert alike(6, Grain.DAY)[0] == (5, 6)


def test_moments_are_milliseconds_and_back() -> None:
    assert moment(milliseconds(datetime(2026, 1, 7, tzinfo=UTC))) == datetime(2026, 1, 7, tzinfo=UTC)
    assert (moment(10**18).year, moment(-(10**18)).year) == (9999, 1)
    assert parse_moment("2026-01-07T01:00+01:00") == datetime(2026, 1, 7, tzinfo=UTC)
    assert parse_moment("yesterday") is None
