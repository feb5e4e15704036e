"""Header names that are no UTF-8 pass through: they are read, and written as the bytes they came from."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from stream_app.names import Topics
from stream_app.settings import Settings
from stream_app.worker import header_names
from stream_app.worker.header_names import BatchBuilder, Records
from tests.support.crew import changed, crew_at_work
from tests.support.stream import Books, customer, order, product
from tests.support.waiting import eventually

PLACE, STRANGE = b"xxname", b"\xff\xfename"
READ = STRANGE.decode("utf-8", "surrogateescape")
PLAIN, GZIP = 0, 1


def from_elsewhere(*headers: list[tuple[str, bytes | None]], compression: int = PLAIN) -> bytes:
    """A batch as another client sends it, a record for each of ``headers``; the name ``PLACE`` made strange."""
    batch = DefaultRecordBatchBuilder(2, compression, 0, -1, -1, -1, 1 << 20)
    for number, some in enumerate(headers):
        batch.append(number, 1_000 + number, b"k%d" % number, b"v", some)
    return made_strange(bytes(batch.build())) if compression == PLAIN else bytes(batch.build())


def made_strange(data: bytes) -> bytes:
    changed = bytearray(data.replace(PLACE, STRANGE))
    struct.pack_into(">I", changed, 17, calc_crc32c(bytes(changed[21:])))
    return bytes(changed)


def read(data: bytes) -> list[tuple[int, bytes | None, list[tuple[str, bytes | None]]]]:
    """Offset, key and headers of every record, as the worker reads them."""
    records = Records(data)
    found: list[Any] = []
    while records.has_next():
        batch = records.next_batch()
        assert batch.validate_crc()
        found += [(record.offset, record.key, record.headers) for record in batch]
    return found


def test_a_strange_name_is_read_among_records_that_have_none() -> None:
    before: list[tuple[str, bytes | None]] = [("a", b"1")]
    strange: list[tuple[str, bytes | None]] = [(PLACE.decode(), b"\xff"), ("none", None)]
    data = from_elsewhere(before, strange, before) + from_elsewhere(before)
    assert read(data) == [
        (0, b"k0", before),
        (1, b"k1", [(READ, b"\xff"), ("none", None)]),
        (2, b"k2", before),
        (0, b"k0", before),
    ]


def test_a_batch_without_strange_names_is_read_as_ever() -> None:
    plain: list[tuple[str, bytes | None]] = [("naïve", b"1"), ("naïve", None)]
    assert read(from_elsewhere(plain, plain, compression=GZIP)) == [(0, b"k0", plain), (1, b"k1", plain)]


@pytest.mark.parametrize("compression", [PLAIN, GZIP])
def test_a_strange_name_is_written_as_the_bytes_it_came_from(compression: int) -> None:
    batch = BatchBuilder(1 << 20, compression)
    headers = [(READ, b"1"), ("none", None)]
    assert batch.append(timestamp=5, key=b"k", value=b"v", headers=headers) is not None
    assert batch.append(timestamp=6, key=b"l", value=b"v", headers=[("a", b"")]) is not None
    batch._set_producer_state(7, 0, 0)
    data = bytes(batch._build())
    assert compression == GZIP or STRANGE in data
    assert read(data) == [(0, b"k", headers), (1, b"l", [("a", b"")])]


def test_a_strange_name_ends_the_batch_before_it() -> None:
    batch = BatchBuilder(1 << 20, PLAIN)
    assert batch.append(timestamp=5, key=b"k", value=b"v", headers=[("a", b"1")]) is not None
    assert batch.append(timestamp=5, key=b"k", value=b"v", headers=[(READ, b"1")]) is None
    assert read(bytes(batch._build())) == [(0, b"k", [("a", b"1")])]


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


@pytest.mark.stack
def test_the_worker_hands_them_on_to_dead_letter_and_pending(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header_names.fetcher, "MemoryRecords", Records)
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
