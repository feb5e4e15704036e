"""A finding opens its record: found in Kafka by its source."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from kafka import KafkaProducer

from stream_app.contract import load_shop
from stream_app.contract.summary import describe
from stream_app.errors import DeliveryError
from stream_app.kafka.admin import ensure_topics
from stream_app.kafka.search import find
from stream_app.names import ATTEMPTS, CONTRACT, FINDINGS, SOURCE, WARNINGS, Topics
from stream_app.settings import Settings
from stream_app.views.record import opened as masked

SHOP = load_shop(None)
ORDERS = describe(SHOP.contracts["orders"])
FOUND = json.dumps(
    [
        {"rule": "quantity.minimum", "severity": "error", "path": "$.quantity", "message": "quantity is too small"},
        {"rule": "record.unknownField", "severity": "warning", "path": "$", "message": "a field nobody knows"},
    ]
).encode()
BEGIN = 1_291_191_960_000


@pytest.fixture
def shop_topics(settings: Settings) -> Settings:
    ensure_topics(settings, SHOP.contracts)
    return settings


def produce(settings: Settings, entity: str, offsets: Iterable[int], dead: Iterable[int], *, late: int | None = None) -> None:
    """Raw records, ten ms apart, and the dead letters of some in their order; ``late`` had waited and comes last."""
    topics = Topics(entity, settings.topic_prefix)
    producer = KafkaProducer(bootstrap_servers=settings.kafka)
    for offset in offsets:
        producer.send(topics.raw, b'{"order_id":%d}' % offset, partition=1, timestamp_ms=BEGIN + 10 * offset)
    for offset in [*(one for one in dead if one != late), *([late] if late is not None else [])]:
        headers = [
            ("trace", b"abc"),
            (SOURCE, f"{topics.raw}:1:{offset}".encode()),
            (CONTRACT, b"headrace-shop-orders:1.0.0"),
            (FINDINGS, FOUND),
            (ATTEMPTS, b"1"),
            ("kafka_dlt-original-topic", topics.raw.encode()),
        ]
        value = b'{"order_id":%d,"quantity":0,"coupon":"SECRET"}' % offset
        producer.send(topics.dead_letter, value, partition=1, timestamp_ms=BEGIN + 10 * offset, headers=headers)
    producer.flush()
    producer.close()


def test_a_dead_letter_is_found_by_the_source_of_its_raw_record(shop_topics: Settings) -> None:
    produce(shop_topics, "orders", range(3_000), range(0, 3_000, 3))
    source = f"{shop_topics.topic_prefix}orders:1:1500"
    opened = masked(find(shop_topics, "orders", source), ORDERS)

    assert (opened.outcome, opened.timestamp) == ("dead letter", BEGIN + 15_000)
    assert opened.contract == "headrace-shop-orders:1.0.0"
    assert opened.attempts == "1"
    assert opened.others == ("trace",)
    shown = {row.name: row for row in opened.content.rows}
    assert shown["order_id"].shown == "1500"
    assert [one.rule for one in shown["quantity"].findings] == ["quantity.minimum"]
    assert shown["price"].shown is None
    assert [one.rule for one in opened.content.whole_record] == ["record.unknownField"]
    assert "SECRET" not in repr(opened)


def test_a_record_that_had_waited_stands_behind_later_ones_and_is_found(shop_topics: Settings) -> None:
    produce(shop_topics, "orders", range(600), range(600), late=7)
    opened = find(shop_topics, "orders", f"{shop_topics.topic_prefix}orders:1:7")

    assert (opened.outcome, opened.offset) == ("dead letter", 599)


def test_a_warning_opens_the_clean_record_and_what_is_in_neither_the_raw_one(shop_topics: Settings) -> None:
    topics = Topics("orders", shop_topics.topic_prefix)
    produce(shop_topics, "orders", range(5), [])
    producer = KafkaProducer(bootstrap_servers=shop_topics.kafka)
    headers = [(SOURCE, f"{topics.raw}:1:3".encode()), (WARNINGS, FOUND)]
    producer.send(topics.clean, b'{"order_id":3,"quantity":1}', partition=1, timestamp_ms=BEGIN + 30, headers=headers)
    producer.close()

    assert find(shop_topics, "orders", f"{topics.raw}:1:3").outcome == "clean"
    assert find(shop_topics, "orders", f"{topics.raw}:1:4").outcome == "raw"


def test_a_record_that_is_gone_and_a_source_that_is_none_are_said(shop_topics: Settings) -> None:
    topics = Topics("orders", shop_topics.topic_prefix)

    with pytest.raises(DeliveryError, match="any more"):
        find(shop_topics, "orders", f"{topics.raw}:0:77")
    for odd in ("", "orders", "orders:x:1", f"{topics.raw}:1:-1", "other:0:1"):
        with pytest.raises(DeliveryError):
            find(shop_topics, "orders", odd)


def test_without_a_broker_it_says_what_to_do() -> None:
    from stream_app.settings import load_settings

    with pytest.raises(DeliveryError, match="HEADRACE_KAFKA"):
        find(load_settings(kafka="127.0.0.1:1"), "orders", "orders:0:1")
