"""Texts and axes by the clocks of the shop's time zone, also where these change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from dashboard.charts import axes, sales
from dashboard.parts.days import note
from dashboard.text import formats, local
from stream_app.errors import SettingsError
from stream_app.settings import load_settings
from stream_app.views.figures import SalesPoint
from stream_app.views.ranges import TimeRange, bars, span_before
from stream_app.windows.grain import Grain, Span
from stream_app.windows.zone import UTC as UTC_ZONE
from stream_app.windows.zone import Zone

HOUR, DAY = 3_600, 86_400
BERLIN = Zone("Europe/Berlin")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.fixture(autouse=True)
def berlin() -> Iterator[None]:
    local.use(BERLIN)
    yield
    local.use(UTC_ZONE)


def test_moments_have_the_name_of_the_clocks_time() -> None:
    assert formats.moment(at("2026-07-01T22:30") * 1000) == "2 Jul 2026, 00:30 CEST"
    assert formats.moment(at("2026-12-01T23:30") * 1000) == "2 Dec 2026, 00:30 CET"
    assert formats.clock(at("2026-12-01T23:30") * 1000) == "00:30:00 CET"


def test_days_are_called_by_their_date_also_with_23_or_25_hours() -> None:
    assert formats.span(at("2026-03-28T23:00"), at("2026-03-29T22:00")) == "29 Mar 2026"
    assert formats.span(at("2026-10-24T22:00"), at("2026-10-25T23:00")) == "25 Oct 2026"
    assert formats.span(at("2026-10-23T22:00"), at("2026-10-25T23:00")) == "24 to 25 Oct 2026"
    assert formats.span(at("2026-10-25T00:00"), at("2026-10-25T02:00")) == "25 Oct 2026, 02:00 to 03:00 CEST"
    assert formats.bar_period(at("2026-10-24T22:00"), DAY) == "Sun 25 Oct 2026"
    assert formats.bar_period(at("2026-10-18T22:00"), 7 * DAY) == "19 Oct to 25 Oct 2026"


def test_a_chart_of_days_has_ticks_at_midnight_and_bars_as_long_as_their_days() -> None:
    span = Span(Grain.DAY, at("2026-10-19T22:00"), at("2026-10-28T23:00"), None, BERLIN)
    starts = [start for start, _ in bars(span, 90)]
    ticks = axes.ticks(starts[0], starts[-1] + DAY)

    assert len(starts) == 9
    assert all(BERLIN.day(tick) == tick for tick in ticks)
    assert "26 Oct" in ticks.values()
    lengths = [(end.timestamp() - start) / 0.88 for start, end in zip(starts, axes.bar_ends(starts, DAY), strict=True)]
    assert [round(one / HOUR) for one in lengths] == [24, 24, 24, 24, 24, 25, 24, 24, 24]


def test_the_axis_names_the_zone_and_labels_what_the_clocks_show() -> None:
    points = [SalesPoint(start, 1.0, 2, True) for start in range(at("2026-10-24T12:00"), at("2026-10-25T12:00"), HOUR)]
    _, orders = sales.sales_over_time(points, HOUR, "EUR")
    axis = orders.to_dict()["encoding"]["x"]["axis"]
    labels = json.loads(axis["labelExpr"].removesuffix("[toNumber(datum.value)]"))

    assert axis["title"] == "Event time (Europe/Berlin)"
    assert [*labels] == [str(value) for value in json.loads(axis["values"]["expr"])]
    # The clocks show 02:00 twice that night; ticks are at hours from midnight on.
    assert labels[str(at("2026-10-24T22:00") * 1000)] == "25 Oct"


def test_no_bar_crosses_midnight_where_the_clocks_change() -> None:
    span = span_before(TimeRange.LAST_WEEK, at("2026-10-28T12:30"), BERLIN)
    found = bars(span, 90)

    midnights = set(BERLIN.days(BERLIN.day(span.start), span.end))
    assert all(not any(start < midnight < end for midnight in midnights) for start, end in found)
    assert all(one[1] == two[0] for one, two in pairwise(found))


def test_a_page_says_where_its_days_are_not_the_shops(monkeypatch: pytest.MonkeyPatch) -> None:
    span = span_before(TimeRange.LAST_30_DAYS, at("2026-11-28T12:30"), BERLIN)
    monkeypatch.setattr("dashboard.data.zone", lambda: BERLIN)
    assert note(span, DAY) is None
    assert "no longer kept" in str(note(Span(Grain.DAY, 0, DAY), DAY))

    india = Zone("Asia/Kolkata")
    monkeypatch.setattr("dashboard.data.zone", lambda: india)
    span = span_before(TimeRange.LAST_30_DAYS, at("2026-11-28T12:30"), india)
    assert "Days begin at 23:30 (Asia/Kolkata)" in str(note(span, DAY))


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "Europe"])
def test_a_zone_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="HEADRACE_TIMEZONE: is not a time zone"):
        load_settings(timezone=name)
