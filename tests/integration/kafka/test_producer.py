"""A producer whose sequence is broken, as after a broker's long absence, is replaced and stops nothing for good."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import OutOfOrderSequenceNumber

from stream_app.kafka.producer import Producer
from stream_app.settings import Settings
from tests.support.brokers import Broker
from tests.support.crew import changed


def test_after_a_gap_in_the_sequence_another_producer_goes_on(kafka: str, settings: Settings) -> None:
    broker = Broker("kafka", kafka)
    topic = broker.create_topic()

    async def send(producer: AIOKafkaProducer, value: bytes) -> None:
        await producer.send_and_wait(topic, value, partition=0)

    async def run() -> None:
        ours = Producer(changed(settings, kafka=kafka))
        await ours.start()
        first = ours.current
        try:
            await ours.using(lambda producer: send(producer, b"1"))
            # What a batch leaves behind that ran out of time before the broker took it.
            first._txn_manager.increment_sequence_number(TopicPartition(topic, 0), 3)  # noqa: SLF001
            with pytest.raises(OutOfOrderSequenceNumber):
                await asyncio.gather(*(ours.using(lambda producer: send(producer, b"2")) for _ in range(3)))
            await ours.using(lambda producer: send(producer, b"3"))
            assert ours.current is not first
        finally:
            await ours.stop()

    asyncio.run(run())
    assert [record.value for record in broker.read(topic, 2)] == [b"1", b"3"]
