"""The dashboard in a real browser: it serves, shows the store's numbers, follows the stream and stays calm."""

from __future__ import annotations

import csv
import io
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
import redis

from dashboard import data
from dashboard.text import formats
from headrace.embedded import EmbeddedStack
from stream_app.store.queries import Queries
from stream_app.views.overview import read_overview
from stream_app.views.quality import read_quality
from stream_app.views.ranges import TimeRange
from tests.support.browsing import choose, click_row, says, served, settled, tile, url
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
    filled.reports()
    return filled


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


def test_the_page_shows_the_stores_numbers(page: Page, address: str, store: redis.Redis, shop: Shop) -> None:
    page.goto(f"{address}/?range=30d")
    kpis = read_overview(Queries(store, "headrace"), TimeRange.LAST_30_DAYS).kpis

    assert tile(page, "revenue") == formats.money(kpis.revenue.value, "USD")
    assert tile(page, "total-orders") == formats.count(kpis.orders.value)
    assert tile(page, "active-customers") == formats.count(kpis.active_customers.value)
    assert tile(page, "conversion-rate") == formats.percent(kpis.conversion_rate.value)
    assert tile(page, "valid-records") == formats.percent(kpis.valid_records.value, 2)


def test_choosing_a_range_changes_the_numbers_and_the_address(page: Page, address: str, store: redis.Redis) -> None:
    page.goto(f"{address}/?range=30d")
    tile(page, "revenue")
    page.get_by_role("radio", name="7 d").click()
    week = formats.money(read_overview(Queries(store, "headrace"), TimeRange.LAST_WEEK).kpis.revenue.value, "USD")

    eventually(lambda: tile(page, "revenue") == week, "the week's revenue", timeout=30)
    assert "range=7d" in url(page)


def test_axes_count_whole_things_and_dimensions_stay_in_order_when_the_range_changes(
    page: Page, address: str, store: redis.Redis, shop: Shop
) -> None:
    def axes() -> list[str]:
        drawn = "[data-testid='stVegaLiteChart'] svg.marks .role-axis-label text"
        return [str(text) for text in page.locator(drawn).all_text_contents()]

    def dimensions() -> list[str]:
        """Those of the chart, from the top down."""
        texts: list[str] = (
            page.evaluate("""() => [...document.querySelectorAll(".st-key-card-dimensions .role-axis-label text")]
            .filter(text => /^[A-Z]/.test(text.textContent))
            .sort((one, other) => one.getBoundingClientRect().top - other.getBoundingClientRect().top)
            .map(text => text.textContent)""")
        )
        return texts

    def worst_first(chosen: TimeRange) -> list[str]:
        shares = read_overview(Queries(store, "headrace"), chosen).quality.dimensions
        return [name.capitalize() for _, name in sorted((share, name) for name, share in shares.items() if share is not None)]

    page.goto(f"{address}/?range=30d")
    eventually(lambda: dimensions() == worst_first(TimeRange.LAST_30_DAYS), "the dimensions, worst first", timeout=30)
    assert not [text for text in axes() if text == "0k"]
    # Other figures come into the same chart: first such as turn the order around, then some minutes with hardly an order.
    span = read_overview(Queries(store, "headrace"), TimeRange.LAST_30_DAYS).span
    assert span is not None
    last = f"headrace:win:orders:d:{span.end - 86_400}"
    best = worst_first(TimeRange.LAST_30_DAYS)[-1].lower()
    rule = next(name for name, one in shop.summaries["orders"].rules.items() if one.dimension == best)
    for name in (f"f:{rule}", f"d:{best}"):
        store.hincrby(last, name, 5_000)
    try:
        eventually(lambda: worst_first(TimeRange.LAST_30_DAYS)[0].lower() == best, "the store's new order")
        eventually(lambda: dimensions() == worst_first(TimeRange.LAST_30_DAYS), "the chart's new order", timeout=30)
    finally:
        for name in (f"f:{rule}", f"d:{best}"):
            store.hincrby(last, name, -5_000)
    page.get_by_role("radio", name="15 min").click()
    page.get_by_text("by minute").first.wait_for()
    page.wait_for_timeout(1_500)
    # Shares have fractions; what is counted has none.
    counted = page.locator(".st-key-card-sales [data-testid='stVegaLiteChart']").last
    labels = counted.locator(".role-axis-label text").all_text_contents()
    assert labels
    assert not [text for text in labels if "." in text]


