"""Exactly once: what a batch became and the note that it was delivered, in one Kafka transaction (KIP-98).

Each partition of an entity delivers through a producer with a transactional id of its own, so that a worker that takes
the partition over shuts out the one before it and ends what that left open. The note is an offset committed with the
transaction, in a group of its own: whoever delivers next reads there how far it came, whatever Redis had been told.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IllegalOperation, KafkaError, ProducerFenced, UnknownError
from aiokafka.structs import OffsetAndMetadata

from stream_app.errors import SettingsError
from stream_app.kafka.options import async_options
from stream_app.settings import Settings

#: After the consumer group's name: the group in which notes are kept.
NOTES = ".delivered"


#: Seconds that a transaction may take, and after which the broker ends one that a dead worker left open: so long are its
#: partitions held up for read_committed readers, if nobody delivers there meanwhile.
_PATIENCE, _OPEN = 15.0, 20.0


@dataclass(slots=True)
class Place:
    """Where deliveries of one partition are noted: a number and a text with the last one, 0 and "" before the first."""

    at: TopicPartition
    producer: AIOKafkaProducer
    mark: int
    text: str
    busy: bool = False
    stale: bool = False


class Transactions:
    """The transactional producers of one worker."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._group = settings.group + NOTES
        self._places: dict[TopicPartition, Place] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def place(self, topic: str, partition: int) -> Place:
        """Where deliveries out of a partition are noted; the first time, shuts out whoever delivered before.

        Raises:
            SettingsError: the broker knows no transactions.
            KafkaError: it cannot be reached.
            TimeoutError: it does not answer in time.
        """
        at = TopicPartition(topic, partition)
        found = self._places.get(at)
        if found is None:
            # A producer waits for its id without an end of its own.
            async with asyncio.timeout(_PATIENCE):
                producer = await self._producer(f"{self._group}-{topic}-{partition}")
                try:
                    note = await self._note(at)
                except BaseException:
                    await _stop(producer)
                    raise
            known = note is not None and note.offset > 0
            found = Place(at, producer, note.offset if known else 0, note.metadata if known else "")  # type: ignore[union-attr]
            self._places[at] = found
        return found

    async def deliver(self, place: Place, fill: Callable[[AIOKafkaProducer], Awaitable[None]], mark: int, text: str) -> None:
        """Send what ``fill`` sends, and note ``mark`` (1 or more) and ``text``: both or neither.

        Raises:
            KafkaError: perhaps both, perhaps neither; the place has to be asked for anew, and tells then.
        """
        producer = place.producer
        place.busy = True
        try:
            async with asyncio.timeout(_PATIENCE):
                await producer.begin_transaction()
                await fill(producer)
                await producer.send_offsets_to_transaction({place.at: OffsetAndMetadata(mark, text)}, self._group)
                await producer.commit_transaction()
        except IllegalOperation as error:
            # Somebody else took the partition over between two of these steps, which ended the transaction.
            self._drop(place)
            raise ProducerFenced from error
        except BaseException:
            # Whoever asks for the place next ends what is left open here.
            self._drop(place)
            raise
        finally:
            place.busy = False
        place.mark, place.text = mark, text
        if place.stale:
            self._drop(place)

    async def check(self) -> None:
        """Make sure that the broker knows transactions.

        Raises:
            SettingsError: it does not.
            KafkaError: it cannot be reached.
        """
        await _stop(await self._producer(f"{self._group}-check"))

    def forget(self, topic: str, partitions: set[int]) -> None:
        """Let go of partitions that may have been elsewhere; of one that is being delivered from, afterwards."""
        for at, place in list(self._places.items()):
            if at.topic == topic and at.partition in partitions:
                if place.busy:
                    place.stale = True
                else:
                    self._drop(place)

    async def close(self) -> None:
        """Close all producers."""
        for place in list(self._places.values()):
            self._drop(place)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _drop(self, place: Place) -> None:
        if self._places.get(place.at) is place:
            del self._places[place.at]
        task = asyncio.ensure_future(_stop(place.producer))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _producer(self, name: str) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **async_options(self._settings), transactional_id=name, acks="all", linger_ms=0, max_batch_size=256 * 1024,
            max_request_size=8 * 1024 * 1024, request_timeout_ms=30_000, transaction_timeout_ms=int(_OPEN * 1000),
        )  # fmt: skip
        log = logging.getLogger("aiokafka.producer.sender")
        log.setLevel(logging.CRITICAL)  # a broker without transactions is told of below
        try:
            await producer.start()
        except UnknownError:
            await _stop(producer)
            raise SettingsError(
                "HEADRACE_EXACTLY_ONCE=on needs a broker with transactions, such as Apache Kafka; "
                f"{self._settings.kafka} has none: unset it, or name another broker in HEADRACE_KAFKA"
            ) from None
        except BaseException:
            await _stop(producer)
            raise
        finally:
            log.setLevel(logging.NOTSET)
        return producer

    async def _note(self, at: TopicPartition) -> OffsetAndMetadata | None:
        admin = AIOKafkaAdminClient(**async_options(self._settings))
        await admin.start()
        try:
            notes = await admin.list_consumer_group_offsets(self._group, partitions=[at])
        finally:
            await admin.close()
        found: OffsetAndMetadata | None = notes.get(at)
        return found


async def _stop(producer: AIOKafkaProducer) -> None:
    with contextlib.suppress(KafkaError, OSError, TimeoutError, asyncio.CancelledError):
        await asyncio.wait_for(producer.stop(), 5)
