"""Server time of a refresh of each dashboard page, with a year of data: ``python -m benchmarks.dashboard``.

A Redis of its own is filled with a year of orders, customers and products; every minute window is kept, which is more than
workers keep. Each page is run over each range with empty caches: read from Redis, compute, build the page. Viewers of a page
share the reading, which is also measured by itself.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import redis

from headrace.embedded import EmbeddedStack
from stream_app.windows.grain import Grain
from tests.support.fill import Shop

PAGE = """
from dashboard.parts import frame
from dashboard.screens import {name} as view
frame.header("{name}", ranged={ranged})
view.page()
"""
RANGED = ("overview", "quality", "anomalies")
PAGES = (*RANGED, "clean_orders", "report", "pipeline")


def fill(client: redis.Redis, days: int, per_minute: float) -> int:
    """Fill Redis with a shop of that many days up to now; return the number of minute windows."""
    now = time.time_ns() // 1_000_000
    shop = Shop(client, "headrace", until=now // 1000, now_ms=now)
    shop.announce()
    shop.fill(days * 1_440, per_minute=per_minute, keep_all=True)
    shop.recent(1_000)
    shop.incidents()
    shop.reports()
    shop.beat(at=now + 3_600_000)
    return sum(int(client.zcard(shop.keys.windows(entity, Grain.MINUTE))) for entity in shop.summaries)


def timed(work: Callable[[], object], times: int) -> tuple[list[float], list[float]]:
    """Return milliseconds of each run, by the clock and of this process' CPU."""
    taken, spent = [], []
    for _ in range(times):
        began, at = time.perf_counter(), time.process_time()
        work()
        taken.append((time.perf_counter() - began) * 1000)
        spent.append((time.process_time() - at) * 1000)
    return taken, spent


def measure(times: int) -> float:
    """Print a line for each page and range; return the longest median in ms."""
    from streamlit.testing.v1 import AppTest

    from dashboard import data
    from stream_app.views.ranges import TimeRange

    reads = (data.overview, data.quality, data.findings, data.incidents, data.reports, data.clean, data.pulse)
    worst = 0.0
    print(f"{'page':<14}{'range':<8}{'read, ms':>12}{'refresh, ms':>14}{'CPU, ms':>12}{'worst, ms':>12}")
    for name in PAGES:
        for chosen in TimeRange if name in RANGED else (TimeRange.ALL,):
            page = AppTest.from_string(PAGE.format(name=name, ranged=name in RANGED), default_timeout=60)
            page.query_params["range"] = chosen.value
            page.run()
            if page.exception:
                raise SystemExit(f"{name} failed: {page.exception[0].value}")

            def refresh(page: AppTest = page) -> None:
                for each in reads:
                    each.clear()
                page.run()

            def read(chosen: TimeRange = chosen, name: str = name) -> None:
                for each in reads:
                    each.clear()
                if name == "overview":
                    data.overview(chosen)
                elif name == "quality":
                    data.quality(chosen)
                else:
                    data.findings()
                data.pulse()
                data.incidents()

            (taken, spent), (reading, _) = timed(refresh, times), timed(read, times)
            middle, cpu = statistics.median(taken), statistics.median(spent)
            worst = max(worst, middle)
            shown = chosen.label if name in RANGED else ""
            print(f"{name:<14}{shown:<8}{statistics.median(reading):>12.0f}{middle:>14.0f}{cpu:>12.0f}{max(taken):>12.0f}")
    return worst


def main() -> None:
    """Fill, measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--per-minute", type=float, default=1.0)
    parser.add_argument("--times", type=int, default=7)
    options = parser.parse_args()
    with EmbeddedStack(broker=False) as stack, redis.Redis.from_url(stack.redis_url) as client:
        windows = fill(client, options.days, options.per_minute)
        os.environ["HEADRACE_REDIS"] = stack.redis_url
        os.environ["HEADRACE_KAFKA"] = "127.0.0.1:1"
        used = client.info("memory")["used_memory"] / 1e6
        print(f"{options.days} days, {windows:,} minute windows, {used:,.0f} MB in Redis; refresh of each page:")
        worst = measure(options.times)
        print(f"longest median: {worst:.0f} ms (target: at most 300 ms)")


if __name__ == "__main__":
    main()
