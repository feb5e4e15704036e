"""Days of a time zone: every one begins when the clocks show midnight, and is made of whole hours of UTC."""

from __future__ import annotations

from datetime import UTC as UTC_TZ
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.windows.zone import UTC, Zone

BERLIN = Zone("Europe/Berlin")
HOUR, DAY = 3_600, 86_400
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC_TZ).timestamp())


@pytest.mark.parametrize(
    ("noon", "begin", "hours"),
    [
        ("2026-03-29T12:00", "2026-03-28T23:00", 23),
        ("2026-10-25T12:00", "2026-10-24T22:00", 25),
        ("2026-06-01T12:00", "2026-05-31T22:00", 24),
    ],
)
def test_a_day_has_23_or_25_hours_where_the_clocks_change(noon: str, begin: str, hours: int) -> None:
    day = BERLIN.day(at(noon))

    assert day == at(begin)
    assert (BERLIN.next_day(day) - day) // HOUR == hours


@given(st.sampled_from(ZONES), st.integers(0, at("2100-01-01T00:00")))
def test_the_day_of_a_moment_is_the_date_that_the_clocks_show(name: str, seconds: int) -> None:
    zone = Zone(name)
    day = zone.day(seconds)
    after = zone.next_day(day)

    assert day <= seconds < after
    assert day % HOUR == after % HOUR == 0
    assert zone.day(day) == day
    assert zone.day(after) == after
    if zone.local(day).minute == 0 and name != "Australia/Lord_Howe":
        assert zone.date_of(day) == datetime.fromtimestamp(seconds, ZoneInfo(name)).date()


@given(st.sampled_from(ZONES), st.integers(at("1971-01-01T00:00"), at("2100-01-01T00:00")), st.integers(1, 40))
def test_days_follow_each_other_without_gap(name: str, seconds: int, many: int) -> None:
    zone = Zone(name)
    day = zone.day(seconds)
    days = zone.days(day, zone.shift(day, many))

    # On one day in 2011, Samoa had no date.
    assert len(days) == many or name == "Pacific/Apia"
    assert all(zone.next_day(one) == two for one, two in pairwise(days))


def test_where_midnight_is_not_a_full_hour_days_begin_with_the_hour_that_it_is_in() -> None:
    india = Zone("Asia/Kolkata")
    day = india.day(at("2026-11-30T12:00"))

    assert day == at("2026-11-29T18:00")
    assert f"{india.local(day):%H:%M}" == "23:30"
    assert f"{india.date_of(day)}" == "2026-11-30"
    assert not india.whole_hours
    assert BERLIN.whole_hours


def test_a_date_that_a_zone_left_out_has_no_day() -> None:
    samoa = Zone("Pacific/Apia")
    day = samoa.day(at("2011-12-30T09:00"))

    assert f"{samoa.date_of(day)}" == "2011-12-29"
    assert f"{samoa.date_of(samoa.next_day(day))}" == "2011-12-31"


def test_the_same_time_some_weeks_earlier_is_that_of_the_clocks() -> None:
    after = at("2026-10-27T11:00")

    assert BERLIN.earlier(after, 7) == after - 7 * DAY - HOUR
    assert UTC.earlier(after, 7) == after - 7 * DAY
    assert BERLIN.local(BERLIN.earlier(after, 7)).hour == BERLIN.local(after).hour == 12


def test_clocks_have_a_name() -> None:
    assert [BERLIN.label(at(text)) for text in ("2026-07-01T00:00", "2026-12-01T00:00")] == ["CEST", "CET"]
    assert Zone("America/Sao_Paulo").label(0) == "UTC-03"
    assert UTC.label(0) == "UTC"


def test_groups_of_weeks_begin_on_mondays() -> None:
    for days in (7, 14, 28):
        start = BERLIN.group(BERLIN.day(at("2026-11-26T12:00")), days)
        assert BERLIN.date_of(start).weekday() == 0
        assert BERLIN.date_of(start) + timedelta(days) > BERLIN.date_of(BERLIN.day(at("2026-11-26T12:00")))
