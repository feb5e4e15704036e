"""A topic is read from its end backwards, in steps, until its beginning: no wanted record is missed and none comes twice."""

from __future__ import annotations

import pytest
from kafka import KafkaProducer

from stream_app.contract import load_shop
from stream_app.errors import DeliveryError
from stream_app.kafka import backwards
from stream_app.kafka.admin import ensure_topics
from stream_app.kafka.backwards import read_back
from stream_app.names import FINDINGS, Topics
from stream_app.settings import Settings, load_settings


def test_each_wanted_record_is_found_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_topics(settings, load_shop(None).contracts)
    topic = Topics("orders", settings.topic_prefix).dead_letter
    producer = KafkaProducer(bootstrap_servers=settings.kafka)
    for number in range(1_700):
        headers = [(FINDINGS, b"wanted" if number % 5 == 0 else b"other")]
        producer.send(topic, b"%d" % number, partition=number % 3, headers=headers)
    producer.flush()
    producer.close()
    monkeypatch.setattr(backwards, "BLOCK", 100)
    monkeypatch.setattr(backwards, "MOST_RECORDS", 600)

    found, read, positions = [], 0, None
    for _ in range(9):
        step = read_back(settings, topic, FINDINGS, lambda reasons: reasons == b"wanted", positions)
        found += [int(row.value or b"") for row in step.rows]
        read, positions = read + step.read, step.positions
        assert not step.unreadable
        if step.complete:
            break

    assert step.complete
    assert (read, sorted(found)) == (1_700, list(range(0, 1_700, 5)))
    # The first step has the newest ones.
    assert min(found[:100]) > 1_000


def test_a_topic_that_does_not_exist_is_read_to_its_beginning(settings: Settings) -> None:
    assert read_back(settings, "no-such-topic", FINDINGS, lambda _: True).complete


def test_without_a_broker_it_says_what_to_do() -> None:
    with pytest.raises(DeliveryError, match=r"127\.0\.0\.1:1"):
        read_back(load_settings(kafka="127.0.0.1:1"), "orders.dlq", FINDINGS, lambda _: True)