def test_new_records_appear_by_themselves_and_the_page_stays_where_it_is(
    page: Page, address: str, store: redis.Redis, shop: Shop
) -> None:
    # A worker that went silent meanwhile puts a warning above everything, and its going moves the page.
    shop.beat(at=time.time_ns() // 1_000_000 + 60_000)
    page.goto(f"{address}/?range=all")
    before = tile(page, "total-orders")
    charts = page.locator("[data-testid='stVegaLiteChart'] svg.marks")
    eventually(lambda: charts.count() == 10, "all charts are drawn", timeout=30)
    eventually(lambda: page.locator(".st-key-advice [data-testid='stAlert']").count() == 0, "no warning is left", timeout=30)
    page.locator(".st-key-card-rules").scroll_into_view_if_needed()
    scrolled = "document.querySelector('[data-testid=\"stMain\"]').scrollTop"
    eventually(lambda: page.evaluate(scrolled) > 200, "the page is scrolled down")
    settled(page)
    position = page.evaluate(scrolled)
    # A tile that is taken away and drawn anew would flicker: the very node has to stay.
    page.evaluate("window.kept = document.querySelector(\".st-key-tile-revenue [data-testid='stMetricValue']\")")
    store.hincrby("headrace:total:orders", "clean", 4_321)
    store.hincrby("headrace:total:orders", "in", 4_321)

    eventually(lambda: tile(page, "total-orders") != before, "the new total", timeout=30)
    assert page.evaluate(scrolled) == position
    assert page.evaluate("document.contains(window.kept)")


def test_a_warning_that_comes_does_not_redraw_the_figures(page: Page, address: str, store: redis.Redis, shop: Shop) -> None:
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
    page.wait_for_timeout(4_500)  # a refresh would have come by now

    assert tile(page, "total-orders") == before


PAGES = {
    "": ".st-key-card-rules",
    "quality": ".st-key-card-drift",
    "anomalies": ".st-key-card-findings",
    "clean": ".st-key-card-subscribe",
    "report": ".st-key-card-report",
    "pipeline": ".st-key-card-broker",
}


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
def test_every_page_is_drawn_nothing_sticks_out_and_nobody_else_is_called(
    browser: Browser, address: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.set_default_timeout(60_000)
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    problems: dict[str, object] = {}
    for path, last in PAGES.items():
        page.goto(f"{address}/{path}")
        page.locator(last).wait_for()
        if not path:
            charts = page.locator("[data-testid='stVegaLiteChart'] svg.marks")
            eventually(lambda charts=charts: charts.count() == 10, "all charts are drawn", timeout=30)  # type: ignore[misc]
        page.wait_for_timeout(700)
        problems[path] = page.evaluate("""() => [
            [...document.querySelectorAll('[class*="st-key-card-"], [class*="st-key-tile-"], .stHtml')]
                .filter(box => box.getBoundingClientRect().right > innerWidth + 1).map(box => box.className),
            [...document.querySelectorAll('[data-testid="stMetricValue"] *')]
                .filter(box => box.scrollWidth > box.clientWidth + 1 && box.clientWidth).map(box => box.textContent),
            document.querySelectorAll('[data-testid="stException"]').length,
            // A thousandth as "m", a zero with a unit, a number with all its digits: what d3 makes of them unasked.
            [...document.querySelectorAll('[data-testid="stVegaLiteChart"] svg text')].map(text => text.textContent)
                .filter(text => /^0[a-zA-Z]$|^[0-9.]+[mµG]$|[0-9]{7}|[.][0-9]{6}/.test(text)),
        ]""")
    page.close()

    assert problems == {path: [[], [], 0, []] for path in PAGES}
    assert [url for url in asked if not url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))] == []
    assert errors == []


