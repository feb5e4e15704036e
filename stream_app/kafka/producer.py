"""The worker's producer: idempotent if the broker supports it, and replaced when the broker refuses its sequence."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaConnectionError,
    KafkaError,
    OutOfOrderSequenceNumber,
    UnknownError,
    UnknownProducerId,
    UnknownTopicOrPartitionError,
)

from stream_app.kafka.diagnosis import diagnose
from stream_app.kafka.options import async_producer_options
from stream_app.retries import retrying
from stream_app.settings import Settings

T = TypeVar("T")
#: Errors of aiokafka's clients while Kafka is unavailable or refuses for now; worth a retry. (A TimeoutError is an OSError.)
UNAVAILABLE = (KafkaError, OSError)
#: After one of these the broker refuses everything else from the same producer: its records did not arrive in order,
#: because a batch timed out while the broker was away, or the broker has forgotten the producer.
BROKEN = (OutOfOrderSequenceNumber, UnknownProducerId, InvalidProducerEpoch)
#: Seconds that a producer may take to close.
_CLOSE_SECONDS = 5.0


class Producer:
    """The producer in use, and its replacement after an error in ``BROKEN``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._replacing = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        #: The started producer in use.
        self.current: AIOKafkaProducer

    async def start(self) -> None:
        """Start the first producer.

        Raises:
            GaveUp: no broker answers.
        """
        self.current = await self._started()

    async def using(self, action: Callable[[AIOKafkaProducer], Awaitable[T]]) -> T:
        """Run ``action`` with the producer in use; if that producer proves broken, the next action gets another one.

        Raises:
            KafkaError: of the action; how much of it was delivered is unknown.
            GaveUp: no broker answers.
        """
        producer = self.current
        try:
            return await action(producer)
        except BROKEN:
            await self._replace(producer)
            raise
        except AssertionError as error:
            raise await unknown_partition(producer) from error

    async def _replace(self, broken: AIOKafkaProducer) -> None:
        async with self._replacing:
            if self.current is broken:
                self.current = await self._started()
                task = asyncio.create_task(close(broken))
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    async def stop(self) -> None:
        """Flush and close."""
        await close(self.current)
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _started(self) -> AIOKafkaProducer:
        retry = retrying("producer", on=UNAVAILABLE, give_up_after=self._settings.give_up_after)
        return await retry(f"connect to Kafka at {self._settings.kafka}", self._start)

    async def _start(self) -> AIOKafkaProducer:
        try:
            return await self._start_one(idempotent=True)
        except UnknownError:
            return await self._start_one(idempotent=False)
        except KafkaConnectionError:
            if (reason := await diagnose(self._settings)) is not None:
                raise reason from None
            raise

    async def _start_one(self, *, idempotent: bool) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(**async_producer_options(self._settings), enable_idempotence=idempotent)
        with sender_silent():
            try:
                await producer.start()
            except BaseException:
                await close(producer)
                raise
        return producer


async def unknown_partition(producer: AIOKafkaProducer) -> UnknownTopicOrPartitionError:
    """Return the error that aiokafka's assertion "Unrecognized partition" stands for, after asking for the topics anew.

    The topic has fewer partitions than its raw topic, or the producer does not know of the new ones yet.
    """
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(producer.client.force_metadata_update(), _CLOSE_SECONDS)
    return UnknownTopicOrPartitionError()


@contextlib.contextmanager
def sender_silent() -> Iterator[None]:
    """Silence aiokafka's sender, which logs an error if a broker does not support producer ids or transactions."""
    log = logging.getLogger("aiokafka.producer.sender")
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(logging.NOTSET)


async def close(producer: AIOKafkaProducer) -> None:
    """Close a producer, if that is possible in time."""
    _look_at_errors(producer)
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        await asyncio.wait_for(producer.stop(), _CLOSE_SECONDS)
    _look_at_errors(producer)


def _look_at_errors(producer: AIOKafkaProducer) -> None:
    """Look at the errors that a fenced or broken producer leaves behind: asyncio logs those that nobody looks at.

    Whoever sends a batch gets its error. aiokafka sets it a second time, for those who wait until the batch is on its way, and
    a third time for those who wait for the end of the transaction.
    """
    waiters = [batch._drain_waiter for queue in producer._message_accumulator._batches.values() for batch in queue]  # noqa: SLF001
    if producer._txn_manager is not None:  # noqa: SLF001 - aiokafka gives no access to any of them
        waiters.append(producer._txn_manager._transaction_waiter)  # noqa: SLF001
    for waiter in waiters:
        if waiter is not None and waiter.done() and not waiter.cancelled():
            waiter.exception()
