"""Findings of workers are found again in Kafka: the same findings, event times and segments as the store's own."""

from __future__ import annotations

import random
import uuid
from pathlib import Path
from typing import Any

import pytest

from headrace.embedded import EmbeddedStack
from stream_app.contract import load_shop
from stream_app.counts.samples import RecentFinding
from stream_app.judge import Judge
from stream_app.settings import Settings, load_settings
from stream_app.store.queries import Queries, open_queries
from stream_app.views.older import Wanted, search
from tests.support.brokers import Broker
from tests.support.crew import crew_at_work
from tests.support.stream import BEGIN, Raw, await_settled, customer, order, produce, product
from tests.support.waiting import eventually

JUDGE = Judge(load_shop(None).contracts["orders"])
ORDERS = 300


@pytest.fixture
def settings(broker: Broker, stack: EmbeddedStack) -> Settings:
    name = uuid.uuid4().hex[:8]
    return load_settings(
        kafka=broker.bootstrap, redis=stack.redis_url, redis_prefix=name, topic_prefix=f"{name}-", group=name, partitions=2,
        grace=0.5, session_timeout=3.0 if broker.kind == "embedded" else 6.0, exactly_once=broker.kind == "kafka",
    )  # fmt: skip


def some_orders(chance: random.Random) -> list[Raw]:
    """Orders with every kind of fault, in no order of time, some of customers that nobody knows, some sent twice."""
    faults: list[dict[str, Any]] = [
        {"quantity": 0}, {"price": -1.0}, {"odd": 1}, {"order_date": "yesterday"}, {"order_date": None}, {"customer_id": 999},
        {"quantity": 0, "odd": 1}, {"customer_id": "x"}, {"product_id": 2, "quantity": -3}, {},
    ]  # fmt: skip
    made = [order(number, **{"customer_id": number % 3 + 1, **faults[number % len(faults)]}) for number in range(1, ORDERS + 1)]
    chance.shuffle(made)
    return [*made, *made[:20], Raw("orders", b"1", b"not json"), Raw("orders", b"1", b"[1]")]


def found_again(settings: Settings, queries: Queries, **wanted: Any) -> dict[tuple[str, str], RecentFinding]:
    result = search(settings, JUDGE, Wanted("orders", **wanted), queries.references)
    assert result.outcome.rest == ()
    assert result.problems == ()
    found = {(one.source, one.rule): one for one in result.findings}
    assert len(found) == len(result.findings)
    return found


def test_every_finding_of_the_store_is_found_again_as_it_is(settings: Settings, broker: Broker, tmp_path: Path) -> None:
    known = [customer(1), customer(2, country="Germany"), customer(3, country="Spain"), product(1), product(2, category="Toys")]
    with crew_at_work(settings, tmp_path, 1, known) as crew:
        sent = some_orders(random.Random(3))
        produce(settings, sent)
        await_settled(settings, {"orders": len(sent)}, crew)
        queries = open_queries(settings)
        kept = {(one.source, one.rule): one for one in queries.findings() if one.entity == "orders"}
        eventually(lambda: len(found_again(settings, queries)) >= len(kept), "all is delivered")
        found = found_again(settings, queries)

    assert len(kept) > 200
    assert found.keys() == kept.keys()
    for key, one in kept.items():
        assert (found[key].event_time, found[key].segments) == (one.event_time, one.segments)
        assert (found[key].severity, found[key].dimension, found[key].path) == (one.severity, one.dimension, one.path)
        assert found[key].message == one.message
    segments = {one.segments.get("customer_id.country") for one in kept.values()}
    assert len(segments) > 2

    part = {key for key, one in kept.items() if one.event_time is None or BEGIN + 50 <= one.event_time // 1_000 < BEGIN + 99}
    assert found_again(settings, queries, since=BEGIN + 50, until=BEGIN + 99).keys() == part
    rule = frozenset({"quantity.minimum"})
    assert found_again(settings, queries, rules=rule).keys() == {key for key in kept if key[1] in rule}
    country = "customer_id.country"
    for value in sorted(one for one in segments if one):
        assert found_again(settings, queries, segments=frozenset({(country, value)})).keys() == {
            key for key, one in kept.items() if one.segments.get(country) == value
        }
