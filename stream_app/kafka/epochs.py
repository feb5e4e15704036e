"""The epoch of the store, in the log: an offset that workers commit in a consumer group of its own.

The offset itself is the epoch, because some brokers do not keep the metadata of an offset. The metadata has the ids of the
raw topics that there have been.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from stream_app.kafka.options import async_options
from stream_app.settings import Settings

#: The group is named after the workers' consumer group, with this suffix.
EPOCHS = ".store"
#: Metadata of the offsets that workers commit, before the id of the raw topic: an offset without it was set by somebody else.
COMMITTED = "headrace"
#: Who has committed an offset: a worker, a worker that read an earlier topic of the same name, or somebody else.
Committer = Literal["worker", "former", "somebody"]
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


def committer(metadata: str, topic_id: str = "") -> Committer:
    """Return who has committed an offset with this metadata. ``topic_id``: of the topic, empty where it is not known.

    A worker that has not yet heard that a topic was created again may still commit what it has of the old one.
    """
    word, _, named = metadata.partition(" ")
    if word != COMMITTED:
        return "somebody"
    return "former" if named and topic_id and named != topic_id else "worker"


class GroupLog:
    """The workers' group in Kafka, beside its members: the epoch, committed offsets, and the cluster's id.

    The epoch is with the offsets of ``topic``. One connection serves all, and is opened by the first request. Methods raise
    KafkaError and TimeoutError when the broker cannot be reached or does not answer.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings = settings
        self._epochs = settings.group + EPOCHS
        self._partition = TopicPartition(topic, 0)
        self._admin: AIOKafkaAdminClient | None = None
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        """Close the connection."""
        admin, self._admin = self._admin, None
        if admin is not None:
            await admin.close()

    async def cluster_id(self) -> str:
        """Return the id of the cluster; empty where the broker gives none."""
        return str((await self._ask(lambda admin: admin.describe_cluster())).get("cluster_id") or "")

    async def epoch(self) -> tuple[int, LogNote]:
        """Return the epoch, 0 where there is none, and what stands beside it."""
        found = (await self._offsets(self._epochs, [self._partition])).get(self._partition)
        return (found.offset, LogNote.from_json(found.metadata)) if found is not None and found.offset > 0 else (0, LogNote())

    async def put_epoch(self, epoch: int, note: LogNote) -> None:
        """Put an epoch in force."""
        metadata = msgspec.json.encode(note).decode()
        # An admin client of aiokafka cannot commit.
        consumer = AIOKafkaConsumer(**async_options(self._settings), group_id=self._epochs, enable_auto_commit=False)
        async with asyncio.timeout(_TIMEOUT):
            await consumer.start()
            try:
                consumer.assign([self._partition])
                await consumer.commit({self._partition: OffsetAndMetadata(epoch, metadata)})
            finally:
                await consumer.stop()

    async def committed(
        self, partitions: list[TopicPartition], by_workers: Mapping[str, str] | None = None
    ) -> dict[TopicPartition, int]:
        """Return partition → committed offset, of those that have one.

        ``by_workers``: only those that a worker has committed, with the ids of the topics whose offsets are of one topic only.
        """
        found = await self._offsets(self._settings.group, partitions)
        return {
            partition: row.offset
            for partition, row in found.items()
            if row.offset >= 0
            and (by_workers is None or committer(row.metadata, by_workers.get(partition.topic, "")) == "worker")
        }

    async def _offsets(self, group: str, partitions: list[TopicPartition]) -> dict[TopicPartition, OffsetAndMetadata]:
        return dict(await self._ask(lambda admin: admin.list_consumer_group_offsets(group, partitions=partitions)))

    async def _ask(self, question: Callable[[AIOKafkaAdminClient], Awaitable[Any]]) -> Any:
        try:
            async with asyncio.timeout(_TIMEOUT):
                return await question(await self._connected())
        except BaseException:
            # The next request opens another connection: this one may lead to a broker that is away.
            with contextlib.suppress(KafkaError, OSError):
                await self.close()
            raise

    async def _connected(self) -> AIOKafkaAdminClient:
        async with self._opening:
            if self._admin is None:
                admin = AIOKafkaAdminClient(**async_options(self._settings))
                try:
                    await admin.start()
                except BaseException:
                    await admin.close()
                    raise
                self._admin = admin
            return self._admin
