"""The dashboard in a real browser: it serves, shows the store's numbers, follows the stream and stays calm."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import pytest
import redis

from dashboard import formats
from headrace.embedded import EmbeddedStack
from stream_app.store.read import ReadModel
from stream_app.store.read_ranges import TimeRange
from tests.support.chromium import ARGUMENTS, chromium
from tests.support.fill import Shop, a_live_shop
from tests.support.processes import clean_environment, headrace_command
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

driver = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on PATH: install chromium"),
    pytest.mark.timeout(180),
]


@contextmanager
def served(redis_url: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        headrace_command("dashboard", "--port", str(port)),
        env=clean_environment(HEADRACE_REDIS=redis_url),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return bool(urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).status == 200)
        except (urllib.error.URLError, OSError):
            return False

    try:
        eventually(answers, "the dashboard answers", timeout=60)
        yield address
    finally:
        process.terminate()
        process.wait(20)


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
    return a_live_shop(store, "headrace", time.time_ns() // 1_000_000, days=61, per_minute=0.5)


@pytest.fixture(scope="module")
def address(store: redis.Redis, shop: Shop) -> Iterator[str]:
    port = store.connection_pool.connection_kwargs["port"]
    with served(f"redis://127.0.0.1:{port}/0") as address:
        yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    opened.set_default_timeout(60_000)
    yield opened
    opened.close()


def tile(page: Page, name: str) -> str:
    found = page.locator(f".st-key-tile-{name} [data-testid='stMetricValue']")
    found.wait_for()
    return str(found.inner_text())


@pytest.mark.parametrize("chosen", [TimeRange.LAST_DAY, TimeRange.LAST_30_DAYS, TimeRange.ALL])
def test_the_page_shows_the_stores_numbers(page: Page, address: str, store: redis.Redis, chosen: TimeRange) -> None:
    page.goto(f"{address}/?range={chosen.value}")
    kpis = ReadModel(store, "headrace").overview(chosen).kpis

    assert tile(page, "revenue") == formats.money(kpis.revenue.value, "USD")
    assert tile(page, "total-orders") == formats.count(kpis.orders.value)
    assert tile(page, "active-customers") == formats.count(kpis.active_customers.value)
    assert tile(page, "conversion-rate") == formats.percent(kpis.conversion_rate.value)
    assert tile(page, "quality-score") == formats.percent(kpis.quality_score.value, 2)


def test_choosing_a_range_changes_the_numbers_and_the_address(page: Page, address: str, store: redis.Redis) -> None:
    page.goto(f"{address}/?range=30d")
    tile(page, "revenue")
    page.get_by_role("radio", name="7 d").click()
    week = formats.money(ReadModel(store, "headrace").overview(TimeRange.LAST_WEEK).kpis.revenue.value, "USD")

    eventually(lambda: tile(page, "revenue") == week, "the week's revenue", timeout=30)
    assert "range=7d" in page.url


def test_new_records_appear_by_themselves_and_the_page_stays_where_it_is(
    page: Page, address: str, store: redis.Redis, shop: Shop
) -> None:
    # A worker that went silent meanwhile would put a warning above everything, and that may move the page.
    shop.beat(at=time.time_ns() // 1_000_000 + 60_000)
    page.goto(f"{address}/?range=all")
    before = tile(page, "total-orders")
    charts = page.locator("[data-testid='stVegaLiteChart'] svg.marks")
    eventually(lambda: charts.count() == 10, "all charts are drawn", timeout=30)
    page.locator(".st-key-card-clean").scroll_into_view_if_needed()
    scrolled = "document.querySelector('[data-testid=\"stMain\"]').scrollTop"
    eventually(lambda: page.evaluate(scrolled) > 200, "the page is scrolled down")
    page.wait_for_timeout(1_000)
    place = page.evaluate(scrolled)
    # A tile that is taken away and drawn anew would flicker: the very node has to stay.
    page.evaluate("window.kept = document.querySelector(\".st-key-tile-revenue [data-testid='stMetricValue']\")")
    store.hincrby("headrace:total:orders", "clean", 4_321)
    store.hincrby("headrace:total:orders", "in", 4_321)

    eventually(lambda: tile(page, "total-orders") != before, "the new total", timeout=30)
    assert page.evaluate(scrolled) == place
    assert page.evaluate("document.contains(window.kept)")


def test_a_warning_that_comes_leaves_the_figures_in_place(page: Page, address: str, store: redis.Redis, shop: Shop) -> None:
    shop.beat(at=time.time_ns() // 1_000_000 + 60_000)
    page.goto(f"{address}/?range=all")
    tile(page, "revenue")
    charts = page.locator("[data-testid='stVegaLiteChart'] svg.marks")
    eventually(lambda: charts.count() == 10, "all charts are drawn", timeout=30)
    page.evaluate("window.kept = [...document.querySelectorAll('svg.marks')]")
    store.delete("headrace:workers")
    page.locator(".st-key-badge").get_by_text("No worker running").wait_for()
    page.locator(".st-key-advice").get_by_text("headrace worker").wait_for()

    assert page.evaluate("window.kept.filter(chart => document.contains(chart)).length") == 10


def test_a_paused_page_stands_still(page: Page, address: str, store: redis.Redis) -> None:
    page.goto(f"{address}/?range=all")
    tile(page, "total-orders")
    page.locator(".st-key-paused label").first.click()
    page.get_by_text("Paused at").wait_for()
    before = tile(page, "total-orders")
    store.hincrby("headrace:total:orders", "clean", 77)
    store.hincrby("headrace:total:orders", "in", 77)
    page.wait_for_timeout(7_000)  # two refreshes would have come by now

    assert tile(page, "total-orders") == before


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_is_drawn_and_nothing_sticks_out(
    browser: Browser, address: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.set_default_timeout(60_000)
    page.goto(address)
    tile(page, "revenue")
    page.locator(".st-key-card-clean").wait_for()
    page.wait_for_timeout(1_500)
    wide = page.evaluate("""() => [...document.querySelectorAll('[class*="st-key-card-"], [class*="st-key-tile-"]')]
        .filter(box => box.getBoundingClientRect().right > innerWidth + 1).map(box => box.className)""")
    cut = page.evaluate("""() => [...document.querySelectorAll('[data-testid="stMetricValue"] *')]
        .filter(box => box.scrollWidth > box.clientWidth + 1 && box.clientWidth).map(box => box.textContent)""")
    broken = page.locator("[data-testid='stException']").count()
    charts = page.locator("[data-testid='stVegaLiteChart'] svg.marks").count()
    page.close()

    assert broken == 0
    assert charts == 10
    assert wide == []
    assert cut == []


def test_the_page_calls_nobody_but_its_server(page: Page, address: str) -> None:
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    tile(page, "revenue")
    page.wait_for_timeout(4_000)

    assert [url for url in asked if not url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))] == []
    assert errors == []


def test_an_empty_store_says_what_to_run_and_redis_gone_is_said(page: Page) -> None:
    with EmbeddedStack(broker=False) as stack, served(stack.redis_url) as address:
        page.goto(address)
        page.get_by_text("No records yet").wait_for()
        page.locator(".st-key-card-empty").get_by_text("headrace demo").wait_for()

        stack.stop()
        page.get_by_text("cannot be reached").wait_for()
