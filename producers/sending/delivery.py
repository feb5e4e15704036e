"""Send raw records to Kafka and account for the outcome of each."""

from __future__ import annotations

import contextlib
import importlib.util
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from kafka import KafkaProducer, errors
from kafka.partitioner.default import murmur2

from producers.record import RawRecord, memoised
from stream_app.errors import DeliveryError
from stream_app.failures import Kind, classify
from stream_app.kafka.diagnosis import connection_problem
from stream_app.kafka.options import sync_producer_options
from stream_app.names import AS_OF, Topics
from stream_app.settings import Settings

#: Limits of records and bytes without an acknowledgement; kafka-python has none.
MAX_UNSETTLED = 20_000
MAX_UNSETTLED_BYTES = 64 << 20
#: Bytes per batch and milliseconds to fill one: 60,000 records/s; kafka-python's defaults reach 33,000.
BATCH_BYTES = 128 << 10
LINGER_MS = 20
#: Largest record that is sent; a broker's default limit is 1 MiB.
MAX_REQUEST = 64 << 20

Acknowledged = Callable[[Any, int | None, int | None], None]


def compression() -> str | None:
    """Return ``lz4`` if both client libraries can read it, else ``None`` (gzip is slower than no compression)."""
    return "lz4" if all(importlib.util.find_spec(name) for name in ("lz4", "cramjam")) else None


class Sender:
    """An idempotent producer (acks=all) that knows the outcome of each record.

    Attributes:
        sent: records handed to Kafka so far.
        settled: records with a known outcome: the first ``settled`` in the order of sending.
        failed: settled records that Kafka refused permanently, such as one that is too large.

    Raises:
        DeliveryError: no broker answers at the start.
    """

    def __init__(self, settings: Settings, acknowledged: Acknowledged | None = None) -> None:
        self.sent = self.settled = self.failed = 0
        self._settings = settings
        self._acknowledged = acknowledged
        self._unsettled: deque[tuple[Any, int, Any]] = deque()
        self._unsettled_bytes = 0
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
        """Send one record; wait while too many are unsettled.

        Args:
            tag: passed to ``acknowledged`` with partition and offset (``None``, ``None`` if Kafka refused the record).

        Raises:
            DeliveryError: Kafka did not acknowledge a record in time; no further record can be sent in order.
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
        self._unsettled.append((future, size, tag))
        self._unsettled_bytes += size
        if not self.sent & 0xFF:
            self.settle()
            if len(self._unsettled) > MAX_UNSETTLED or self._unsettled_bytes > MAX_UNSETTLED_BYTES:
                self._drain()
        elif size > MAX_UNSETTLED_BYTES // 64 and self._unsettled_bytes > MAX_UNSETTLED_BYTES:
            self._drain()

    def settle(self) -> None:
        """Account for the records that have been acknowledged so far.

        Raises:
            DeliveryError: Kafka did not acknowledge a record in time.
        """
        unsettled = self._unsettled
        while unsettled and unsettled[0][0].is_done:
            future, size, tag = unsettled.popleft()
            self._unsettled_bytes -= size
            error = future.exception
            if error is not None and classify(error).kind is not Kind.RECORD:
                unsettled.appendleft((future, size, tag))
                self._unsettled_bytes += size
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
        """Wait until every record is settled, or for ``seconds``.

        Raises:
            DeliveryError: Kafka did not acknowledge a record in time.
        """
        deadline = time.monotonic() + (self._settings.give_up_after + 5 if seconds is None else seconds)
        with contextlib.suppress(errors.KafkaTimeoutError):
            self._producer.flush(timeout=max(0.1, deadline - time.monotonic()))
        self.settle()
        if self._unsettled and seconds is None:
            raise self._fatal(errors.KafkaTimeoutError())

    def finish(self) -> None:
        """Flush, and fail if Kafka refused any record.

        Raises:
            DeliveryError: records were not delivered; the message gives their number.
        """
        self.flush()
        if self.failed:
            raise DeliveryError(
                f"{self.failed} of {self.sent} records were not delivered: {self._settings.kafka} refuses them "
                f"({type(self._last_failure).__name__}: {_meaning(self._last_failure)}); "
                "change the configuration of the topic, or remove the records"
            )

    def close(self) -> None:
        """Close the connection; records that are still unsettled remain so."""
        # kafka-python's close() flushes first; if that fails, it raises, and the producer remains open. finish() has flushed.
        self._producer.flush = lambda timeout=None: None  # noqa: ARG005 - its signature
        self._producer.close(timeout=2)

    def _partition(self, topic: str) -> Callable[[Any], Any]:
        """Return the default partitioner (murmur2, as in every Kafka client), which remembers keys."""
        found = self._partitions.get(topic)
        if found is None:
            try:
                count = len(self._producer.partitions_for(topic) or ())
            except errors.KafkaError as error:
                raise self._fatal(error) from None
            if not count:
                raise DeliveryError(f"{self._settings.kafka} has no topic {topic}; create it, or check HEADRACE_TOPIC_PREFIX")
            found = self._partitions[topic] = memoised(lambda key: (murmur2(key) & 0x7FFFFFFF) % count)
        return found

    def _drain(self) -> None:
        """Wait until unsettled records are below half of the limits."""
        while self._unsettled and (
            len(self._unsettled) > MAX_UNSETTLED // 2 or self._unsettled_bytes > MAX_UNSETTLED_BYTES // 2
        ):
            with contextlib.suppress(errors.KafkaError):
                self._unsettled[min(len(self._unsettled), 500) - 1][0].get(timeout=0.2)
            self.settle()

    def _fatal(self, error: BaseException) -> DeliveryError:
        missing = self.sent - self.settled + self.failed
        found = classify(error)
        if found.permanent:
            return DeliveryError(
                f"{missing} of {self.sent} records were not delivered: {self._settings.kafka} refuses them "
                f"({type(error).__name__}): {found.text}"
            )
        return DeliveryError(
            f"{missing} of {self.sent} records were not delivered: {self._settings.kafka} did not acknowledge them "
            f"({type(error).__name__}); check the broker (HEADRACE_KAFKA), then start again"
        )


def _meaning(error: BaseException | None) -> str:
    return classify(error).meaning if error is not None else ""


class _Refused:
    """The future of a record that kafka-python refuses to send."""

    is_done = True
    value = None

    def __init__(self, error: errors.KafkaError) -> None:
        self.exception = error

    def get(self, timeout: float | None = None) -> None:
        """Return at once."""
