"""Readers read out of Redis what workers wrote into it."""

from __future__ import annotations

import asyncio

import redis

from stream_app.contract import load_shop
from stream_app.counts.tally import Outcome, Tally
from stream_app.judge import Judge
from stream_app.position import Position
from stream_app.store.changes import Changes
from stream_app.store.heartbeat import Heartbeat
from stream_app.store.queries import Queries
from stream_app.store.writer import Store
from stream_app.views.overview import read_overview
from stream_app.views.pulse import read_status
from stream_app.views.ranges import TimeRange
from tests.support.stream import BEGIN, customer, order

SHOP = load_shop(None)
NOW = BEGIN * 1000 + 5_000


def written(redis_url: str, entity: str, records: list[tuple[bytes | None, Outcome]]) -> None:
    contract = SHOP.contracts[entity]
    judge, tally = Judge(contract), Tally(contract)
    verdicts = [(judge.judge(raw, BEGIN * 1000), outcome) for raw, outcome in records]
    for number, (verdict, outcome) in enumerate(verdicts):
        tally.add(verdict, outcome, f"{entity}:0:{number}")
    known = dict.fromkeys(("1", "2", "3", "4"), "1") if entity == "customers" else {}

    async def apply() -> None:
        store = Store(redis_url, "headrace")
        try:
            await store.describe(SHOP.contracts.values())
            await store.apply(Changes(tally, NOW, applied=(f"{entity}/x/0", Position(), Position(9)), references=known))
            await store.beat(Heartbeat(id="w-1", at=NOW, lag={"orders": 0}))
        finally:
            await store.close()

    asyncio.run(apply())


def test_status_and_overview_read_what_workers_write(redis_url: str) -> None:
    written(redis_url, "customers", [(customer(number).value, "clean") for number in range(1, 5)])
    written(
        redis_url,
        "orders",
        [(order(number, quantity=2, price=3.25).value, "clean") for number in range(1, 4)]
        + [(order(9, quantity=-1).value, "rejected"), (order(10).value, "pending")],
    )
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        model = Queries(client, "headrace", now=lambda: NOW)
        status, overview = read_status(model), read_overview(model, TimeRange.ALL)

    orders = status["entities"]["orders"]
    assert {name: orders[name] for name in ("in", "clean", "rejected", "pending")} == {
        "in": 5,
        "clean": 3,
        "rejected": 1,
        "pending": 1,
    }
    assert orders["findings"] == {"quantity.minimum": 1}
    assert status["kpis"]["revenue"] == 19.5
    assert status["kpis"]["orders"] == 3
    assert status["kpis"]["active_share"] == status["kpis"]["active_customers"] / 4
    assert (status["kpis"]["visits"], status["kpis"]["conversion_rate"]) == (0, None)
    assert status["lag"]["orders"] == 0
    assert overview.kpis.revenue.value == sum((point.revenue or 0) for point in overview.sales_series) == 19.5
    assert [(row.rule, row.count) for row in overview.rules] == [("quantity.minimum", 1)]
    assert [finding.rule for finding in overview.recent] == ["quantity.minimum"]
    assert len(overview.preview) == 3
