"""Find the dead-letter or clean record that a raw record became, by its ``headrace.source``, within limits.

Dead-letter and clean records keep the partition and the timestamp of their raw record. Hence three steps: (1) read the raw
record, which gives the timestamp; (2) find an offset to begin at in that partition of the dead-letter topic, by bisecting
on the offsets in the source headers, and by the broker's index of timestamps; (3) scan from there, at most ``MOST_RECORDS``
records or ``MOST_SECONDS``. Then the same in the clean topic.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from stream_app.errors import DeliveryError
from stream_app.failures import classify
from stream_app.kafka.broker import check
from stream_app.kafka.diagnosis import connection_problem
from stream_app.kafka.headers import header
from stream_app.kafka.options import sync_options
from stream_app.kafka.reading import UnreadableRecordsError, poll
from stream_app.names import FINDINGS, SOURCE, WARNINGS, Topics
from stream_app.settings import Settings

#: Limits of one search.
MOST_RECORDS = 20_000
MOST_SECONDS = 6.0
#: Seconds that one fetch may take, and that the broker may take to answer at the start.
FETCH_SECONDS = 2.0
CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """A record that was found in Kafka.

    Attributes:
        outcome: ``dead letter``, ``clean``, or ``raw`` if neither was found within the limits.
        timestamp: milliseconds since the epoch, of the record itself.
        reasons: the header that lists the record's findings.
    """

    outcome: str
    topic: str
    partition: int
    offset: int
    timestamp: int
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    reasons: bytes | None

    def header(self, name: str) -> bytes | None:
        """Return the last value of a header; ``None`` if the record does not have it."""
        return header(self, name)


def split(source: str) -> tuple[str, int, int]:
    """Split ``topic:partition:offset``.

    Raises:
        DeliveryError: the text is not of this form.
    """
    topic, _, rest = source.rpartition(":")
    topic, _, partition = topic.rpartition(":")
    if not topic or not partition.isdecimal() or not rest.isdecimal() or len(partition) > 9 or len(rest) > 18:
        raise DeliveryError("this finding does not name a record; expected topic:partition:offset")
    return topic, int(partition), int(rest)


def find(settings: Settings, entity: str, source: str) -> FoundRecord:
    """Return the outcome of a raw record, with personal data: ``views.record.opened`` masks it.

    Raises:
        DeliveryError: no broker answers, or retention has deleted the raw record and its outcome.
    """
    topics = Topics(entity, settings.topic_prefix)
    topic, partition, offset = split(source)
    if topic != topics.raw:
        raise DeliveryError(
            f"this finding is from topic {topic}, but {entity} is read from {topics.raw}; check HEADRACE_TOPIC_PREFIX"
        )
    with reading(settings) as consumer:
        try:
            raw = _at(consumer, TopicPartition(topic, partition), offset)
        except UnreadableRecordsError:
            raw = None  # its bytes may be in the dead-letter topic
        timestamp = None if raw is None else int(raw.timestamp)
        deadline = time.monotonic() + MOST_SECONDS
        for outcome, name, findings in (("dead letter", topics.dead_letter, FINDINGS), ("clean", topics.clean, WARNINGS)):
            found = _search(consumer, TopicPartition(name, partition), source, offset, timestamp, deadline)
            if found is not None:
                return _found(outcome, found, findings)
    if raw is None:
        raise DeliveryError(
            f"Kafka has neither {source} nor its dead letter any more: both are older than the topics' retention"
        )
    return _found("raw", raw, FINDINGS)


@contextmanager
def reading(settings: Settings, *, committed: bool = False) -> Iterator[Any]:
    """Open a consumer without a group, and close it at the end. ``committed``: leave out records of aborted transactions.

    Raises:
        DeliveryError: no broker answers, or reading fails.
    """
    check(settings)
    try:
        consumer = KafkaConsumer(
            **sync_options(settings),
            bootstrap_timeout_ms=int(CONNECT_SECONDS * 1000),
            request_timeout_ms=15_000,
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # what retention deleted while it was read is passed over, and nothing else
            fetch_max_wait_ms=50,
            max_poll_records=2_000,
            isolation_level="read_committed" if committed else "read_uncommitted",
        )
    except KafkaError as error:
        raise connection_problem(settings, error) from None
    try:
        yield consumer
    except KafkaError as error:
        found = classify(error)
        cure = found.text if found.permanent else "see the broker's log"
        raise DeliveryError(f"Kafka at {settings.kafka} failed to read the record ({type(error).__name__}); {cure}") from None
    finally:
        consumer.close()


def _poll(consumer: Any, partition: Any, offset: int, most: int) -> list[Any]:
    """Return at most ``most`` records from ``offset`` on; none if none came in time."""
    consumer.assign([partition])
    consumer.seek(partition, offset)
    deadline = time.monotonic() + FETCH_SECONDS
    while time.monotonic() < deadline:
        rows = poll(consumer, 100, most).get(partition, [])
        if rows:
            return list(rows)
        high = consumer.highwater(partition)
        if high is not None and consumer.position(partition) >= high:
            return []
    return []


def _bounds(consumer: Any, partition: Any) -> tuple[int, int] | None:
    """Return the first offset of a partition and its end; ``None`` if the partition does not exist."""
    if partition.partition not in (consumer.partitions_for_topic(partition.topic) or ()):
        return None
    low, high = consumer.beginning_offsets([partition])[partition], consumer.end_offsets([partition])[partition]
    return int(low), int(high)


def _at(consumer: Any, partition: Any, offset: int) -> Any | None:
    """Return the record at ``offset``; ``None`` if it is not there any more."""
    bounds = _bounds(consumer, partition)
    if bounds is None or offset < bounds[0]:
        return None
    rows = _poll(consumer, partition, offset, 1)
    return rows[0] if rows and rows[0].offset == offset else None


def _search(consumer: Any, partition: Any, source: str, offset: int, timestamp: int | None, deadline: float) -> Any | None:
    """Return the record with this source in a partition of a topic that the worker writes."""
    bounds = _bounds(consumer, partition)
    if bounds is None:
        return None
    begins = [_bisect(consumer, partition, *bounds, offset)]
    if timestamp is not None:
        answer = consumer.offsets_for_times({partition: timestamp})[partition]
        begins.append(begins[0] if answer is None else int(answer.offset))
    for begin in dict.fromkeys(begins):
        found = _scan(consumer, partition, begin, source.encode(), deadline)
        if found is not None:
            return found
    return None


def _scan(consumer: Any, partition: Any, begin: int, wanted: bytes, deadline: float) -> Any | None:
    """Return the first record from ``begin`` on with this source, within the limits."""
    seen, at = 0, begin
    while seen < MOST_RECORDS and time.monotonic() < deadline:
        rows = _poll(consumer, partition, at, 2_000)
        for row in rows:
            if header(row, SOURCE) == wanted:
                return row
        if not rows:
            return None
        seen += len(rows)
        at = rows[-1].offset + 1
    return None


def _bisect(consumer: Any, partition: Any, low: int, high: int, offset: int) -> int:
    """Return an offset at most 64 before the first record whose raw record is at or after ``offset``.

    Records that waited for reference data are out of order: they come after records of later offsets.
    """
    while high - low > 64:
        middle = (low + high) // 2
        rows = _poll(consumer, partition, middle, 1)
        if not rows or _raw_offset(rows[0]) >= offset:
            high = middle
        else:
            low = middle
    return low


def _raw_offset(row: Any) -> int:
    """Return the raw record's offset; 0 for a record that another program wrote."""
    try:
        return split((header(row, SOURCE) or b"").decode("utf-8", "replace"))[2]
    except DeliveryError:
        return 0


def _found(outcome: str, row: Any, name: str) -> FoundRecord:
    reasons = header(row, name)
    return FoundRecord(outcome, row.topic, row.partition, row.offset, row.timestamp, row.value, tuple(row.headers), reasons)
