"""Finds what became of a raw record in Kafka, by its ``headrace.source``, within a bound of records and time.

The source says where the raw record is: one fetch gives its timestamp, which the dead-letter and clean records keep, as they
keep its partition. So (1) read the raw record, (2) ask the broker for the first record of that time or later in the
partition of the dead-letter topic (where the broker cannot tell, halve the partition by the sources in the headers), and
(3) read on from there, ``MOST_RECORDS`` or ``MOST_SECONDS`` at most.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]
from kafka.errors import KafkaError  # type: ignore[import-untyped]

from stream_app.errors import DeliveryError
from stream_app.kafka.broker import check
from stream_app.kafka.options import connection_problem, sync_options
from stream_app.names import FINDINGS, SOURCE, WARNINGS, Topics
from stream_app.settings import Settings

MOST_RECORDS = 20_000
MOST_SECONDS = 6.0
#: Seconds for one fetch, and for the broker to answer at all.
FETCH_SECONDS = 2.0
CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """A record as it was found. ``outcome``: ``dead letter``, ``clean``, or ``raw`` where neither was found within the bound.

    ``timestamp``: ms, the raw record's. ``reasons``: the header that says what was found in it.
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
        """The last value of a header; ``None`` when it is not there."""
        return next((value for key, value in reversed(self.headers) if key == name), None)


def split(source: str) -> tuple[str, int, int]:
    """``topic:partition:offset`` in its parts.

    Raises:
        DeliveryError: the text is no source.
    """
    topic, _, rest = source.rpartition(":")
    topic, _, partition = topic.rpartition(":")
    if not topic or not partition.isdecimal() or not rest.isdecimal() or len(partition) > 9 or len(rest) > 18:
        raise DeliveryError("this finding names no record: a source reads topic:partition:offset")
    return topic, int(partition), int(rest)


def find(settings: Settings, entity: str, source: str) -> FoundRecord:
    """What became of a raw record, as it is: whoever shows it masks personal data (``views.record.opened``).

    Raises:
        DeliveryError: no broker answers, or it has neither the raw record nor what became of it any more.
    """
    topics = Topics(entity, settings.topic_prefix)
    topic, partition, offset = split(source)
    if topic != topics.raw:
        raise DeliveryError(f"this finding is of topic {topic}, and {entity} is read from {topics.raw}")
    with _consumer(settings) as consumer:
        raw = _at(consumer, TopicPartition(topic, partition), offset)
        timestamp = None if raw is None else int(raw.timestamp)
        deadline = time.monotonic() + MOST_SECONDS
        for outcome, name, header in (("dead letter", topics.dead_letter, FINDINGS), ("clean", topics.clean, WARNINGS)):
            found = _search(consumer, TopicPartition(name, partition), source, offset, timestamp, deadline)
            if found is not None:
                return _found(outcome, found, header)
    if raw is None:
        raise DeliveryError(
            f"Kafka has neither {source} nor its dead letter any more: both are older than the topics keep records"
        )
    return _found("raw", raw, FINDINGS)


@contextmanager
def _consumer(settings: Settings) -> Iterator[Any]:
    check(settings)
    try:
        consumer = KafkaConsumer(
            **sync_options(settings),
            bootstrap_timeout_ms=int(CONNECT_SECONDS * 1000),
            request_timeout_ms=15_000,
            enable_auto_commit=False,
            fetch_max_wait_ms=50,
            max_poll_records=2_000,
        )
    except KafkaError as error:
        raise connection_problem(settings, error) from None
    try:
        yield consumer
    except KafkaError as error:
        raise DeliveryError(
            f"Kafka at {settings.kafka} does not answer what it is asked ({type(error).__name__}); see its log"
        ) from None
    finally:
        consumer.close()


def _poll(consumer: Any, place: Any, offset: int, most: int) -> list[Any]:
    """Records from ``offset`` on; empty where nothing came in time."""
    consumer.assign([place])
    consumer.seek(place, offset)
    deadline = time.monotonic() + FETCH_SECONDS
    while time.monotonic() < deadline:
        rows = consumer.poll(timeout_ms=100, max_records=most).get(place, [])
        if rows:
            return list(rows)
        high = consumer.highwater(place)
        if high is not None and consumer.position(place) >= high:
            return []
    return []


def _bounds(consumer: Any, place: Any) -> tuple[int, int] | None:
    if place.partition not in (consumer.partitions_for_topic(place.topic) or ()):
        return None
    low, high = consumer.beginning_offsets([place])[place], consumer.end_offsets([place])[place]
    return int(low), int(high)


def _at(consumer: Any, place: Any, offset: int) -> Any | None:
    bounds = _bounds(consumer, place)
    if bounds is None or offset < bounds[0]:
        return None
    rows = _poll(consumer, place, offset, 1)
    return rows[0] if rows and rows[0].offset == offset else None


def _search(consumer: Any, place: Any, source: str, offset: int, timestamp: int | None, deadline: float) -> Any | None:
    bounds = _bounds(consumer, place)
    if bounds is None:
        return None
    begins = [_halve(consumer, place, *bounds, offset)]
    if timestamp is not None:
        answer = consumer.offsets_for_times({place: timestamp})[place]
        begins.append(begins[0] if answer is None else int(answer.offset))
    for begin in dict.fromkeys(begins):
        found = _scan(consumer, place, begin, source.encode(), deadline)
        if found is not None:
            return found
    return None


def _scan(consumer: Any, place: Any, begin: int, wanted: bytes, deadline: float) -> Any | None:
    seen, at = 0, begin
    while seen < MOST_RECORDS and time.monotonic() < deadline:
        rows = _poll(consumer, place, at, 2_000)
        for row in rows:
            if _header(row, SOURCE) == wanted:
                return row
        if not rows:
            return None
        seen += len(rows)
        at = rows[-1].offset + 1
    return None


def _halve(consumer: Any, place: Any, low: int, high: int, offset: int) -> int:
    """About the first record whose source is at or after ``offset``; records that had waited stand later than it."""
    while high - low > 64:
        middle = (low + high) // 2
        rows = _poll(consumer, place, middle, 1)
        if not rows or _offset(rows[0]) >= offset:
            high = middle
        else:
            low = middle
    return low


def _offset(row: Any) -> int:
    try:
        return split((_header(row, SOURCE) or b"").decode("utf-8", "replace"))[2]
    except DeliveryError:
        return 0


def _header(row: Any, name: str) -> bytes | None:
    return next((value for key, value in reversed(row.headers) if key == name), None)


def _found(outcome: str, row: Any, header: str) -> FoundRecord:
    reasons = _header(row, header)
    return FoundRecord(outcome, row.topic, row.partition, row.offset, row.timestamp, row.value, tuple(row.headers), reasons)
