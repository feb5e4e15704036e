"""The overview page shows what the store holds, and says what is wrong when something is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from html import escape

import pytest
import redis
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.text import formats
from headrace.embedded import EmbeddedStack
from reporter.draft import REFERENCE
from stream_app.store.queries import Queries
from stream_app.views.overview import read_overview
from stream_app.views.ranges import TimeRange
from tests.support.fill import Shop, a_live_shop
from tests.support.pages import words
from tests.support.paths import ROOT

APP = str(ROOT / "dashboard" / "app.py")


@pytest.fixture(scope="module")
def filled() -> Iterator[str]:
    """A Redis with a shop of two months, for the tests of this page alone, because some change it."""
    with EmbeddedStack(broker=False) as stack, redis.Redis.from_url(stack.redis_url) as client:
        a_live_shop(client, "headrace", time.time_ns() // 1_000_000, days=61, per_minute=0.3).reports(1)
        yield stack.redis_url


@pytest.fixture
def shop(filled: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """The filled shop's Redis, with a worker that is there now."""
    monkeypatch.setenv("HEADRACE_REDIS", filled)
    with redis.Redis.from_url(filled) as client:
        Shop(client, "headrace", until=0, now_ms=time.time_ns() // 1_000_000).beat()
        yield client


def open_page(**query: str) -> AppTest:
    page = AppTest.from_file(APP, default_timeout=30)
    for name, value in query.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page


@pytest.mark.parametrize("chosen", list(TimeRange))
def test_the_tiles_equal_the_store(shop: redis.Redis, chosen: TimeRange) -> None:
    page = open_page(range=chosen.value)
    kpis = read_overview(Queries(shop, "headrace"), chosen).kpis

    assert [(tile.label, tile.value.replace("\\", "")) for tile in page.metric] == [
        ("Revenue", formats.money(kpis.revenue.value, "USD")),
        ("Total orders", formats.count(kpis.orders.value)),
        ("Active customers", formats.count(kpis.active_customers.value)),
        ("Conversion rate", formats.percent(kpis.conversion_rate.value)),
        ("Valid records", formats.percent(kpis.valid_records.value, 2)),
    ]


def test_the_page_opens_with_a_range_that_has_one_before_it(shop: redis.Redis) -> None:
    page = open_page()

    assert page.session_state["range"] == "30d"
    assert all(tile.delta != "–" for tile in page.metric)


def test_the_top_rules_are_those_of_the_store(shop: redis.Redis) -> None:
    page = open_page(range="30d")
    overview = read_overview(Queries(shop, "headrace"), TimeRange.LAST_30_DAYS)
    (rules,) = (table.value for table in page.dataframe)

    assert list(zip(rules["Rule"], rules["Findings"], strict=True)) == [(one.rule, one.count) for one in overview.rules[:8]]


def test_open_incidents_are_listed_and_closed_ones_are_not(shop: redis.Redis) -> None:
    shown = words(open_page(range="30d"))

    assert "Open incidents: 3" in shown
    assert "$1,234.00 instead of $3,840.00 to $5,760.00" in shown
    assert "Findings of price.exclusiveMinimum" not in shown


def test_the_latest_report_is_summed_up(shop: redis.Redis) -> None:
    (report,) = Queries(shop, "headrace").reports()
    shown = words(open_page())
    # An incident that is open is the headline.
    said = report.report["headline"]["source"]
    cited = REFERENCE.findall(said)

    assert any(fact.startswith("incident.") for fact in cited)
    for fact in cited:
        assert f'<summary><bdi class="data">{escape(report.facts[fact]["rendering"])}</bdi></summary>' in shown
    assert all(escape(word) in shown for word in REFERENCE.sub(" ", said).split())
    assert formats.span(report.start, report.end) in shown


def test_before_the_first_worker_it_says_what_to_run() -> None:
    page = open_page()

    assert not page.metric
    assert [block.value for block in page.code] == ["headrace worker", "headrace simulate", "headrace demo"]


def test_no_worker_is_said_with_what_to_do(shop: redis.Redis) -> None:
    shop.delete("headrace:workers")
    page = open_page()

    assert "headrace worker" in page.warning[0].value
    assert len(page.metric) == 5


def test_records_that_wait_for_reference_data_are_counted(shop: redis.Redis) -> None:
    assert "<dt>Waiting for reference data</dt><dd>3</dd>" in words(open_page())


def test_without_redis_it_says_where_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_REDIS", "redis://:s3cret@127.0.0.1:1/0")
    page = open_page()

    said = words(page)
    assert "Redis at 127.0.0.1:1 cannot be reached" in said
    assert "HEADRACE_REDIS" in said
    assert "s3cret" not in words(page)


def test_when_redis_goes_away_the_last_figures_stay_with_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedStack(broker=False) as stack:
        monkeypatch.setenv("HEADRACE_REDIS", stack.redis_url)
        with redis.Redis.from_url(stack.redis_url) as client:
            a_live_shop(client, "headrace", time.time_ns() // 1_000_000, days=2, per_minute=0.3)
        page = open_page()
        shown = [tile.value for tile in page.metric]
    st.cache_resource.clear()
    page.run()

    assert not page.exception
    assert "Top rules" in words(page)
    assert "cannot be reached" in words(page)
    assert [tile.value for tile in page.metric] == shown
    assert "Figures as of" in words(page)


def test_a_paused_page_keeps_its_figures(shop: redis.Redis) -> None:
    page = open_page(range="all")
    before = [tile.value for tile in page.metric]
    page.toggle(key="paused").set_value(True).run()
    shop.hincrby("headrace:total:orders", "clean", 1_000)
    st.cache_resource.clear()
    page.run()

    assert [tile.value for tile in page.metric] == before
    page.toggle(key="paused").set_value(False).run()
    assert [tile.value for tile in page.metric] != before


def test_an_unknown_range_in_the_address_is_ignored(shop: redis.Redis) -> None:
    assert open_page(range="<script>").session_state["range"] == "30d"
