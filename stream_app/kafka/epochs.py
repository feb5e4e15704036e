"""The epoch of the store, in the log: an offset that workers commit in a consumer group of its own.

The offset itself is the epoch, because some brokers do not keep the metadata of an offset. The metadata has the ids of the
raw topics that there have been.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata

from stream_app.kafka.options import async_options
from stream_app.settings import Settings

#: The group is named after the workers' consumer group, with this suffix.
EPOCHS = ".store"
#: Metadata of the offsets that workers commit: an offset without it was set by somebody else.
COMMITTED = "headrace"
#: Seconds that the broker may take for each request.
_TIMEOUT = 20.0


class LogNote(msgspec.Struct, frozen=True):
    """Notes beside the epoch; empty on a broker that does not keep an offset's metadata.

    Attributes:
        store: the prefix of the store in Redis.
        topics: raw topic → its id and those of the topics of the same name before it, oldest first.
    """

    store: str = ""
    topics: Mapping[str, tuple[str, ...]] = {}

    @classmethod
    def from_json(cls, text: str) -> LogNote:
        """Read the metadata; empty where it is not of this form."""
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError:
            return cls()


class EpochLog:
    """The epoch of one consumer group, kept with the offsets of ``topic``. Methods raise KafkaError and TimeoutError."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings = settings
        self._group = settings.group + EPOCHS
        self._partition = TopicPartition(topic, 0)

    async def read(self) -> tuple[int, LogNote]:
        """Return the epoch, 0 where there is none, and what stands beside it."""
        found = (await _offsets(self._settings, self._group, [self._partition])).get(self._partition)
        return (found.offset, LogNote.from_json(found.metadata)) if found is not None and found.offset > 0 else (0, LogNote())

    async def write(self, epoch: int, note: LogNote) -> None:
        """Put an epoch in force."""
        metadata = msgspec.json.encode(note).decode()
        consumer = AIOKafkaConsumer(**async_options(self._settings), group_id=self._group, enable_auto_commit=False)
        async with asyncio.timeout(_TIMEOUT):
            await consumer.start()
            try:
                consumer.assign([self._partition])
                await consumer.commit({self._partition: OffsetAndMetadata(epoch, metadata)})
            finally:
                await consumer.stop()


async def committed(
    settings: Settings, group: str, partitions: list[TopicPartition], *, by_workers: bool = False
) -> dict[TopicPartition, int]:
    """Return partition → committed offset, of those that have one. ``by_workers``: that a worker has committed.

    Raises:
        KafkaError: the broker cannot be reached.
        TimeoutError: the broker does not answer in time.
    """
    found = await _offsets(settings, group, partitions)
    return {
        partition: row.offset
        for partition, row in found.items()
        if row.offset >= 0 and (not by_workers or row.metadata == COMMITTED)
    }


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
