"""The shop's name and time zone on pages and prints; no page has what axe finds wrong, wide and narrow, light and dark."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
import redis

from dashboard.text import formats
from headrace.embedded import EmbeddedStack
from stream_app.store.queries import Queries
from stream_app.views.overview import read_overview
from stream_app.views.ranges import TimeRange
from stream_app.windows.zone import Zone
from tests.support.browsing import served, settled, tile
from tests.support.chromium import ARGUMENTS, chromium
from tests.support.fill import a_live_shop

if TYPE_CHECKING:
    from playwright.sync_api import Browser

driver = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

pytestmark = [
    pytest.mark.skipif(chromium() is None, reason="no Chromium on PATH: install chromium"),
    pytest.mark.timeout(180),
]
#: The file axe.min.js of the npm package axe-core.
AXE = os.environ.get("HEADRACE_TEST_AXE", "")
NAME, ZONE = "Mill & Race <Ltd>", "Pacific/Auckland"
PAGES = {
    "": ".st-key-card-rules",
    "quality": ".st-key-card-drift",
    "anomalies": ".st-key-card-findings",
    "incident": "[class*='st-key-card-']",
    "clean": ".st-key-card-subscribe",
    "report": ".st-key-card-report",
    "pipeline": ".st-key-card-broker",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with driver.sync_playwright() as running:
        launched = running.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def store() -> Iterator[redis.Redis]:
    with EmbeddedStack(broker=False) as stack, redis.Redis.from_url(stack.redis_url) as client:
        shop = a_live_shop(client, "headrace", time.time_ns() // 1_000_000, days=61, per_minute=0.3)
        shop.reports()
        yield client


@pytest.fixture(scope="module")
def address(store: redis.Redis) -> Iterator[str]:
    port = store.connection_pool.connection_kwargs["port"]
    with served(f"redis://127.0.0.1:{port}/0", HEADRACE_SHOP_NAME=NAME, HEADRACE_TIMEZONE=ZONE) as found:
        yield found


def test_a_page_has_the_shops_name_and_the_days_of_its_zone(browser: Browser, address: str, store: redis.Redis) -> None:
    page = browser.new_page(viewport={"width": 1_280, "height": 900})
    page.goto(f"{address}/?range=30d")
    page.locator(PAGES[""]).wait_for()
    settled(page)
    overview = read_overview(Queries(store, "headrace"), TimeRange.LAST_30_DAYS, zone=Zone(ZONE))

    assert page.title() == f"Overview · {NAME}"
    assert page.locator(".shop").inner_text() == NAME
    assert tile(page, "total-orders") == formats.count(overview.kpis.orders.value)
    assert "NZ" in page.locator(".st-key-badge").inner_text()
    page.emulate_media(media="print")
    assert page.locator(".st-key-print-head .title").inner_text() == f"{NAME}: Overview"
    page.close()


@pytest.mark.skipif(not AXE, reason="set HEADRACE_TEST_AXE to axe.min.js of the npm package axe-core")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1_440, 390])
@pytest.mark.parametrize("path", list(PAGES))
def test_axe_finds_nothing_wrong(
    browser: Browser, address: str, path: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(f"{address}/{path}")
    page.locator(PAGES[path]).first.wait_for()
    page.locator(".st-key-status p").wait_for()
    if path == "report":
        page.locator(".report .fold > summary").click()
    page.evaluate(Path(AXE).read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    page.close()

    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
