"""The daily report is in front, reports about incidents have a list of their own, and the newest is the newest."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from reporter.periods import PROVISIONAL, Period
from reporter.watch import CLOSED
from stream_app.views.report_list import Listed, ReportList, report_list
from stream_app.windows.zone import Zone

HOUR, DAY = 3_600, 86_400
NOON = 1_795_953_600
TODAY = NOON // DAY * DAY


def name(start: int, end: int, language: str = "en", suffix: str = "") -> str:
    return Period(start, end).report_id(language) + suffix


def test_the_daily_report_is_in_front_of_newer_ones() -> None:
    daily, older = name(TODAY - DAY, TODAY), name(TODAY - 2 * DAY, TODAY - DAY)
    hour, now = name(NOON - HOUR, NOON, suffix=CLOSED), name(NOON - 900, NOON)
    so_far = name(TODAY, TODAY + DAY, suffix=PROVISIONAL)
    found = report_list([hour, now, older, daily, so_far])

    assert found.daily is not None
    assert found.first == found.daily
    assert found.daily.id == daily
    assert [one.id for one in found.regular] == [so_far, now, daily, older]
    assert [one.id for one in found.incidents] == [hour]


def test_of_two_reports_up_to_the_same_time_the_longer_is_first_and_a_provisional_one_last() -> None:
    ids = [name(TODAY - HOUR, TODAY), name(TODAY - DAY, TODAY, suffix=PROVISIONAL), name(TODAY - DAY, TODAY)]

    assert [one.id for one in report_list(ids).regular] == [ids[2], ids[0], ids[1]]


def test_the_daily_report_is_about_a_day_of_the_zone_and_in_the_language_of_the_reports() -> None:
    zone = Zone("Europe/Berlin")
    # The day on which the clocks are set back has 25 hours.
    start = int(datetime(2026, 10, 24, 22, tzinfo=UTC).timestamp())
    local, german = name(start, start + 25 * HOUR), name(start, start + 25 * HOUR, "de")
    utc = name(start + 2 * HOUR, start + 26 * HOUR)

    assert report_list([local, german, utc], zone, "de").daily == Listed(german, start, start + 25 * HOUR, "de")
    assert report_list([local, utc], zone, "de").daily == Listed(local, start, start + 25 * HOUR, "en")
    assert report_list([utc], zone).daily is None


def test_without_a_daily_report_the_newest_is_first() -> None:
    assert report_list([]) == ReportList()
    assert report_list([]).first is None
    regular, incident = name(NOON - 2 * HOUR, NOON - HOUR), name(NOON - HOUR, NOON, suffix=CLOSED)
    assert report_list([incident, regular]).first == Listed(regular, NOON - 2 * HOUR, NOON - HOUR, "en")
    assert report_list([incident]).first == Listed(incident, NOON - HOUR, NOON, "en", incidents=True)


@given(st.lists(st.text() | st.from_regex(r"\d{8}T\d{4}-\d{8}T\d{4}-[a-z]{2}(-provisional|-closed)?", fullmatch=True)))
def test_each_report_is_in_one_list_whatever_its_id(ids: list[str]) -> None:
    found = report_list(ids)

    assert sorted(one.id for one in (*found.regular, *found.incidents)) == sorted(ids)
    assert [one.end for one in found.regular] == sorted((one.end for one in found.regular), reverse=True)
