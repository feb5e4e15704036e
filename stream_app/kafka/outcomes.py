"""Read what the workers delivered: the clean, dead-letter and pending topic of an entity, from given offsets to their ends."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaTimeoutError

from stream_app.kafka.options import async_options
from stream_app.settings import Settings

#: Milliseconds that one fetch waits for records.
_WAIT_MS = 20
#: Seconds without an answer after which reading fails.
_SILENCE = 15.0


async def read(settings: Settings, begin: Mapping[TopicPartition, int]) -> AsyncIterator[tuple[TopicPartition, list[Any], int]]:
    """Yield (partition, records, next offset) from ``begin`` up to each partition's end, and at last one without records.

    Records of aborted transactions are left out. The end is the last stable offset: of a transaction that is still open,
    nothing is read. Where retention has taken the first offsets, reading begins with the first that is there.

    Raises:
        KafkaError: the broker cannot be reached, or does not answer.
    """
    if not begin:
        return
    consumer = AIOKafkaConsumer(
        **async_options(settings),
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_wait_ms=_WAIT_MS,
        max_partition_fetch_bytes=4 * 1024 * 1024,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        consumer.assign(list(begin))
        first = await consumer.beginning_offsets(list(begin))
        position = {partition: max(offset, first[partition]) for partition, offset in begin.items()}
        for partition, offset in position.items():
            consumer.seek(partition, offset)
        open_ = set(begin)
        heard = time.monotonic()
        while open_:
            for partition, records in (await consumer.getmany(*open_, timeout_ms=_WAIT_MS)).items():
                position[partition] = await consumer.position(partition)
                heard = time.monotonic()
                yield partition, records, position[partition]
            for partition in list(open_):
                position[partition] = await consumer.position(partition)
                end = _end(consumer, partition)
                if end is not None and position[partition] >= end:
                    open_.discard(partition)
                    heard = time.monotonic()
                    yield partition, [], position[partition]
            if time.monotonic() - heard > _SILENCE:
                raise KafkaTimeoutError
    finally:
        await consumer.stop()


async def is_empty(settings: Settings, partitions: Collection[TopicPartition]) -> bool:
    """True if nothing was ever written to the partitions.

    Raises:
        KafkaError: the broker cannot be reached, or does not answer.
    """
    consumer = AIOKafkaConsumer(**async_options(settings), enable_auto_commit=False)
    await consumer.start()
    try:
        return not any((await consumer.end_offsets(list(partitions))).values())
    finally:
        await consumer.stop()


def _end(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int | None:
    """The end of a partition as of its last fetch; None before the first."""
    high, stable = consumer.highwater(partition), consumer.last_stable_offset(partition)
    if high is None:
        return None
    return int(high) if stable is None or stable < 0 else min(int(high), int(stable))
