"""Cost of a refresh of each page in a browser: ``python -m benchmarks.refresh``.

A dashboard of its own process, over a Redis of its own with two months of a shop, is opened in Chromium. After the page is
drawn, its websocket is read and the CPU of the dashboard is counted, once while nothing changes, and once while three records
with findings come before each refresh.
"""

from __future__ import annotations

import argparse
import time

import psutil
import redis
from playwright.sync_api import Page, sync_playwright

from dashboard import data
from headrace.embedded import EmbeddedStack
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


def watch(page: Page, wire: Wire, port: int, refreshes: int, shop: Shop | None) -> tuple[float, float]:
    """Return bytes from the server and ms of its CPU, by refresh. ``shop``: sends three findings before each."""
    bytes_before, before = wire.received, cpu_seconds(port)
    for _ in range(refreshes):
        if shop is not None:
            shop.recent(3)
        page.wait_for_timeout(data.EVERY * 1_000)
    return (wire.received - bytes_before) / refreshes, 1_000 * (cpu_seconds(port) - before) / refreshes


def measure(refreshes: int) -> None:
    """Print a line for each page."""
    with EmbeddedStack(broker=False) as stack, redis.Redis.from_url(stack.redis_url) as client:
        shop = a_live_shop(client, "headrace", time.time_ns() // 1_000_000, days=61, per_minute=0.3)
        shop.recent(1_000)
        shop.reports()
        shop.beat(at=time.time_ns() // 1_000_000 + 3_600_000)
        port = free_port()
        with served(stack.redis_url, port), sync_playwright() as running:
            browser = running.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
            print(f"{'page':<12}{'calm, bytes':>14}{'calm, CPU ms':>14}{'live, bytes':>14}{'live, CPU ms':>14}")
            for name in PAGES:
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                wire = Wire(page)
                page.goto(f"http://127.0.0.1:{port}/{name}?range=30d")
                page.wait_for_timeout(6_000)
                calm = watch(page, wire, port, refreshes, None)
                live = watch(page, wire, port, refreshes, shop)
                print(f"{name:<12}{calm[0]:>14,.0f}{calm[1]:>14.0f}{live[0]:>14,.0f}{live[1]:>14.0f}", flush=True)
                page.close()
            browser.close()


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--refreshes", type=int, default=5)
    measure(parser.parse_args().refreshes)


if __name__ == "__main__":
    main()
