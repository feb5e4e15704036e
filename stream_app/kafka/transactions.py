"""Exactly once: deliver records, and the note that they were delivered, in one Kafka transaction (KIP-98).

Each partition of an entity is delivered by a producer with a transactional id of its own. A worker that takes the partition
over fences the producer of the worker before it, and aborts what that left open. The note is an offset with metadata, which
the transaction commits in a consumer group of its own: the next worker reads there how far delivery got, whatever Redis has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IllegalOperation, ProducerFenced, UnknownError
from aiokafka.structs import OffsetAndMetadata

from stream_app.errors import SettingsError
from stream_app.kafka.options import async_options, async_producer_options
from stream_app.kafka.producer import close, sender_silent, unknown_partition
from stream_app.settings import Settings

T = TypeVar("T")
#: The group of the notes is named after the workers' consumer group, with this suffix.
NOTES = ".delivered"
#: Seconds that one step of a transaction may take on this side.
_TIMEOUT = 15.0
#: Seconds after which the broker aborts a transaction that a dead worker left open. Until then read_committed consumers
#: wait at its partitions, unless another worker delivers there.
_BROKER_TIMEOUT = 20.0


@dataclass(frozen=True, slots=True)
class Note:
    """How far a partition has been delivered; the deliverer chooses the meaning of both values.

    Attributes:
        offset: committed as the offset; at least 1, or 0 before the first delivery.
        text: committed as the offset's metadata; empty before the first delivery.
    """

    offset: int = 0
    text: str = ""


@dataclass(slots=True)
class PartitionProducer:
    """The transactional producer of one partition, and the note of its last delivery.

    Attributes:
        busy: a delivery is under way.
        stale: the partition was revoked during a delivery; close the producer after it.
    """

    partition: TopicPartition
    producer: AIOKafkaProducer
    note: Note
    busy: bool = False
    stale: bool = False


class Transactions:
    """The transactional producers of one worker."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._group = settings.group + NOTES
        self._producers: dict[TopicPartition, PartitionProducer] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def producer_of(self, topic: str, partition: int) -> PartitionProducer:
        """Return the producer of a partition; the first call fences the worker that delivered before.

        Raises:
            SettingsError: the broker does not support transactions.
            KafkaError: the broker cannot be reached.
            TimeoutError: the broker does not answer in time.
        """
        key = TopicPartition(topic, partition)
        found = self._producers.get(key)
        if found is None:
            # aiokafka waits for a producer id without a timeout.
            async with asyncio.timeout(_TIMEOUT):
                producer = await self._start(f"{self._group}-{topic}-{partition}")
                try:
                    note = await self._read_note(key)
                except BaseException:
                    await close(producer)
                    raise
            found = self._producers[key] = PartitionProducer(key, producer, note)
        return found

    async def note_of(self, topic: str, partition: int) -> Note:
        """Return the note of a partition's last delivery, without fencing who delivers there.

        Raises:
            KafkaError: the broker cannot be reached.
        """
        return await self._read_note(TopicPartition(topic, partition))

    async def deliver(self, target: PartitionProducer, fill: Callable[[AIOKafkaProducer], Awaitable[T]], note: Note) -> T:
        """Send what ``fill`` sends and commit ``note``: both or neither. Returns what ``fill`` returns.

        Raises:
            KafkaError: perhaps both, perhaps neither; ask ``producer_of`` again, whose note says which.
        """
        producer = target.producer
        target.busy = True
        try:
            async with asyncio.timeout(_TIMEOUT):
                await producer.begin_transaction()
                sent = await fill(producer)
                offsets = {target.partition: OffsetAndMetadata(note.offset, note.text)}
                await producer.send_offsets_to_transaction(offsets, self._group)
                await producer.commit_transaction()
        except IllegalOperation as error:
            # Another worker took the partition over between two of these steps, which ended the transaction.
            self._drop(target)
            raise ProducerFenced from error
        except AssertionError as error:
            unknown = await unknown_partition(producer)
            self._drop(target)
            raise unknown from error
        except BaseException:
            # The next call of producer_of, here or elsewhere, aborts the open transaction.
            self._drop(target)
            raise
        finally:
            target.busy = False
        target.note = note
        if target.stale:
            self._drop(target)
        return sent

    async def check(self) -> None:
        """Make sure that the broker supports transactions.

        Raises:
            SettingsError: it does not.
            KafkaError: it cannot be reached.
        """
        await close(await self._start(f"{self._group}-check"))

    def forget(self, topic: str, partitions: set[int]) -> None:
        """Close the producers of partitions that another worker may have had; a busy one after its delivery."""
        for key, target in list(self._producers.items()):
            if key.topic == topic and key.partition in partitions:
                if target.busy:
                    target.stale = True
                else:
                    self._drop(target)

    async def close(self) -> None:
        """Close all producers."""
        for target in list(self._producers.values()):
            self._drop(target)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _drop(self, target: PartitionProducer) -> None:
        if self._producers.get(target.partition) is target:
            del self._producers[target.partition]
        task = asyncio.ensure_future(close(target.producer))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _start(self, name: str) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **async_producer_options(self._settings),
            transactional_id=name,
            transaction_timeout_ms=int(_BROKER_TIMEOUT * 1000),
        )
        try:
            with sender_silent():
                await producer.start()
        except UnknownError:
            await close(producer)
            raise SettingsError(
                "HEADRACE_EXACTLY_ONCE=on needs a broker with transactions, such as Apache Kafka; "
                f"{self._settings.kafka} does not support them: unset it, or name another broker in HEADRACE_KAFKA"
            ) from None
        except BaseException:
            await close(producer)
            raise
        return producer

    async def _read_note(self, partition: TopicPartition) -> Note:
        admin = AIOKafkaAdminClient(**async_options(self._settings))
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(self._group, partitions=[partition])
        finally:
            await admin.close()
        committed: OffsetAndMetadata | None = offsets.get(partition)
        return Note(committed.offset, committed.metadata) if committed is not None and committed.offset > 0 else Note()
