"""Cost of a refresh of each page in a browser: ``python -m benchmarks.refresh``.

A dashboard of its own process, over a Redis of its own with two months of a shop, is opened in Chromium. After the page is
drawn, its websocket is read and the CPU of the dashboard is counted: while nothing changes; while three records with findings
are listed before each refresh; and while records are counted before each refresh, which changes every figure and every chart.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import psutil
import redis
from playwright.sync_api import Page, sync_playwright

from dashboard import data
from headrace.embedded import EmbeddedStack
from stream_app.counts import fields
from stream_app.windows.grain import Grain
from tests.support.browsing import free_port, served
from tests.support.chromium import ARGUMENTS, chromium
from tests.support.fill import Shop, a_live_shop

PAGES = ("overview", "quality", "anomalies", "clean", "report", "pipeline")


def cpu_seconds(port: int) -> float:
    """Return the CPU seconds that the process that listens on ``port`` has used."""
    for found in psutil.net_connections("tcp"):
        if found.status == psutil.CONN_LISTEN and found.laddr and found.laddr[1] == port and found.pid is not None:
            times = psutil.Process(found.pid).cpu_times()
            return float(times.user + times.system)
    raise SystemExit(f"no process listens on port {port}")


class Wire:
    """Counts the bytes that come over the websockets of a page."""

    def __init__(self, page: Page) -> None:
        self.received = 0
        page.on("websocket", lambda socket: socket.on("framereceived", self._count))

    def _count(self, frame: bytes | str) -> None:
        self.received += len(frame)


def nothing() -> None:
    """Change nothing."""


def count(shop: Shop) -> None:
    """Count 20 orders, one of them rejected, and 5 customers in the windows that are still running."""
    pipe = shop.client.pipeline(transaction=False)
    spain = {fields.segment("country", what, "Spain"): 5 for what in (fields.RECEIVED, fields.CLEAN)}
    found = {fields.finding("price.type"): 1, fields.dimension("conformity"): 1, fields.REJECTED: 1}
    rows = {
        "orders": {fields.RECEIVED: 20, fields.CLEAN: 19, fields.REVENUE: 41_000, **found},
        "customers": {fields.RECEIVED: 5, fields.CLEAN: 5, **spain},
    }
    for entity, counters in rows.items():
        for name, number in counters.items():
            for grain in Grain:
                pipe.hincrby(shop.keys.window(entity, grain, grain.start(shop.until)), name, number)
            if name not in spain:
                pipe.hincrby(shop.keys.total(entity), name, number)
    pipe.hincrby(shop.keys.store(), "serial", 1)
    pipe.execute()


def watch(page: Page, wire: Wire, port: int, refreshes: int, change: Callable[[], object]) -> tuple[float, float]:
    """Return bytes from the server and ms of its CPU, by refresh. ``change``: what happens before each."""
    bytes_before, before = wire.received, cpu_seconds(port)
    for _ in range(refreshes):
        change()
        page.wait_for_timeout(data.EVERY * 1_000)
    return (wire.received - bytes_before) / refreshes, 1_000 * (cpu_seconds(port) - before) / refreshes


def measure(refreshes: int, pages: Sequence[str]) -> None:
    """Print a line for each page."""
    with EmbeddedStack(broker=False) as stack, redis.Redis.from_url(stack.redis_url) as client:
        shop = a_live_shop(client, "headrace", time.time_ns() // 1_000_000, days=61, per_minute=0.3)
        shop.recent(1_000)
        shop.reports()
        shop.beat(at=time.time_ns() // 1_000_000 + 3_600_000)
        port = free_port()
        with served(stack.redis_url, port), sync_playwright() as running:
            browser = running.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
            changes = {"calm": nothing, "listed": lambda: shop.recent(3), "counted": lambda: count(shop)}
            print(f"{'page':<12}" + "".join(f"{f'{name}, bytes':>16}{'CPU ms':>8}" for name in changes))
            for name in pages:
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                wire = Wire(page)
                page.goto(f"http://127.0.0.1:{port}/{name}?range=30d")
                page.wait_for_timeout(6_000)
                found = [watch(page, wire, port, refreshes, change) for change in changes.values()]
                print(f"{name:<12}" + "".join(f"{sent:>16,.0f}{spent:>8.0f}" for sent, spent in found), flush=True)
                page.close()
            browser.close()


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--refreshes", type=int, default=5)
    parser.add_argument("--pages", nargs="+", choices=PAGES, default=PAGES)
    options = parser.parse_args()
    measure(options.refreshes, options.pages)


if __name__ == "__main__":
    main()
