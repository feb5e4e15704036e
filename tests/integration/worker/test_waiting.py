"""Late reference data: an order waits for its customer without holding anyone up, and is rejected when the grace ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import Producer

from stream_app.names import FINDINGS, WARNINGS, Topics
from stream_app.settings import Settings
from stream_app.store.writer import close_input
from tests.support.crew import changed, crew_at_work, stocked_crew
from tests.support.recount import assert_exact, rules_of
from tests.support.stream import (
    Books,
    Worker,
    await_settled,
    customer,
    make_topics,
    order,
    produce,
    product,
    read_topic,
    workers,
)  # fmt: skip
from tests.support.waiting import eventually


@pytest.fixture
def shop(settings: Settings) -> Settings:
    """Settings with a long grace."""
    return changed(settings, grace=3600.0, partitions=2)


@pytest.fixture
def crew(shop: Settings, tmp_path: Path) -> Iterator[list[Worker]]:
    """A worker that has counted one customer and one product."""
    with stocked_crew(shop, tmp_path) as running:
        yield running


def test_an_order_waits_for_its_customer_and_blocks_no_one(shop: Settings, crew: list[Worker]) -> None:
    books = Books(shop)
    produce(shop, [order(1, 7)])
    eventually(lambda: books.total("orders").get("pending") == 1, "the order waits")
    assert books.waiting("orders") == 1
    topics = Topics("orders", shop.topic_prefix)
    pending = read_topic(shop, topics.pending)
    assert [json.loads(record.value or b"")["order_id"] for record in pending] == [1]

    produce(shop, [replace(order(n), partition=pending[0].partition) for n in range(2, 402)])
    eventually(lambda: books.total("orders").get("clean") == 400, "the orders behind it are clean")
    clean = read_topic(shop, topics.clean)
    numbers = [json.loads(record.value or b"")["order_id"] for record in clean]
    assert numbers == list(range(2, 402)), "the records of a key stay in order"

    produce(shop, [customer(7)])
    await_settled(shop, {"orders": 401}, crew)
    counted = assert_exact(shop)["orders"]
    [settled] = [record for record in counted.clean.values() if json.loads(record.value or b"")["order_id"] == 1]
    raw = counted.raw[settled.source]
    assert (settled.key, settled.timestamp, settled.partition) == (raw.key, raw.timestamp, raw.partition)


def test_no_order_waits_for_a_customer_that_is_there_when_a_shop_is_read_from_its_start(
    settings: Settings, tmp_path: Path
) -> None:
    customers, count = 2_000, 8_000
    make_topics(settings)
    produce(settings, (order(number, number % customers) for number in range(count)))
    produce(settings, [product(1), *map(customer, range(customers))])
    with workers(settings, tmp_path) as crew:
        await_settled(settings, {"orders": count, "customers": customers}, crew)
    assert read_topic(settings, Topics("orders", settings.topic_prefix).pending) == []


def test_a_reference_is_missing_although_the_log_ends_with_the_marker_of_a_transaction(
    kafka: str, settings: Settings, tmp_path: Path
) -> None:
    """The marker is an offset without a record, and no backlog."""
    settings = changed(settings, kafka=kafka, grace=1.0)
    raw = Topics("customers", settings.topic_prefix).raw
    with crew_at_work(settings, tmp_path, 1, [product(1)]) as crew:
        producer = Producer({"bootstrap.servers": kafka, "transactional.id": settings.topic_prefix, "log_level": 0})
        producer.init_transactions(30)
        producer.begin_transaction()
        for number in range(1, 21):
            producer.produce(raw, customer(number).value, customer(number).key)
        producer.commit_transaction(30)
        produce(settings, [order(1, 1), order(2, 99)])
        await_settled(settings, {"orders": 2, "customers": 20}, crew)
        books = Books(settings)
        assert books.total("orders")["f:customer_id.reference"] == 1

        def lag() -> set[int]:
            return {json.loads(row)["lag"]["customers"] for row in books.client.hvals(books.keys.workers())}

        eventually(lambda: lag() == {0}, "no lag")


def test_a_reference_that_never_comes_is_named_when_the_input_is_closed(shop: Settings, crew: list[Worker]) -> None:
    books = Books(shop)
    produce(shop, [order(1, 7), order(2, 1, 8), order(3, 7, 8), order(4)])
    eventually(lambda: books.total("orders").get("pending") == 3, "three orders wait")
    close_input(shop.redis.get_secret_value(), shop.redis_prefix)
    await_settled(shop, {"orders": 4}, crew)
    counted = assert_exact(shop)["orders"]
    found = {json.loads(record.value or b"")["order_id"]: rules_of(record, FINDINGS) for record in counted.dead.values()}
    assert found == {
        1: ["customer_id.reference"],
        2: ["product_id.reference"],
        3: ["customer_id.reference", "product_id.reference"],
    }


def test_the_grace_ends_also_for_a_worker_that_starts_with_nothing_else_to_do(shop: Settings, crew: list[Worker]) -> None:
    books = Books(shop)
    produce(shop, [order(1, 7), order(2), order(3)])
    eventually(lambda: books.total("orders").get("pending") == 1, "the order waits")
    produce(shop, [order(1)])
    eventually(lambda: books.total("orders").get("rejected") == 1, "another order of that number is refused")
    assert crew[0].terminate() == 0
    crew[0] = Worker(changed(shop, grace=1.0), crew[0].log)
    await_settled(shop, {"orders": 4}, crew)
    produce(shop, [order(1)])
    eventually(lambda: books.total("orders").get("clean") == 3, "the number that the rejected order held is free again")
    counted = assert_exact(shop)["orders"]
    assert sorted(rules_of(record, FINDINGS) for record in counted.dead.values()) == [
        ["customer_id.reference"],
        ["order_id.contradiction"],
    ]


REPEATED = """
      - id: repeated_line
        type: library
        metric: duplicateValues
        arguments: {properties: [customer_id, product_id, quantity, price, order_date]}
        mustBe: 0
        unit: rows
        dimension: uniqueness
        severity: warning
        description: No line repeats an earlier one.
        businessImpact: The same units are sold and charged twice.
"""


def test_what_was_found_before_an_order_waited_stands_on_it_when_it_is_clean(
    shop: Settings, shop_dir: Path, tmp_path: Path
) -> None:
    contract = shop_dir / "orders.odcs.yaml"
    contract.write_text(contract.read_text() + REPEATED.lstrip("\n"))
    shop = changed(shop, shop=shop_dir)
    books = Books(shop)
    with crew_at_work(shop, tmp_path, records=[customer(1), product(1)]) as crew:
        line = order(1, 7)
        again = order(1, 7, order_id=2)
        produce(shop, [replace(line, partition=0), replace(again, partition=0)])
        eventually(lambda: books.total("orders").get("pending") == 2, "both orders wait")
        produce(shop, [customer(7)])
        await_settled(shop, {"orders": 2}, crew)
    counted = assert_exact(shop)["orders"]
    found = {json.loads(record.value or b"")["order_id"]: rules_of(record, WARNINGS) for record in counted.clean.values()}
    assert found == {1: [], 2: ["repeated_line"]}
    assert books.total("orders")["f:repeated_line"] == 1
