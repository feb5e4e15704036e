"""The worker's producer: idempotent where the broker knows producer ids, and made anew when its sequence is broken."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    OutOfOrderSequenceNumber,
    UnknownError,
    UnknownProducerId,
)

from stream_app.kafka.options import async_options
from stream_app.retries import GaveUp
from stream_app.settings import Settings

log = logging.getLogger("headrace.worker")
T = TypeVar("T")
#: After one of these the broker takes nothing more from the same producer: what it sent before was not taken in order,
#: because a batch ran out of time while the broker was away, or the broker has forgotten the producer.
BROKEN = (OutOfOrderSequenceNumber, UnknownProducerId, InvalidProducerEpoch)


class Producer:
    """Holds the producer that is in use; ``now`` is started."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._making = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self.now: AIOKafkaProducer

    async def start(self) -> None:
        """Make the first one.

        Raises:
            GaveUp: there is no broker.
        """
        self.now = await self._made()

    async def using(self, action: Callable[[AIOKafkaProducer], Awaitable[T]]) -> T:
        """Do ``action`` with the producer in use; if that turns out to be broken, the next action gets another one.

        Raises:
            KafkaError: what the action raised; nothing tells what of it was delivered.
            GaveUp: there is no broker.
        """
        producer = self.now
        try:
            return await action(producer)
        except BROKEN:
            await self._renew(producer)
            raise

    async def _renew(self, broken: AIOKafkaProducer) -> None:
        async with self._making:
            if self.now is broken:
                self.now = await self._made()
                task = asyncio.create_task(_stop(broken))
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    async def stop(self) -> None:
        """Flush and close."""
        await _stop(self.now)
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _made(self) -> AIOKafkaProducer:
        began, delay, idempotent = time.monotonic(), 0.2, True
        while True:
            producer = AIOKafkaProducer(
                **async_options(self._settings), acks="all", enable_idempotence=idempotent, linger_ms=0,
                max_batch_size=256 * 1024, max_request_size=8 * 1024 * 1024, request_timeout_ms=30_000,
            )  # fmt: skip
            sender_log = logging.getLogger("aiokafka.producer.sender")
            sender_log.setLevel(logging.CRITICAL)  # a broker without producer ids is expected here
            try:
                await producer.start()
            except (KafkaError, OSError, TimeoutError) as error:
                await producer.stop()
                if isinstance(error, UnknownError) and idempotent:
                    idempotent = False
                    continue
                if time.monotonic() - began > self._settings.give_up_after:
                    reason = type(error).__name__
                    raise GaveUp(f"no Kafka at {self._settings.kafka} ({reason}); set HEADRACE_KAFKA") from error
                log.warning("no Kafka at %s (%s); again in %.1f s", self._settings.kafka, type(error).__name__, delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)
            else:
                return producer
            finally:
                sender_log.setLevel(logging.NOTSET)


async def _stop(producer: AIOKafkaProducer) -> None:
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        await asyncio.wait_for(producer.stop(), 5)
