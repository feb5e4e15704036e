"""A producer that another one has fenced: its errors reach whoever sends, and nobody else."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import ProducerFenced

from stream_app.kafka.producer import close


def test_closing_a_fenced_producer_leaves_no_error_that_nobody_looks_at() -> None:
    """Asyncio would log each with a traceback, when a worker wakes up whose partitions others have taken over."""
    said: list[Any] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
        producer = AIOKafkaProducer(bootstrap_servers="127.0.0.1:1", transactional_id="a")
        manager, accumulator = producer._txn_manager, producer._message_accumulator
        manager.set_pid_and_epoch(1, 1)
        manager.begin_transaction()
        builder = accumulator.create_builder()
        builder.append(timestamp=0, key=None, value=b"1")
        sent = await accumulator.add_batch(builder, TopicPartition("orders", 0), 1.0)
        accumulator.fail_all(ProducerFenced())
        manager.error_transaction(ProducerFenced())
        with pytest.raises(ProducerFenced):
            await sent
        await close(producer)

    asyncio.run(run())
    gc.collect()
    assert said == []
