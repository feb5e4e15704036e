"""The workload of all benchmarks: orders of the built-in shop, loaded onto a broker once."""

from __future__ import annotations

import json
import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import confluent_kafka

from stream_app.contract import load_shop
from stream_app.kafka.admin import ensure_topics
from stream_app.names import AS_OF, Topics
from stream_app.settings import Settings

CUSTOMERS, PRODUCTS = 5_000, 500
START = datetime(2026, 1, 5, tzinfo=UTC)


def prices() -> list[float]:
    """Return the list price of each product."""
    chance = random.Random(0)
    return [round(chance.uniform(1, 500), 2) for _ in range(PRODUCTS)]


def orders(count: int, seed: int = 1) -> list[tuple[bytes, bytes]]:
    """Return key and value of ``count`` orders of about 115 bytes; 1 % have a bad quantity, 1 % a bad price, 1 % spaces."""
    chance = random.Random(seed)
    listed = prices()
    rows = []
    for number in range(count):
        customer = chance.randrange(1, CUSTOMERS)
        product = chance.randrange(1, PRODUCTS)
        order = {
            "order_id": number + 1,
            "customer_id": customer,
            "product_id": product,
            "quantity": chance.randrange(1, 20),
            "price": round(listed[product] * chance.uniform(0.9, 1.1), 2),
            "order_date": (START + timedelta(milliseconds=10 * number)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        touched = chance.random()
        if touched < 0.01:
            order["quantity"] = -1
        elif touched < 0.02:
            order["price"] = "abc"
        elif touched < 0.03:
            order["quantity"] = " 7 "
        rows.append((b"%d" % customer, _json(order)))
    return rows


def products() -> list[tuple[bytes, bytes]]:
    """Return key and value of each product."""
    return [
        (b"%d" % number, _json({"product_id": number, "category": "Toys", "unit_price": price}))
        for number, price in enumerate(prices())
        if number
    ]


def customers() -> list[tuple[bytes, bytes]]:
    """Return key and value of each customer."""
    return [
        (b"%d" % number, _json({"customer_id": number, "name": "A B", "email": "a@b.example", "country": "France"}))
        for number in range(1, CUSTOMERS)
    ]


def _json(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode()


def load(settings: Settings, count: int) -> None:
    """Create the topics; send customers, products and orders."""
    ensure_topics(settings, load_shop().contracts)
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": settings.kafka, "linger.ms": 20, "queue.buffering.max.messages": 2_000_000}
    )
    for entity, records in (("products", products()), ("customers", customers())):
        for key, value in records:
            producer.produce(Topics(entity, settings.topic_prefix).raw, value, key)
    producer.flush()
    headers: list[tuple[str, str | bytes | None]] = [(AS_OF, b"%d" % int(time.time() * 1000))]
    topic = Topics("orders", settings.topic_prefix).raw
    for index, (key, value) in enumerate(orders(count)):
        producer.produce(topic, value, key, headers=headers)
        if index % 10_000 == 0:
            producer.poll(0)
    producer.flush()
