"""A button finds in Kafka what the store does not keep any more, and says so where Kafka does not answer."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import redis
from kafka import KafkaProducer

from headrace.embedded import EmbeddedStack
from stream_app.contract import load_shop
from stream_app.judge import Judge
from stream_app.judge.verdict import findings_json
from stream_app.kafka.admin import ensure_topics
from stream_app.kafka.headers import dead_letter_headers
from stream_app.names import Topics
from stream_app.settings import load_settings
from stream_app.views.ranges import Custom
from tests.support.browsing import cells, click_row, says, served
from tests.support.chromium import ARGUMENTS, chromium
from tests.support.fill import Shop, a_live_shop
from tests.support.records import encoded, order
from tests.support.staged import countries, country_gone, judged, put
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

driver = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

pytestmark = [
    pytest.mark.skipif(chromium() is None, reason="no Chromium on PATH: install chromium"),
    pytest.mark.timeout(180),
]
LETTERS = 130
RULE = "quantity.minimum"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with driver.sync_playwright() as running:
        launched = running.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def stack() -> Iterator[EmbeddedStack]:
    with EmbeddedStack() as running:
        yield running


@pytest.fixture(scope="module")
def store(stack: EmbeddedStack) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(stack.redis_url) as client:
        yield client


@pytest.fixture(scope="module")
def shop(store: redis.Redis) -> Shop:
    filled = a_live_shop(store, "headrace", time.time_ns() // 1_000_000, days=61, per_minute=0.3)
    filled.beat(at=time.time_ns() // 1_000_000 + 3_600_000)
    countries(store, filled.keys, filled.until)
    judged(store, filled.keys, filled.until, *filled.summaries)
    return filled


@pytest.fixture(scope="module")
def old(shop: Shop) -> Custom:
    """An hour of 40 days ago; the store keeps no finding of it."""
    hour = shop.until // 3_600 * 3_600 - 40 * 86_400
    return Custom(hour, hour + 3_600)


def dead_letters(stack: EmbeddedStack, starts: dict[int, int]) -> None:
    """Write dead letters: start of an hour (s) → how many."""
    contracts, settings = load_shop(None).contracts, load_settings(kafka=stack.kafka)
    ensure_topics(settings, contracts)
    topics, judge = Topics("orders"), Judge(contracts["orders"])
    producer = KafkaProducer(bootstrap_servers=stack.kafka)
    for start, number in starts.items():
        for index in range(number):
            at = start * 1_000 + index * 1_000
            date = datetime.fromtimestamp(at / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            raw = encoded(order(order_id=start + index, quantity=0, order_date=date, coupon="SECRET"))
            record = SimpleNamespace(headers=(), timestamp=at, key=b"1", value=raw, offset=index)
            source, found = f"{topics.raw}:0:{start + index}".encode(), findings_json(judge.judge(raw, at).findings)
            headers = dead_letter_headers(record, source, b"headrace-shop-orders:1.0.0", found, "g")
            producer.send(topics.dead_letter, raw, partition=0, timestamp_ms=at, headers=headers)
    producer.flush()
    producer.close()


@pytest.fixture(scope="module")
def address(stack: EmbeddedStack, shop: Shop, old: Custom) -> Iterator[str]:
    lead, *_ = country_gone(shop.until)
    dead_letters(stack, {old.start: LETTERS, old.end: 40, lead.start // 3_600 * 3_600: 7})
    with served(stack.redis_url, HEADRACE_KAFKA=stack.kafka) as address:
        yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    opened.set_default_timeout(30_000)
    yield opened
    opened.close()


def anomalies(address: str, old: Custom) -> str:
    return f"{address}/anomalies?range={quote(old.value)}&entity=orders&rule={RULE}"


def test_the_records_of_a_bar_of_last_month_are_found_opened_and_exported(
    page: Page, address: str, old: Custom, tmp_path: Path
) -> None:
    page.goto(anomalies(address, old))
    card = page.locator(".st-key-card-findings")
    says(card, "None of the newest findings matches")
    page.locator(".st-key-finding-older-button button").click()
    says(card, f"{LETTERS} findings in {LETTERS + 47} records of orders.dlq; all were read")
    says(card, f"100 of {LETTERS} findings")

    with page.expect_download() as download:
        page.locator(".st-key-findings-csv button").first.click()
    download.value.save_as(tmp_path / "findings.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "findings.csv").read_text("utf-8-sig"))))
    assert [row["Rule"] for row in rows] == [RULE] * LETTERS
    assert {row["Source"] for row in rows} == {f"orders:0:{old.start + index}" for index in range(LETTERS)}

    # The newest event time first. What is not in the contract is masked, as it is in the newest findings.
    assert any(f"orders:0:{old.start + LETTERS - 1}" in text for text in cells(page, ".st-key-card-findings"))
    click_row(page, ".st-key-card-findings", 0)
    panel = page.locator(".st-key-panel-record")
    says(panel, "coupon")
    says(panel, "••• (text of 6 characters, not in the contract)")
    assert "SECRET" not in page.content()
    assert page.locator("[data-testid='stException']").count() == 0


def test_another_choice_is_another_search(page: Page, address: str, old: Custom) -> None:
    page.goto(anomalies(address, old))
    button = page.locator(".st-key-finding-older-button button")
    button.click()
    eventually(lambda: "Search again" in button.inner_text(), "the search is done")
    page.goto(anomalies(address, Custom(old.end, old.end + 3_600)))
    eventually(lambda: "Search the dead-letter topic" in button.inner_text(), "nothing was searched yet")
    says(page.locator(".st-key-card-findings"), "None of the newest findings matches")
    button.click()
    says(page.locator(".st-key-card-findings"), "40 findings in")


def test_an_incident_leads_to_its_dead_letters(page: Page, address: str, store: redis.Redis, shop: Shop) -> None:
    volume, mix = country_gone(shop.until)
    put(store, shop.keys, volume, mix)
    page.goto(f"{address}/incident?id={quote(volume.id, safe='')}")
    letters = page.locator(".st-key-card-letters")
    button = letters.locator(".st-key-incident-older-button button")
    button.click()
    says(letters, "7 findings in")
    eventually(lambda: sum(RULE in text for text in cells(page, ".st-key-card-letters")) >= 1, "they are in the table")


def test_without_kafka_the_button_says_what_to_do_and_the_page_stays(
    page: Page, stack: EmbeddedStack, address: str, old: Custom
) -> None:
    with served(stack.redis_url) as other:
        page.goto(anomalies(other, old))
        page.locator(".st-key-finding-older-button button").click()
        card = page.locator(".st-key-card-findings")
        says(card, "127.0.0.1:1")
        says(card, "HEADRACE_KAFKA")
        says(page.locator(".st-key-finding-older-button"), "Search the dead-letter topic")
        assert page.locator("[data-testid='stException']").count() == 0
