"""The monitor and the page of an incident read the same orders of a window, also where an order has several records."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import pytest
import redis

from stream_app.contract import load_shop
from stream_app.counts.tally import Tally
from stream_app.judge.judge import Judge
from stream_app.position import Position
from stream_app.store.cardinality import MANY
from stream_app.store.changes import Changes
from stream_app.store.incidents import IncidentStore
from stream_app.store.keys import Keys
from stream_app.store.queries import Queries
from stream_app.views.incidents import read_incident
from stream_app.windows.grain import Grain
from tests.support.incidents import incident
from tests.support.paths import RETAIL
from tests.support.records import GOOD, encoded
from tests.support.staged import put
from tests.support.stores import FIELD, with_store

LINES = load_shop(RETAIL).contracts["orders"]
HOUR, HOURS = 3_600, 4
#: 2010-12-01 08:00.
BEGIN = 1_291_190_400


@pytest.fixture
def truth(redis_url: str) -> dict[int, tuple[int, int]]:
    """Hour → invoices and revenue (minor units) of some hours of lines, which are in the store."""
    rng, raws = random.Random(4), []
    invoices: defaultdict[int, set[str]] = defaultdict(set)
    revenue: defaultdict[int, int] = defaultdict(int)
    for number in range(400):
        minute, invoice = number * HOURS * 60 // 400, f"{536_000 + number // 5}"
        quantity, price, kind = rng.randint(1, 9), rng.randint(1, 900) / 100, rng.choice(("sale", "sale", "adjustment"))
        changes = {"invoice_no": invoice, "quantity": quantity, "price": price, "line_type": kind, "customer_id": None}
        date = f"2010-12-01T{8 + minute // 60:02}:{minute % 60:02}:00Z"
        raws.append(encoded(GOOD["online-retail", "orders"] | changes | {"invoice_date": date}))
        if kind == "sale":
            invoices[BEGIN + minute // 60 * HOUR].add(invoice)
            revenue[BEGIN + minute // 60 * HOUR] += round(quantity * price * 100)
    tally = Tally(LINES)
    tally.add_all(Judge(LINES).judge_all([*raws], [BEGIN * 1000] * len(raws)), [], lambda index: f"orders:0:{index}")

    with_store(redis_url, lambda store: store.describe([LINES]))
    moved = Changes(tally, BEGIN * 1000, applied=(FIELD, Position(), Position(399)))
    with_store(redis_url, lambda store: store.apply(moved))
    return {hour: (len(invoices[hour]), revenue[hour]) for hour in sorted(invoices)}


@pytest.fixture
def client(redis_url: str) -> Any:
    return redis.Redis.from_url(redis_url, decode_responses=True)


def test_the_monitor_reads_the_orders_of_each_window(truth: dict[int, tuple[int, int]], client: Any) -> None:
    store, until = IncidentStore(client, "headrace"), BEGIN + (HOURS + 1) * HOUR
    windows = store.windows("orders", Grain.HOUR, BEGIN - HOUR, until, orders=True)
    assert [one.orders for one in windows] == [0, *(number for number, _ in truth.values()), 0]
    assert [one.counts.revenue_minor for one in windows[1:-1]] == [revenue for _, revenue in truth.values()]
    assert [one.orders for one in store.windows("orders", Grain.HOUR, BEGIN, until)] == [None] * (HOURS + 1)


def test_a_sketch_counts_those_of_a_large_window(truth: dict[int, tuple[int, int]], client: Any) -> None:
    client.zadd(Keys("headrace").sizes("orders", "orders", Grain.HOUR), {str(BEGIN): BEGIN + MANY})
    windows = IncidentStore(client, "headrace").windows("orders", Grain.HOUR, BEGIN, BEGIN + HOUR, orders=True)
    assert windows[0].orders == pytest.approx(truth[BEGIN][0], abs=2)


def test_the_page_shows_what_the_monitor_judged_and_the_orders_around(truth: dict[int, tuple[int, int]], client: Any) -> None:
    start = BEGIN + HOUR
    high = incident(start, metric="average_order", unit="money", direction="high", segment=None, id="orders.average_order.1",
                    trail=((start, 4_242.0, 900.0, 0.0, 2_000.0),))  # fmt: skip
    put(client, Keys("headrace"), high)
    series = {point.start: point.observed for point in read_incident(Queries(client, "headrace"), high.id).series}
    for hour, (number, revenue) in truth.items():
        assert series[hour] == (4_242.0 if hour == start else pytest.approx(revenue / number))
