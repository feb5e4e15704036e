"""Usual sales of a day, read from a store of two months, on the page and in the report."""

from __future__ import annotations

import pytest
import redis

from dashboard.text import formats
from reporter.author import TemplateAuthor
from reporter.periods import Period
from reporter.service import Reporter
from stream_app.settings import Settings
from stream_app.store.queries import open_queries
from stream_app.views.ranges import TimeRange
from stream_app.views.reading import read_range
from stream_app.views.usual import usual_of_range
from stream_app.views.usual_valid import usual_valid_of_range
from tests.support.fill import Shop

pytestmark = pytest.mark.slow

#: 2026-09-22T00:00:00Z.
MIDNIGHT = 1_790_035_200
DAY, WEEK = 86_400, 7 * 86_400
UNTIL = MIDNIGHT + 20 * 60


@pytest.fixture
def shop(settings: Settings, redis_url: str) -> Shop:
    """Five weeks of trade."""
    with redis.Redis.from_url(redis_url) as client:
        shop = Shop(client, "headrace", until=UNTIL, now_ms=UNTIL * 1000)
        shop.announce()
        shop.fill(34 * 1_440, per_minute=0.5)
        return shop


def test_the_usual_sales_are_those_of_the_same_hours_in_earlier_weeks(settings: Settings, shop: Shop) -> None:
    start, end = MIDNIGHT - DAY, MIDNIGHT
    earlier = [shop.recounts["orders"].between(start - back * WEEK, end - back * WEEK) for back in range(1, 5)]
    clean, revenue = (sum(week[name] for week in earlier) / len(earlier) for name in ("clean", "rev"))
    now = shop.recounts["orders"].between(start, end)

    report = Reporter(settings, TemplateAuthor()).report(Period(start, end)).report
    assert report.facts["usual.weeks"]["value"] == 4
    assert report.facts["sales.orders.usual"]["value"] == round(clean)
    assert report.facts["sales.revenue.usual"]["value"] == round(revenue)
    assert "usual for the weekday and hour" in report.markdown
    # The page leaves out the hour that is running.
    queries = open_queries(settings)
    found = usual_of_range(queries, read_range(queries, TimeRange.LAST_DAY))
    assert found is not None
    assert (found.start, found.end, found.weeks) == (MIDNIGHT - 23 * 3_600, MIDNIGHT, 4)
    shown = shop.recounts["orders"].between(found.start, found.end)
    assert (found.observed_orders, found.observed_minor) == (shown["clean"], shown["rev"])
    assert f"{shown['clean']:,} orders" in formats.usual(found)
    assert now["clean"] > 0


@pytest.mark.parametrize("chosen", [TimeRange.LAST_15_MINUTES, TimeRange.LAST_30_DAYS, TimeRange.ALL])
def test_a_range_of_minutes_or_months_has_none(settings: Settings, shop: Shop, chosen: TimeRange) -> None:
    queries = open_queries(settings)
    assert usual_of_range(queries, read_range(queries, chosen)) is None


def test_a_young_stream_has_none(settings: Settings, shop: Shop) -> None:
    report = Reporter(settings, TemplateAuthor()).report(Period(MIDNIGHT - 16 * DAY, MIDNIGHT - 15 * DAY)).report
    assert "usual.weeks" not in report.facts


def test_the_usual_share_of_valid_records_is_that_of_the_same_hours_in_earlier_weeks(settings: Settings, shop: Shop) -> None:
    queries = open_queries(settings)
    read = read_range(queries, TimeRange.LAST_DAY)
    start, end = MIDNIGHT - 23 * 3_600, MIDNIGHT
    usual, weights = {}, {}
    for entity, recount in shop.recounts.items():
        earlier = [recount.between(start - back * WEEK, end - back * WEEK) for back in range(1, 5)]
        valid = sum(week["clean"] - week["warned"] for week in earlier)
        usual[entity] = valid / sum(week["clean"] + week["rejected"] for week in earlier)
        now = recount.between(start, end)
        weights[entity] = shop.summaries[entity].weight * (now["clean"] + now["rejected"])
    expected = sum(usual[entity] * weight for entity, weight in weights.items()) / sum(weights.values())

    assert usual_valid_of_range(queries, read) == pytest.approx(expected)
    assert usual_valid_of_range(queries, read_range(queries, TimeRange.LAST_30_DAYS)) is None
