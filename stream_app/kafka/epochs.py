"""The epoch of the store, in the log: an offset that workers commit in a consumer group of its own.

The offset itself is the epoch, because some brokers do not keep the metadata of an offset. The metadata is for people.
"""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata

from stream_app.kafka.options import async_options
from stream_app.settings import Settings

#: The group is named after the workers' consumer group, with this suffix.
EPOCHS = ".store"
#: Seconds that the broker may take for each request.
_TIMEOUT = 20.0


class EpochLog:
    """The epoch of one consumer group, kept with the offsets of ``topic``. Methods raise KafkaError and TimeoutError."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings = settings
        self._group = settings.group + EPOCHS
        self._partition = TopicPartition(topic, 0)

    async def read(self) -> tuple[int, str]:
        """Return the epoch, 0 where there is none, and its metadata."""
        found = (await _offsets(self._settings, self._group, [self._partition])).get(self._partition)
        return (found.offset, found.metadata) if found is not None and found.offset > 0 else (0, "")

    async def write(self, epoch: int, metadata: str) -> None:
        """Put an epoch in force."""
        consumer = AIOKafkaConsumer(**async_options(self._settings), group_id=self._group, enable_auto_commit=False)
        async with asyncio.timeout(_TIMEOUT):
            await consumer.start()
            try:
                consumer.assign([self._partition])
                await consumer.commit({self._partition: OffsetAndMetadata(epoch, metadata)})
            finally:
                await consumer.stop()


async def committed(settings: Settings, group: str, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    """Return partition → committed offset, of those that have one.

    Raises:
        KafkaError: the broker cannot be reached.
        TimeoutError: the broker does not answer in time.
    """
    found = await _offsets(settings, group, partitions)
    return {partition: row.offset for partition, row in found.items() if row.offset >= 0}


async def cluster_id(settings: Settings) -> str:
    """Return the id of the cluster; empty where the broker gives none.

    Raises:
        KafkaError: the broker cannot be reached.
        TimeoutError: the broker does not answer in time.
    """
    admin = AIOKafkaAdminClient(**async_options(settings))
    async with asyncio.timeout(_TIMEOUT):
        await admin.start()
        try:
            return str((await admin.describe_cluster()).get("cluster_id") or "")
        finally:
            await admin.close()


async def _offsets(settings: Settings, group: str, partitions: list[TopicPartition]) -> dict[TopicPartition, OffsetAndMetadata]:
    admin = AIOKafkaAdminClient(**async_options(settings))
    async with asyncio.timeout(_TIMEOUT):
        await admin.start()
        try:
            return dict(await admin.list_consumer_group_offsets(group, partitions=partitions))
        finally:
            await admin.close()
