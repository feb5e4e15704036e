"""An outbox says where each of its records is: the offsets in the order of adding, on both brokers, with transactions too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import UnknownError
from aiokafka.producer import message_accumulator as accumulator

from stream_app.kafka.batches.header_names import BatchBuilder
from stream_app.kafka.outbox import Outbox, Receipt, Row
from stream_app.kafka.producer import close, sender_silent
from tests.support.brokers import Broker

NOW = 1_700_000_000_000


@pytest.fixture(autouse=True)
def our_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accumulator, "BatchBuilder", BatchBuilder)


def row(value: bytes, key: bytes = b"k") -> Row:
    return key, value, NOW, [("h", b"1")]


def sent_by(broker: Broker, fill: Callable[[Outbox], None], *, transactional: bool = False) -> Receipt:
    async def run() -> Receipt:
        async def started(**options: object) -> AIOKafkaProducer:
            producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, max_request_size=8_000_000, **options)
            with sender_silent():
                try:
                    await producer.start()
                except UnknownError:
                    await close(producer)
                    raise
            return producer

        if transactional:
            producer = await started(transactional_id=broker.create_topic(), acks="all")
            await producer.begin_transaction()
        else:
            try:
                producer = await started(enable_idempotence=True)
            except UnknownError:
                producer = await started()
        try:
            outbox = Outbox(producer)
            fill(outbox)
            receipt = await outbox.send()
            if transactional:
                await producer.commit_transaction()
        finally:
            await producer.stop()
        return receipt

    return asyncio.run(run())


def test_each_record_of_each_topic_has_the_offset_that_is_said(broker: Broker) -> None:
    clean, pending = broker.create_topic(2), broker.create_topic(2)
    with closing(broker.producer()) as producer:
        producer.send(clean, b"before", partition=1).get(20)
    values = [b"%d" % number * 40 for number in range(2_000)]

    def fill(outbox: Outbox) -> None:
        outbox.add_all(clean, 1, [row(value) for value in values[:1_500]])
        for value in values[1_500:]:
            outbox.add(pending, 1, row(value), foreign=True)
        outbox.add_all(clean, 0, [])

    receipt = sent_by(broker, fill)
    assert len([one for one in receipt.sent if one.topic == clean]) > 1, "more than one log batch"
    assert receipt.ends() == {(clean, 1): 1_501, (pending, 1): 500}
    assert receipt.offsets(clean, 1) == list(range(1, 1_501))
    assert receipt.offsets(pending, 1) == list(range(500))
    assert receipt.offsets(pending, 0) == []
    assert [one.value for one in broker.read(clean, 1_501, [1])] == [b"before", *values[:1_500]]


def test_a_large_record_keeps_its_position(broker: Broker) -> None:
    topic = broker.create_topic()
    values = [b"1", b"2" * 900_000, b"3", b"4" * 200_000, b"5" * 200_000, b"6"]
    receipt = sent_by(broker, lambda outbox: outbox.add_all(topic, 0, [row(value) for value in values]))
    assert receipt.offsets(topic, 0) == list(range(6))
    assert [one.value for one in broker.read(topic, 6)] == values


@pytest.mark.kafka
def test_offsets_of_a_transaction_leave_its_markers_out(kafka: str) -> None:
    broker = Broker("kafka", kafka)
    topic = broker.create_topic()
    for begin in (0, 3):  # after the two records of each transaction comes its marker
        receipt = sent_by(broker, lambda outbox: outbox.add_all(topic, 0, [row(b"1"), row(b"2")]), transactional=True)
        assert receipt.offsets(topic, 0) == [begin, begin + 1]
        assert receipt.ends() == {(topic, 0): begin + 2}


def test_the_first_error_is_raised_when_all_have_ended(broker: Broker) -> None:
    topic = broker.create_topic()

    def fill(outbox: Outbox) -> None:
        for partition in (7, 0):
            outbox.add(topic, partition, row(b"1"))

    with pytest.raises(AssertionError, match="Unrecognized partition"):
        sent_by(broker, fill)
    assert [one.value for one in broker.read(topic, 1)] == [b"1"]