def test_a_rule_opens_what_it_says_and_stays_open_while_figures_change(
    page: Page, address: str, store: redis.Redis, shop: Shop
) -> None:
    page.goto(f"{address}/quality?range=30d")
    page.locator(".st-key-card-drift").wait_for()
    view = read_quality(Queries(store, "headrace"), TimeRange.LAST_30_DAYS)
    assert tile(page, "findings") == formats.count(sum(row.count for row in view.rules))
    click_row(page, ".st-key-card-rules", 2)
    panel = page.locator(".st-key-panel-rule")
    panel.wait_for()

    opened = view.rules[2]
    says(panel, opened.rule)
    says(panel, view.contracts[opened.entity].rules[opened.rule].message)
    last = view.span.end - 86_400 if view.span else 0
    store.hincrby(f"headrace:win:{view.rules[5].entity}:d:{last}", f"f:{view.rules[5].rule}", 100_000)
    total = formats.count(sum(row.count for row in read_quality(Queries(store, "headrace"), TimeRange.LAST_30_DAYS).rules))
    eventually(lambda: tile(page, "findings") == total, "the new findings are counted", timeout=30)
    says(panel, opened.rule)


def test_a_filter_and_an_open_finding_outlive_new_findings(page: Page, address: str, store: redis.Redis, shop: Shop) -> None:
    page.goto(f"{address}/anomalies?range=30d")
    table = page.locator(".st-key-card-findings")
    table.get_by_text("Choose a row").wait_for()
    choose(page, "finding-severity", "error")
    page.wait_for_timeout(1_000)
    source = next(row.source for row in Queries(store, "headrace").findings() if row.severity == "error")
    click_row(page, ".st-key-card-findings", 0)
    panel = page.locator(".st-key-panel-record")
    panel.get_by_text("no Kafka broker answers").wait_for()
    shop.recent(3)
    table.get_by_text("newer ones appear when the record is closed").wait_for()

    says(panel, source)
    says(page.locator(".st-key-finding-severity"), "error")


