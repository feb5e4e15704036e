"""Periods of reports: their length, their end, when they are due, and their texts."""

from __future__ import annotations

import pytest

from reporter.periods import Period, complete, is_regular, parse_length, parse_moment, suggested, up_to
from stream_app.errors import SettingsError
from stream_app.windows.grain import tiles
from stream_app.windows.zone import Zone

MIDNIGHT = 1_790_035_200
HOUR, DAY = 3_600, 86_400
BERLIN = Zone("Europe/Berlin")


def at(seconds: int) -> int:
    return (MIDNIGHT + seconds) * 1000


def test_a_period_of_the_last_hours_ends_with_the_minute_that_holds_the_streams_time() -> None:
    assert up_to(at(100), HOUR) == Period(MIDNIGHT + 120 - HOUR, MIDNIGHT + 120)


@pytest.mark.parametrize(("length", "unit"), [(3 * DAY, 60), (7 * DAY, HOUR), (31 * DAY, HOUR), (366 * DAY, DAY)])
def test_a_long_period_and_the_one_before_need_no_window_that_is_no_longer_kept(length: int, unit: int) -> None:
    stream = at(5 * HOUR + 7 * 60 + 20)
    period = up_to(stream, length)

    assert (period.length, period.end % unit) == (length, 0)
    assert 0 < period.end - stream // 1000 <= unit
    for grain, start in (*tiles(period.start, period.end), *tiles(period.before.start, period.start)):
        assert stream // 1000 - start < grain.kept * grain.seconds


def test_what_is_suggested_can_be_compared() -> None:
    first = MIDNIGHT
    assert [period.length for period in suggested(first, at(50 * HOUR))][:2] == [DAY, 6 * HOUR]
    assert [period.length for period in suggested(first, at(30 * 60))] == [15 * 60, 5 * 60, 60]
    assert suggested(first, at(30)) == suggested(None, at(0)) == ()


def test_a_period_is_due_when_it_and_its_grace_are_over() -> None:
    every = 15 * 60
    assert complete(at(every + 59), every, 60)[0] == Period(MIDNIGHT - every, MIDNIGHT)
    assert complete(at(every + 60), every, 60)[0] == Period(MIDNIGHT, MIDNIGHT + every)


def test_lengths_and_moments_are_read() -> None:
    assert [parse_length(text) for text in ("15m", "24h", "7d", " 1 h")] == [900, DAY, 7 * DAY, HOUR]
    assert parse_moment("2026-09-22") == parse_moment("2026-09-22T00:00Z") == parse_moment("2026-09-22T02:00+02:00") == MIDNIGHT


@pytest.mark.parametrize("text", ["", "0m", "-1h", "1w", "90s", "367d", "1.5h", "１５m", "9" * 30 + "m"])
def test_a_text_that_is_not_a_length_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="not a length"):
        parse_length(text)


@pytest.mark.parametrize("text", ["", "now", "2026-13-01", "2026-09-22T00:00:30", "22.9.2026"])
def test_a_text_that_is_not_a_moment_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="not a moment"):
        parse_moment(text)


def test_a_period_has_one_id_in_each_language() -> None:
    period = Period(MIDNIGHT, MIDNIGHT + DAY)
    assert period.report_id("en") == "20260922T0000-20260923T0000-en"
    assert period.report_id("de") != period.report_id("en")


@pytest.mark.parametrize(
    ("now", "start", "hours"),
    [
        ("2026-03-30T06:00Z", "2026-03-28T23:00Z", 23),
        ("2026-10-26T06:00Z", "2026-10-24T22:00Z", 25),
        ("2026-06-02T06:00Z", "2026-05-31T22:00Z", 24),
    ],
)
def test_the_report_of_a_day_is_about_the_day_that_the_clocks_show(now: str, start: str, hours: int) -> None:
    period = complete(parse_moment(now) * 1000, DAY, 60, BERLIN)[0]

    assert period == Period(parse_moment(start), parse_moment(start) + hours * HOUR)
    assert is_regular(period, DAY, BERLIN)
    assert not is_regular(Period(period.start, period.end - HOUR), DAY, BERLIN)


def test_a_day_is_over_when_its_grace_is_too() -> None:
    midnight = parse_moment("2026-06-01T22:00Z")

    assert complete((midnight + 59) * 1000, DAY, 60, BERLIN)[0].end == midnight - DAY
    assert complete((midnight + 60) * 1000, DAY, 60, BERLIN)[0].end == midnight


def test_a_week_begins_on_monday() -> None:
    period = complete(parse_moment("2026-11-26T12:00Z") * 1000, 7 * DAY, 60, BERLIN)[0]

    assert period == Period(parse_moment("2026-11-15T23:00Z"), parse_moment("2026-11-22T23:00Z"))


def test_a_moment_without_an_offset_is_one_of_the_zone() -> None:
    assert parse_moment("2026-07-01T12:00", BERLIN) == parse_moment("2026-07-01T10:00Z")
