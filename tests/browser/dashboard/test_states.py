"""Every page in every state of the store, and strings that pages have stumbled over, in a real browser."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import msgspec
import pytest
import redis

from dashboard.text.words import visible
from headrace.embedded import EmbeddedStack
from stream_app.store.heartbeat import Problem
from stream_app.store.keys import Keys
from tests.support.browsing import cells, click_row, offered, served
from tests.support.chromium import ARGUMENTS, chromium
from tests.support.fill import Shop
from tests.support.naughty import NAUGHTY
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Page

driver = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

pytestmark = [
    pytest.mark.skipif(chromium() is None, reason="no Chromium on PATH: install chromium"),
    pytest.mark.timeout(240),
]

PAGES = ("", "quality", "anomalies", "clean", "report", "pipeline")
#: What pages that know the contracts say before the first record.
BEFORE = {"clean": "No clean records yet", "report": "No report yet", "pipeline": "Entities and their contracts"}
#: What stands on each page once there are records.
SHOWN = {
    "": "Top rules",
    "quality": "Findings by rule",
    "anomalies": "Choose a row to open its record",
    "clean": "clean in all",
    "report": "No report yet",
    "pipeline": "Entities and their contracts",
}


@pytest.fixture
def page() -> Iterator[Page]:
    with driver.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        opened = browser.new_page(viewport={"width": 1440, "height": 900})
        opened.set_default_timeout(60_000)
        yield opened
        browser.close()


def look(page: Page, address: str, badge: str, says: Mapping[str, str], advice: str = "", pages: Sequence[str] = PAGES) -> None:
    """Open pages: the badge, what ``says`` has for the page (or under "", for all), and ``advice`` above it."""
    for path in pages:
        page.goto(f"{address}/{path}")
        page.locator(".st-key-badge").get_by_text(badge).wait_for()
        if advice:
            page.locator(".st-key-advice").get_by_text(advice).wait_for()
        page.locator("[data-testid='stMain']").get_by_text(says.get(path, says[""])).first.wait_for()
        assert page.locator("[data-testid='stException']").count() == 0


def test_each_page_says_in_each_state_what_is_and_what_to_do(page: Page) -> None:
    with EmbeddedStack(broker=False) as stack, served(stack.redis_url) as address:
        look(page, address, "No records yet", {"": "headrace demo", "report": "headrace report"})

        now = time.time_ns() // 1_000_000
        with redis.Redis.from_url(stack.redis_url) as client:
            shop = Shop(client, "headrace", until=now // 1_000, now_ms=now)
            shop.announce()
            shop.beat(at=now + 3_600_000)
            look(page, address, "No records yet", {"": "A worker is running and waits for records", **BEFORE})

            shop.fill(60)
            shop.recent()
            shop.beat({"orders": 12, "customers": 0, "products": 0, "visits": 0}, at=now + 3_600_000)
            processed(client, shop, now - 60_000)
            look(page, address, "Stale", SHOWN, "12 records are unread")

            shop.beat(state="retrying", problems=(Problem(text="ConnectionError"),), at=now + 3_600_000)
            look(page, address, "Worker is retrying", SHOWN, "no record is lost", ["pipeline"])

            shop.beat(at=now + 3_600_000)
            processed(client, shop, now - 3_600_000)
            look(page, address, "No new records for", SHOWN, pages=["anomalies"])

            client.delete("headrace:workers")
            look(page, address, "No worker running", SHOWN, "headrace worker", ["quality"])

        stack.stop()
        look(page, address, "Store unreachable", {"": "Nothing to show yet"}, "cannot be reached")


def processed(client: redis.Redis, shop: Shop, at: int) -> None:
    """The last batch was counted at that wall time (ms)."""
    for entity in shop.summaries:
        client.hset(f"headrace:total:{entity}", "at", at)


def test_naughty_strings_are_shown_as_they_are(page: Page) -> None:
    with EmbeddedStack(broker=False) as stack, served(stack.redis_url) as address:
        with redis.Redis.from_url(stack.redis_url) as client:
            naughty(client)
        page.goto(f"{address}/pipeline")
        shown = page.locator(".cards .problem > bdi")
        eventually(lambda: shown.count() == len(NAUGHTY), "all workers are shown", timeout=30)
        texts = shown.evaluate_all("all => all.map(one => one.textContent)")
        assert sorted(text[: text.rindex(" (for ")] for text in texts) == sorted(map(visible, NAUGHTY))

        page.goto(f"{address}/report")
        page.locator(".report .fold > summary").click()
        lines = page.locator(".report section li")
        lines.first.wait_for()
        assert lines.evaluate_all("all => all.map(one => one.textContent)") == [visible(one) for one in NAUGHTY]

        page.goto(f"{address}/clean")
        page.locator(".st-key-card-clean [data-testid='stDataFrame']").wait_for()
        eventually(lambda: len(cells(page, ".st-key-card-clean")) > 20, "the table is drawn")
        drawn = set(cells(page, ".st-key-card-clean"))
        assert {"<b>bold</b> & <i>italic</i>", "{{constructor.constructor('window.naughty=5')()}}"} <= drawn

        page.goto(f"{address}/anomalies?range=all")
        page.locator(".st-key-card-findings").get_by_text("Choose a row").wait_for()
        # What the tables draw can be read back only where it needs no folding of white space.
        eventually(
            lambda: len(set(cells(page, ".st-key-card-findings")) & set(map(visible, NAUGHTY))) >= 8, "texts are drawn verbatim"
        )
        rules = offered(page, "finding-rule").all_text_contents()
        assert set(rules) - {"Select all"} <= {visible(one) for one in NAUGHTY}
        assert len(rules) > 5
        page.keyboard.press("Escape")
        click_row(page, ".st-key-card-incidents", 0)
        stands = page.locator(".st-key-panel-incident bdi", has_text="naughty")
        stands.first.wait_for()
        assert any(text.startswith(f"country: {NAUGHTY[0]}") for text in stands.all_text_contents())

        assert page.evaluate("window.naughty") is None
        assert page.locator("a[href*='naughty']").count() == 0


def naughty(client: redis.Redis) -> None:
    """A store full of naughty strings: workers' errors, a report, clean records, findings and an incident."""
    now = time.time_ns() // 1_000_000
    shop = Shop(client, "headrace", until=now // 1_000, now_ms=now)
    shop.announce()
    shop.fill(60)
    for number, text in enumerate(NAUGHTY):
        shop.beat(worker=f"w-{number}", problems=(Problem(text=text, since=now),), at=now + 60_000)
        record = {"order_id": number, "customer_id": 1, "product_id": 1, "quantity": 1, "price": 1, "order_date": "x"}
        entry = {"source": text, "event_time": now, "record": record, "repairs": [text], "warnings": []}
        client.rpush("headrace:clean:orders", json.dumps(entry))
        finding = {"entity": "orders", "rule": text, "severity": "error", "dimension": text, "path": text, "message": text}
        client.rpush("headrace:findings", json.dumps(finding | {"source": text, "event_time": now, "at": now}))
    report = shop.reports(1)[0]
    said = [{"text": text, "source": text} for text in NAUGHTY]
    body = {**report.report, "sections": [{"key": "summary", "title": NAUGHTY[0], "items": said}], "headline": said[0]}
    client.set(Keys("headrace").report(report.id), json.dumps(asdict(replace(report, report=body))))
    incident = shop.incidents()[0]
    segment = ("country", NAUGHTY[0], 0.1, 0.9)
    spoilt = msgspec.structs.replace(incident, id="x", start=now // 1_000 - 60, end=now // 1_000, segment=segment)
    client.hset("headrace:incidents", "x", spoilt.to_json())