def test_what_a_viewer_downloads_is_what_the_page_shows(page: Page, address: str, store: redis.Redis) -> None:
    report = Queries(store, "headrace").reports()[0]
    page.goto(f"{address}/report")
    for name, text in (("Markdown", report.markdown), ("HTML", report.html)):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=name).click()
        assert Path(waiting.value.path()).read_text(encoding="utf-8") == text
        assert waiting.value.suggested_filename.startswith(report.id)

    page.goto(f"{address}/anomalies?range=30d")
    page.locator(".st-key-card-findings").get_by_text("Choose a row").wait_for()
    shown = page.locator(".st-key-finding-foot")
    with page.expect_download() as waiting:
        shown.get_by_role("button", name="Download as CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(waiting.value.path()).read_text(encoding="utf-8-sig"))))
    assert [row["Source"] for row in rows] == [row.source for row in Queries(store, "headrace").findings()]
    says(shown, f"{len(rows)} findings")


def test_a_file_that_was_clicked_is_still_there_when_the_page_has_drawn_itself_again(
    page: Page, address: str, store: redis.Redis, shop: Shop
) -> None:
    """Between the click and the download there is a moment, and a live page uses it."""
    page.goto(f"{address}/anomalies?range=30d")
    shown = page.locator(".st-key-finding-foot")
    with page.expect_download() as waiting:
        shown.get_by_role("button", name="Download as CSV").click()
    clicked = Path(waiting.value.path()).read_bytes()
    before = len(Queries(store, "headrace").findings())
    shop.recent(3)
    now = len(Queries(store, "headrace").findings())
    assert now > before
    says(shown, f"{now} findings")
    page.wait_for_timeout(3_000 * data.EVERY)  # what is no longer offered goes at the refreshes after

    with urllib.request.urlopen(waiting.value.url) as answer:
        assert answer.read() == clicked
    assert not shown.get_by_text("Before").is_visible()
    with page.expect_download() as waiting:
        shown.get_by_role("button", name="Download as CSV").click()
    assert Path(waiting.value.path()).read_bytes() != clicked


def test_a_report_opens_the_facts_of_its_figures(page: Page, address: str, store: redis.Redis) -> None:
    report = Queries(store, "headrace").reports()[0]
    page.goto(f"{address}/report")
    figure = page.locator(".report table.figures details").first
    figure.locator("summary").click()

    says(figure, report.report["figures"][0]["now"])
    says(figure, report.report["figures"][0]["id"])


@pytest.mark.parametrize("width", [390, 1440])
def test_every_figures_card_lies_within_the_page_and_one_is_open_at_a_time(browser: Browser, address: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(60_000)
    cards: list[list[float]] = []
    for path in ("", "report"):
        page.goto(f"{address}/{path}?range=30d")
        page.locator(".report details.fact").first.wait_for(state="attached")
        page.locator(PAGES[path]).wait_for()
        cards += page.evaluate("""() => [...document.querySelectorAll('details.fact')].map(figure => {
            figure.querySelector('summary').click();
            const card = figure.querySelector('.card').getBoundingClientRect();
            return [card.left, card.right, card.width, document.querySelectorAll('details.fact[open]').length];
        })""")
    page.close()

    assert len(cards) > 20
    assert [card for card in cards if card[0] < 0 or card[1] > width or card[2] < 150 or card[3] != 1] == []


def test_what_a_change_is_compared_with_is_readable_on_a_phone(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.set_default_timeout(60_000)
    page.goto(f"{address}/?range=15m")
    tile(page, "valid-records")
    page.wait_for_timeout(500)
    cut = page.evaluate("""() => [...document.querySelectorAll("[data-testid='stMetricDeltaDescription']")]
        .flatMap(box => [box, ...box.querySelectorAll('*')])
        .filter(box => box.clientWidth && box.scrollWidth > box.clientWidth).map(box => box.textContent)""")
    sticks_out = page.evaluate("""() => [...document.querySelectorAll("[data-testid='stMetricDeltaDescription']")].filter(box =>
        box.getBoundingClientRect().right > box.closest("[class*='st-key-tile-']").getBoundingClientRect().right).length""")
    page.close()

    assert (cut, sticks_out) == ([], 0)


def test_a_printed_report_is_the_report_and_nothing_else(page: Page, address: str, store: redis.Redis) -> None:
    report = Queries(store, "headrace").reports()[0].report
    page.goto(f"{address}/report")
    page.locator(".st-key-card-report .events").wait_for()
    sections = page.locator(".st-key-card-report section")
    rows = page.locator(".st-key-card-report table.figures tbody tr")
    page.locator(".st-key-status p.status").wait_for()
    page.get_by_text("For a PDF, print this page").wait_for()
    said = page.locator(".st-key-card-report .events .what").all_inner_texts()
    assert ["".join(one.split()) for one in said] == ["".join(event["what"]["text"].split()) for event in report["events"]]
    assert sections.count() == len(report["sections"])
    assert rows.count() == len(report["figures"])
    assert not any(one.is_visible() for one in sections.all())
    page.emulate_media(media="print")

    # What is folded on the screen, too.
    assert all(one.is_visible() for one in [*sections.all(), *rows.all()])
    assert not page.locator(".stAppHeader").is_visible()
    assert not any(
        page.locator(f".st-key-{part}").is_visible() for part in ("head", "badge", "status", "advice", "report-head")
    )
    assert not page.get_by_text("For a PDF, print this page").is_visible()
    # The whole report, not only what fits on the screen; a page of A4 holds some fifty lines.
    height = page.locator(".st-key-card-report").evaluate("card => card.getBoundingClientRect().height")
    assert page.pdf(format="A4").count(b"/Type /Page\n") >= height // 1_400 + 1


def test_only_the_export_that_writes_no_formulas_is_offered(page: Page, address: str) -> None:
    page.goto(f"{address}/anomalies?range=30d")
    table = page.locator(".st-key-card-findings [data-testid='stDataFrame']")
    table.hover()
    tools = page.locator(".st-key-card-findings [data-testid='stElementToolbarButton'] button")
    tools.and_(page.locator("[aria-label^='Search']")).wait_for()

    offered = [str(tool.get_attribute("aria-label")) for tool in tools.all() if tool.is_visible()]
    assert not [name for name in offered if name.startswith("Download")]
    assert page.locator(".st-key-findings-csv button").first.is_visible()
