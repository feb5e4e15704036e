"""One cause, one page: its title, timeline and details, and the status line that leads there from every page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import redis
from msgspec.structs import replace

from headrace.embedded import EmbeddedStack
from stream_app.store.acts import new_act
from stream_app.store.acts import put as put_acts
from tests.support.browsing import served, url
from tests.support.chromium import ARGUMENTS, chromium
from tests.support.fill import Shop
from tests.support.staged import countries, country_gone, judged, put
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

driver = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

pytestmark = [
    pytest.mark.skipif(chromium() is None, reason="no Chromium on PATH: install chromium"),
    pytest.mark.timeout(180),
]
TITLE = "No orders from United Kingdom since"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with driver.sync_playwright() as running:
        launched = running.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def store() -> Iterator[redis.Redis]:
    with EmbeddedStack(broker=False) as stack, redis.Redis.from_url(stack.redis_url) as client:
        yield client


@pytest.fixture(scope="module")
def shop(store: redis.Redis) -> Shop:
    now = time.time_ns() // 1_000_000
    filled = Shop(store, "headrace", until=now // 1_000, now_ms=now)
    filled.announce()
    filled.fill(60 * 48, per_minute=1.0)
    filled.recent()
    filled.beat(at=now + 3_600_000)
    countries(store, filled.keys, filled.until)
    return filled


@pytest.fixture(scope="module")
def calendar(tmp_path_factory: pytest.TempPathFactory, shop: Shop) -> Path:
    today = datetime.fromtimestamp(shop.until, UTC).date()
    file = tmp_path_factory.mktemp("calendar") / "calendar.yaml"
    file.write_text(f"events:\n- {{name: Winter sale, kind: sale, from: {today - timedelta(1)}, to: {today}}}\n")
    return file


@pytest.fixture(scope="module")
def address(store: redis.Redis, shop: Shop, calendar: Path) -> Iterator[str]:
    port = store.connection_pool.connection_kwargs["port"]
    with served(f"redis://127.0.0.1:{port}/0", HEADRACE_CALENDAR=str(calendar)) as address:
        yield address


@pytest.fixture
def page(browser: Browser, store: redis.Redis, shop: Shop) -> Iterator[Page]:
    store.delete(shop.keys.incidents(), shop.keys.incidents_by_start(), shop.keys.incident_acts())
    judged(store, shop.keys, shop.until, *shop.summaries)
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    opened.set_default_timeout(60_000)
    yield opened
    opened.close()


def status(page: Page) -> str:
    line = page.locator(".st-key-status p.status")
    line.wait_for()
    return str(line.inner_text())


@pytest.mark.parametrize("path", ["", "quality", "anomalies", "clean", "report", "pipeline", "incident"])
def test_every_page_names_the_worst_of_the_last_day(
    page: Page, address: str, store: redis.Redis, shop: Shop, path: str
) -> None:
    put(store, shop.keys, *country_gone(shop.until))
    page.goto(f"{address}/{path}")
    eventually(lambda: TITLE in status(page), "the worst incident", timeout=30)
    assert "about $50k below expected" in status(page)
    assert "more in 24 h" not in status(page)


def test_the_status_line_leads_to_the_page_of_the_cause(page: Page, address: str, store: redis.Redis, shop: Shop) -> None:
    volume, mix = country_gone(shop.until)
    put(store, shop.keys, volume, mix)
    page.goto(address)
    eventually(lambda: TITLE in status(page), "the worst incident", timeout=30)
    page.locator(".st-key-status a").first.click()
    page.locator("h2.cause").get_by_text(TITLE).wait_for()
    assert f"id={quote(volume.id, safe='')}" in url(page)
    head = page.locator(".st-key-card-cause")
    head.get_by_text("about $50k less revenue than expected").wait_for()
    page.locator(".st-key-card-timeline svg.marks").wait_for()
    page.locator(".st-key-card-belongs").get_by_text("No orders from United Kingdom").wait_for()
    page.locator(".st-key-card-segments [data-testid='stDataFrame']").wait_for()
    assert page.locator("[data-testid='stException']").count() == 0


def test_a_detail_of_a_cause_has_the_same_page_and_an_unknown_one_says_so(
    page: Page, address: str, store: redis.Redis, shop: Shop
) -> None:
    _, mix = country_gone(shop.until)
    put(store, shop.keys, *country_gone(shop.until))
    page.goto(f"{address}/incident?id={quote(mix.id, safe='')}")
    page.locator("h2.cause").get_by_text(TITLE).wait_for()
    page.goto(f"{address}/incident?id=gone")
    page.get_by_text("No such incident").wait_for()


def test_all_is_normal_only_up_to_where_the_monitor_is(page: Page, address: str, store: redis.Redis, shop: Shop) -> None:
    page.goto(f"{address}/pipeline")
    eventually(lambda: "all normal" in status(page).lower(), "all normal", timeout=30)
    judged(store, shop.keys, shop.until - 6 * 3_600, "orders")
    eventually(lambda: "the monitor is behind" in status(page), "the monitor's position", timeout=30)
    assert "all normal" not in status(page).lower()
    for entity in shop.summaries:
        store.delete(f"headrace:monitor:{entity}:h")
    eventually(lambda: "no window has been judged" in status(page), "nothing judged", timeout=30)


def test_what_people_did_is_on_the_page_and_what_is_settled_is_not_the_worst(
    page: Page, address: str, store: redis.Redis, shop: Shop
) -> None:
    volume, mix = country_gone(shop.until)
    put(store, shop.keys, volume, mix)
    put_acts(store, shop.keys, [new_act(mix, "assigned", "Ann <b>", to="Bob", text="ask the feed's team")])
    page.goto(f"{address}/incident?id={quote(volume.id, safe='')}")
    card = page.locator(".st-key-card-life")
    card.get_by_text("Assigned to Bob by Ann <b>").wait_for()
    card.get_by_text("headrace incidents act").wait_for()
    assert card.get_by_role("button").count() == 0
    page.locator(".st-key-card-cause").get_by_text("Winter sale (sale)").wait_for()
    eventually(lambda: TITLE in status(page), "the worst incident", timeout=30)
    put_acts(store, shop.keys, [new_act(volume, "false_alarm", "Bob")])
    eventually(lambda: "nothing to do" in status(page).lower(), "the settled one is not the worst", timeout=30)
    assert "all normal" not in status(page).lower()
    assert "planned: Winter sale (sale) until" in status(page)
    card.get_by_text("False alarm by Bob").wait_for()


@pytest.mark.parametrize("width", [390, 1440])
def test_the_page_of_a_cause_is_as_wide_as_the_screen(
    page: Page, address: str, store: redis.Redis, shop: Shop, width: int
) -> None:
    volume, mix = country_gone(shop.until)
    put(store, shop.keys, volume, mix)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{address}/incident?id={quote(volume.id, safe='')}")
    page.locator(".st-key-card-timeline svg.marks").wait_for()
    page.locator(".st-key-card-segments [data-testid='stDataFrame']").wait_for()
    main = page.locator("[data-testid='stMain']")
    assert main.evaluate("one => one.scrollWidth <= one.clientWidth")


def test_revenue_that_an_incident_doubts_is_grey(page: Page, address: str, store: redis.Redis, shop: Shop) -> None:
    page.goto(f"{address}/?range=24h")
    change = page.locator(".st-key-tile-revenue [data-testid='stMetricDelta']")
    change.wait_for()
    assert "in doubt" not in page.locator(".st-key-tile-revenue").inner_text()
    volume, _ = country_gone(shop.until)
    high = replace(volume, id="orders.average_order.1", metric="average_order", unit="money", direction="high", segment=None)
    put(store, shop.keys, high)
    eventually(lambda: "in doubt" in page.locator(".st-key-tile-revenue").inner_text(), "the doubt", timeout=30)
