"""The worker hands header names that are not UTF-8 on to every topic."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer import fetcher

from stream_app.kafka.batches.header_names import BatchBuilder
from stream_app.kafka.batches.log import Records
from stream_app.names import Topics
from stream_app.settings import Settings
from tests.support.crew import changed, crew_at_work
from tests.support.stream import Books, customer, order, product
from tests.support.waiting import eventually

STRANGE = b"\xff\xfename"
READ = STRANGE.decode("utf-8", "surrogateescape")
PLAIN, GZIP = 0, 1


async def send(settings: Settings, values: list[bytes], headers: list[tuple[str, bytes | None]]) -> None:
    """Send orders, in one batch, to partition 0."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all")
    await producer.start()
    try:
        batch = BatchBuilder(1 << 20, PLAIN)
        for value in values:
            batch.append(timestamp=1_700_000_000_000, key=b"1", value=value, headers=headers)
        await (await producer.send_batch(batch, Topics("orders", settings.topic_prefix).raw, partition=0))
    finally:
        await producer.stop()


async def headers_of(settings: Settings, topic: str) -> list[tuple[str, bytes | None]]:
    """The headers of the first record of partition 0."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_beginning()
        return list((await consumer.getone()).headers)
    finally:
        await consumer.stop()


def test_the_worker_hands_them_on_to_dead_letter_and_pending(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetcher, "MemoryRecords", Records)
    settings = changed(settings, partitions=1, grace=3600.0)
    foreign: list[tuple[str, bytes | None]] = [(READ, b"\xfe"), ("none", None), ("empty", b"")]
    bodies = [b"{}", order(1, 7).value or b"", order(2).value or b""]
    with crew_at_work(settings, tmp_path, records=[customer(1), product(1)]):
        books = Books(settings)
        eventually(lambda: books.total("customers").get("in") == books.total("products").get("in") == 1, "both are known")
        asyncio.run(send(settings, bodies, foreign))
        eventually(lambda: books.total("orders").get("in") == 3, "the orders are judged")
        total = books.total("orders")
        assert (total["rejected"], total["pending"], total["clean"]) == (1, 1, 1)
        topics = Topics("orders", settings.topic_prefix)
        for topic in (topics.dead_letter, topics.pending):
            assert asyncio.run(headers_of(settings, topic))[:3] == foreign
