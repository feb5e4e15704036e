"""The address holds what a viewer chose, and figures lead to the records that they count, in a real browser."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
import redis

from headrace.embedded import EmbeddedStack
from stream_app.store.queries import Queries
from stream_app.views.ranges import Custom
from stream_app.windows.grain import Grain
from tests.support.browsing import cells, choose, click_row, says, served, tile, url
from tests.support.chromium import ARGUMENTS, chromium
from tests.support.fill import Shop, a_live_shop
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

driver = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

pytestmark = [
    pytest.mark.skipif(chromium() is None, reason="no Chromium on PATH: install chromium"),
    pytest.mark.timeout(180),
]


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
    filled = a_live_shop(store, "headrace", time.time_ns() // 1_000_000, days=61, per_minute=0.3)
    filled.beat(at=time.time_ns() // 1_000_000 + 3_600_000)
    return filled


@pytest.fixture(scope="module")
def address(store: redis.Redis, shop: Shop) -> Iterator[str]:
    port = store.connection_pool.connection_kwargs["port"]
    with served(f"redis://127.0.0.1:{port}/0") as address:
        yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    opened.set_default_timeout(30_000)
    yield opened
    opened.close()


def choices(page: Page) -> dict[str, list[str]]:
    """Choices in the address."""
    return parse_qs(urlsplit(url(page)).query)


def test_filters_and_the_open_record_outlive_a_reload_and_a_colleague_sees_the_same(
    page: Page, browser: Browser, address: str, store: redis.Redis
) -> None:
    page.goto(f"{address}/anomalies?range=30d")
    page.locator(".st-key-card-findings").get_by_text("Choose a row").wait_for()
    choose(page, "finding-severity", "error")
    eventually(lambda: choices(page).get("severity") == ["error"], "the filter stands in the address")
    click_row(page, ".st-key-card-findings", 1)
    page.locator(".st-key-panel-record").wait_for()
    eventually(lambda: "open" in choices(page), "the open row stands in the address")
    source = [row.source for row in Queries(store, "headrace").findings() if row.severity == "error"][1]
    assert choices(page)["open"][0].startswith(f"{source}/")

    page.reload()
    says(page.locator(".st-key-panel-record"), source)
    says(page.locator(".st-key-finding-severity"), "error")
    other = browser.new_page()
    other.goto(url(page))
    says(other.locator(".st-key-panel-record"), source)
    says(other.locator(".st-key-finding-severity"), "error")
    other.close()


def test_back_undoes_one_choice_after_the_other(page: Page, address: str) -> None:
    page.goto(f"{address}/anomalies?range=30d")
    page.locator(".st-key-card-findings").get_by_text("Choose a row").wait_for()
    choose(page, "finding-entity", "customers")
    eventually(lambda: choices(page).get("entity") == ["customers"], "the first choice")
    # An open list takes the first click.
    page.get_by_role("heading", name="Anomalies").click()
    page.get_by_role("radio", name="7 d").click()
    eventually(lambda: choices(page).get("range") == ["7d"], "the second choice")

    page.go_back()
    eventually(lambda: choices(page) == {"range": ["30d"], "entity": ["customers"]}, "the range is back", timeout=20)
    says(page.locator(".st-key-finding-entity"), "customers")
    eventually(lambda: page.get_by_role("radio", name="30 d").get_attribute("aria-checked") == "true", "the range is chosen")
    page.go_back()
    eventually(lambda: choices(page) == {"range": ["30d"]}, "the filter is back", timeout=20)
    eventually(lambda: "customers" not in page.locator(".st-key-finding-entity").inner_text(), "the filter is empty")


def test_a_rule_stays_open_when_the_page_is_loaded_again(page: Page, address: str) -> None:
    page.goto(f"{address}/quality?range=30d")
    click_row(page, ".st-key-card-rules", 1)
    page.locator(".st-key-panel-rule").wait_for()
    eventually(lambda: "open" in choices(page), "the rule stands in the address")
    rule = choices(page)["open"][0].partition("/")[2]
    page.reload()
    says(page.locator(".st-key-panel-rule"), rule)


def test_choices_of_one_page_do_not_come_along_to_the_next(page: Page, address: str) -> None:
    page.goto(f"{address}/anomalies?range=30d&entity=customers&severity=error")
    page.locator(".st-key-card-findings").get_by_text("Choose a row").wait_for()
    page.get_by_role("link", name="Quality", exact=True).click()
    tile(page, "findings")
    eventually(lambda: choices(page) == {"range": ["30d"]}, "only the range came along")


def test_tiles_lead_to_what_they_count(page: Page, address: str) -> None:
    page.goto(f"{address}/quality?range=30d&entity=customers")
    tile(page, "conformity")
    page.locator(".st-key-tile-conformity").get_by_role("link", name="Rejected records").click()
    page.locator(".st-key-card-findings").get_by_text("Choose a row").wait_for()
    assert choices(page) == {"range": ["30d"], "entity": ["customers"], "severity": ["error"]}
    says(page.locator(".st-key-finding-entity"), "customers")
    page.go_back()
    tile(page, "conformity")
    assert choices(page) == {"range": ["30d"], "entity": ["customers"]}
    # The same choices on both pages.
    page.locator(".st-key-tile-findings").get_by_role("link", name="Findings").click()
    page.locator(".st-key-card-findings").get_by_text("Choose a row").wait_for()
    says(page.locator(".st-key-finding-entity"), "customers")
    assert choices(page) == {"range": ["30d"], "entity": ["customers"]}


def test_a_row_of_the_top_rules_leads_to_the_rule(page: Page, address: str) -> None:
    page.goto(f"{address}/?range=30d")
    tile(page, "revenue")
    click_row(page, ".st-key-card-rules", 0)
    page.locator(".st-key-panel-rule").wait_for()
    assert urlsplit(url(page)).path == "/quality"
    assert choices(page)["range"] == ["30d"]
    says(page.locator(".st-key-panel-rule"), choices(page)["open"][0].partition("/")[2])


def test_a_bar_leads_to_the_findings_of_its_time_and_rule(page: Page, address: str) -> None:
    page.goto(f"{address}/quality?range=30d&open=customers/email.format")
    bars = page.locator(".st-key-panel-rule .mark-rect path")
    bars.first.wait_for(state="attached")
    tallest = max(range(bars.count()), key=lambda at: (bars.nth(at).bounding_box() or {"height": 0})["height"])
    bars.nth(tallest).click(force=True)
    eventually(lambda: urlsplit(url(page)).path == "/anomalies", "the page of the findings")
    page.locator(".st-key-card-findings").get_by_text("Findings", exact=True).wait_for()
    begin, end = choices(page).pop("range")[0].split("_")
    assert begin < end
    assert (choices(page)["entity"], choices(page)["rule"]) == (["customers"], ["email.format"])


def test_an_open_incident_leads_to_its_page(page: Page, address: str, store: redis.Redis) -> None:
    page.goto(f"{address}/?range=30d")
    link = page.locator(".st-key-card-news ul.news a").first
    title = link.inner_text()
    link.click()
    page.locator("h2.cause").get_by_text(title, exact=True).wait_for()
    assert urlsplit(url(page)).path == "/incident"
    (opened,) = choices(page)["id"]
    assert opened in {one.id for one in Queries(store, "headrace").incidents() if one.state == "open"}
    page.reload()
    page.locator("h2.cause").get_by_text(title, exact=True).wait_for()


def test_the_open_row_of_an_incident_outlives_a_reload(page: Page, address: str, store: redis.Redis) -> None:
    page.goto(f"{address}/anomalies?range=30d")
    click_row(page, ".st-key-card-incidents", 1)
    panel = page.locator(".st-key-panel-incident")
    panel.wait_for()
    eventually(lambda: "incident" in choices(page), "the open row stands in the address")
    opened = choices(page)["incident"]
    assert opened[0] in {one.id for one in Queries(store, "headrace").incidents()}
    said = panel.inner_text()
    page.reload()
    panel.wait_for()
    says(panel, said)
    assert choices(page)["incident"] == opened


def test_a_rule_shows_its_findings_even_if_others_drown_them(page: Page, address: str, store: redis.Redis, shop: Shop) -> None:
    start = Grain.HOUR.start(shop.until - 3 * 86_400)
    at, hour = start * 1_000 + 5, Custom(start, start + 3_600).value
    keys, rule = shop.keys, "email.format"

    store.zadd(keys.found_windows("customers", rule, Grain.HOUR), {str(start): start})
    store.rpush(keys.found("customers", rule, Grain.HOUR, start), json.dumps(["customers:1:777777", at, at, {}]))
    page.goto(f"{address}/anomalies?range={hour}&rule={rule}")
    eventually(lambda: any("customers:1:777777" in cell for cell in cells(page, ".st-key-card-findings")), "it is shown")
    page.goto(f"{address}/quality?range={hour}&open=customers/{rule}")
    panel = page.locator(".st-key-panel-rule")
    panel.wait_for()
    eventually(lambda: "customers:1:777777" in cells(page, ".st-key-panel-rule"), "it is among the newest of the rule")


def test_a_printed_page_has_its_title_range_and_time(page: Page, address: str) -> None:
    page.goto(f"{address}/quality?range=2026-11-01T00:00_2026-11-02T00:00")
    page.locator(".st-key-badge").wait_for()
    head = page.locator(".st-key-print-head")
    eventually(lambda: not head.is_visible(), "the page has its own head")
    page.emulate_media(media="print")
    eventually(head.is_visible, "the head of the print")
    says(head, "Quality")
    says(head, "1 d: 1 Nov 2026, 00:00 UTC to 2 Nov 2026, 00:00 UTC")
    says(head, "Printed at")
    assert not page.locator(".st-key-head").is_visible()
