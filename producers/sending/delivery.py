"""Sends raw records to Kafka and accounts for every one of them."""

from __future__ import annotations

import contextlib
import importlib.util
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from kafka import KafkaProducer, errors  # type: ignore[import-untyped]
from kafka.partitioner.default import murmur2  # type: ignore[import-untyped]

from producers.record import RawRecord, memoised
from stream_app.errors import DeliveryError
from stream_app.kafka.options import connection_problem, sync_producer_options
from stream_app.names import AS_OF, Topics
from stream_app.settings import Settings

#: Records and bytes that may wait for their acknowledgement; kafka-python itself has no bound.
MAX_WAITING = 20_000
MAX_WAITING_BYTES = 64 << 20
#: Bytes per batch and milliseconds to fill one: 60,000 records/s against 33,000 with kafka-python's defaults.
BATCH_BYTES = 128 << 10
LINGER_MS = 20
#: Longest record that is tried; brokers take 1 MiB unless told otherwise.
MAX_REQUEST = 64 << 20

Acknowledged = Callable[[Any, int | None, int | None], None]


def compression() -> str | None:
    """lz4 where both ends of Headrace can read it, else none (gzip was measured to be slower than none)."""
    return "lz4" if all(importlib.util.find_spec(name) for name in ("lz4", "cramjam")) else None


class Sender:
    """An idempotent producer (acks=all) that knows what became of every record.

    Attributes:
        sent: records handed to Kafka so far.
        settled: records whose outcome is known; they are the first ``settled`` in the order of sending.
        failed: settled records that Kafka refused for good, such as one that is too large.

    Raises:
        DeliveryError: no broker answers at the start.
    """

    def __init__(self, settings: Settings, acknowledged: Acknowledged | None = None) -> None:
        self.sent = self.settled = self.failed = 0
        self._settings = settings
        self._acknowledged = acknowledged
        self._waiting: deque[tuple[Any, int, Any]] = deque()
        self._waiting_bytes = 0
        self._last_failure: BaseException | None = None
        self._topics = memoised(lambda entity: Topics(entity, settings.topic_prefix).raw)
        self._partitions: dict[str, Callable[[Any], Any]] = {}
        self._headers = memoised(lambda as_of: [(AS_OF, b"%d" % as_of)])
        try:
            self._producer = KafkaProducer(
                **sync_producer_options(settings, max(1.0, settings.give_up_after)),
                compression_type=compression(),
                batch_size=BATCH_BYTES,
                linger_ms=LINGER_MS,
                max_request_size=MAX_REQUEST,
            )
        except errors.KafkaError as error:
            raise connection_problem(settings, error) from None

    def send(self, record: RawRecord, tag: Any = None) -> None:
        """Hand one record to Kafka; waits while too many are unacknowledged.

        Args:
            tag: handed to ``acknowledged`` with the partition and offset (None, None when refused).

        Raises:
            DeliveryError: Kafka took too long with a record; nothing more can be sent in order.
        """
        topic = self._topics(record.entity)
        partition = None if record.key is None else self._partition(topic)(record.key)
        headers = None if record.as_of_ms is None else self._headers(record.as_of_ms)
        size = len(record.value)
        self.sent += 1
        try:
            future = self._producer.send(topic, record.value, record.key, headers, partition)
        except errors.MessageSizeTooLargeError as error:
            future = _Refused(error)
        except (errors.KafkaError, ValueError) as error:
            raise self._fatal(error) from None
        self._waiting.append((future, size, tag))
        self._waiting_bytes += size
        if not self.sent & 0xFF:
            self.settle()
            if len(self._waiting) > MAX_WAITING or self._waiting_bytes > MAX_WAITING_BYTES:
                self._drain()
        elif size > MAX_WAITING_BYTES // 64 and self._waiting_bytes > MAX_WAITING_BYTES:
            self._drain()

    def settle(self) -> None:
        """Account for what has been acknowledged so far.

        Raises:
            DeliveryError: Kafka did not take a record in time.
        """
        waiting = self._waiting
        while waiting and waiting[0][0].is_done:
            future, size, tag = waiting.popleft()
            self._waiting_bytes -= size
            error = future.exception
            if error is not None and not isinstance(error, errors.MessageSizeTooLargeError | errors.InvalidRecordError):
                waiting.appendleft((future, size, tag))
                self._waiting_bytes += size
                raise self._fatal(error)
            self.settled += 1
            partition = offset = None
            if error is not None:
                self.failed += 1
                self._last_failure = error
            elif self._acknowledged is not None:
                partition, offset = future.value.partition, future.value.offset
            if self._acknowledged is not None:
                self._acknowledged(tag, partition, offset)

    def flush(self, seconds: float | None = None) -> None:
        """Wait until every record is settled, or for so many seconds.

        Raises:
            DeliveryError: a record was not taken.
        """
        deadline = time.monotonic() + (self._settings.give_up_after + 5 if seconds is None else seconds)
        with contextlib.suppress(errors.KafkaTimeoutError):
            self._producer.flush(timeout=max(0.1, deadline - time.monotonic()))
        self.settle()
        if self._waiting and seconds is None:
            raise self._fatal(errors.KafkaTimeoutError())

    def finish(self) -> None:
        """Flush, and say so when records were refused.

        Raises:
            DeliveryError: how many of how many were not delivered.
        """
        self.flush()
        if self.failed:
            raise DeliveryError(
                f"{self.failed} of {self.sent} records were not delivered: {self._settings.kafka} refuses them "
                f"({type(self._last_failure).__name__}); raise message.max.bytes, or leave the records out"
            )

    def close(self) -> None:
        """Close the connection; what is unacknowledged by now stays unaccounted for."""
        # kafka-python's close() flushes first, raises when that fails, and is then not closed; ours has flushed.
        self._producer.flush = lambda timeout=None: None
        self._producer.close(timeout=2)

    def _partition(self, topic: str) -> Callable[[Any], Any]:
        """The default partitioner (murmur2, as in every Kafka client), remembered per key."""
        found = self._partitions.get(topic)
        if found is None:
            try:
                count = len(self._producer.partitions_for(topic) or ())
            except errors.KafkaError as error:
                raise self._fatal(error) from None
            if not count:
                raise DeliveryError(f"there is no topic {topic} at {self._settings.kafka}")
            found = self._partitions[topic] = memoised(lambda key: (murmur2(key) & 0x7FFFFFFF) % count)
        return found

    def _drain(self) -> None:
        """Wait until half of what may wait is settled."""
        while self._waiting and (len(self._waiting) > MAX_WAITING // 2 or self._waiting_bytes > MAX_WAITING_BYTES // 2):
            with contextlib.suppress(errors.KafkaError):
                self._waiting[min(len(self._waiting), 500) - 1][0].get(timeout=0.2)
            self.settle()

    def _fatal(self, error: BaseException) -> DeliveryError:
        missing = self.sent - self.settled + self.failed
        return DeliveryError(
            f"{missing} of {self.sent} records were not delivered: {self._settings.kafka} does not take them "
            f"({type(error).__name__}); check the broker (HEADRACE_KAFKA), then start again"
        )


class _Refused:
    """Stands for the future of a record that the client itself refuses."""

    is_done = True
    value = None

    def __init__(self, error: errors.KafkaError) -> None:
        self.exception = error

    def get(self, timeout: float | None = None) -> None:
        """Return at once: the outcome is known."""
