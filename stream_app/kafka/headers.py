"""Read and write the headers of records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from stream_app.kafka.batches.unreadable import UnreadableBatch
from stream_app.names import (
    AS_OF,
    ATTEMPTS,
    CONTRACT,
    FINDINGS,
    LATE,
    NULL_KEY,
    REPAIRS,
    SOURCE,
    TIMESTAMP,
    TOPIC_ID,
    UNREADABLE,
    WARNINGS,
)  # fmt: skip

Header = tuple[str, bytes | None]
#: Headers that redrive tools read, as a dead letter has them (Kafka Connect, Spring Kafka).
_TOPIC, _PARTITION, _OFFSET = "__connect.errors.topic", "__connect.errors.partition", "__connect.errors.offset"
_STAGE, _CONNECTOR = "__connect.errors.stage", "__connect.errors.connector.name"
_DLT = "kafka_dlt-original-"
#: Headers of a raw record that neither its dead letter nor its pending record keeps: the worker writes its own, or they are
#: of the record's last attempt.
_REPLACED = frozenset(
    {
        SOURCE, CONTRACT, FINDINGS, WARNINGS, REPAIRS, ATTEMPTS, TOPIC_ID, UNREADABLE,
        LATE, TIMESTAMP, NULL_KEY,
        _TOPIC, _PARTITION, _OFFSET, _STAGE, _CONNECTOR,
        *(_DLT + part for part in ("topic", "partition", "offset", "timestamp")),
    }
)  # fmt: skip
#: Other headers of Headrace and of redrive tools say something of one failure: the last one counts, earlier ones go.
_SINGLE = ("headrace.", "__connect.errors.", "kafka_dlt-")
#: Bytes of a batch that cannot be read in one dead-letter record; more are divided among several.
PART_BYTES = 512 * 1024


class Record(Protocol):
    """A record as a consumer of either library returns it; ``timestamp``: milliseconds since the epoch."""

    @property
    def offset(self) -> int:
        """The record's offset in its partition."""

    @property
    def timestamp(self) -> int:
        """When the producer made it, or the broker got it (ms since the epoch)."""

    @property
    def key(self) -> bytes | None:
        """The bytes by which the producer chose the partition."""

    @property
    def value(self) -> bytes | None:
        """The bytes of the record; None in a tombstone."""

    @property
    def headers(self) -> Sequence[Header]:
        """Pairs of name and value, in the producer's order."""


class HasHeaders(Protocol):
    """Any record with headers."""

    @property
    def headers(self) -> Sequence[Header]:
        """Pairs of name and value, in the producer's order."""


def header(record: HasHeaders, name: str) -> bytes | None:
    """Return the last value of a header; ``None`` if the record does not have it."""
    return next((value for key, value in reversed(record.headers) if key == name), None)


def header_in(headers: Sequence[Header], name: str) -> bytes | None:
    """Return the last value of a header among ``headers``; ``None`` if it is not there."""
    return next((value for key, value in reversed(headers) if key == name), None)


class Original(NamedTuple):
    """A delivered record with the key and timestamp of its raw record."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]


def original(record: Record) -> Record:
    """Return a delivered record with the key and timestamp of its raw record, where its topic did not take those."""
    stamp = keyless = None
    for name, value in record.headers:
        if name == TIMESTAMP:
            stamp = value
        elif name == NULL_KEY:
            keyless = value
    if stamp is None and keyless is None:
        return record
    timestamp = int(stamp) if stamp and len(stamp) <= 20 and stamp.removeprefix(b"-").isdigit() else record.timestamp
    key = record.key if keyless is None else None
    headers = [pair for pair in record.headers if pair[0] not in (TIMESTAMP, NULL_KEY)]
    return Original(record.offset, timestamp, key, record.value, headers)


def dead_letter_headers(record: Record, source: bytes, contract: bytes, findings: bytes, group: str) -> list[Header]:
    """Return the record's own headers, then Headrace's, then those that redrive tools read (Kafka Connect, Spring Kafka).

    ``source`` identifies the raw record. The record at hand may come from the pending topic, where its offset is another one.
    """
    topic, partition, offset = source.rsplit(b":", 2)
    return [
        *_kept(record.headers),
        (SOURCE, source),
        (CONTRACT, contract),
        (FINDINGS, findings),
        (ATTEMPTS, b"%d" % (_attempts(record) + 1)),
        (_TOPIC, topic),
        (_PARTITION, partition),
        (_OFFSET, offset),
        (_STAGE, b"VALUE_CONVERTER"),
        (_CONNECTOR, group.encode()),
        (_DLT + "topic", topic),
        (_DLT + "partition", int(partition).to_bytes(4, "big")),
        (_DLT + "offset", int(offset).to_bytes(8, "big")),
        (_DLT + "timestamp", record.timestamp.to_bytes(8, "big", signed=True)),
    ]


def pending_headers(record: Record, source: bytes, as_of: bytes, topic_id: str) -> list[Header]:
    """Return the record's own headers, then what settling it needs; ``topic_id``: of the raw topic, empty if it has none."""
    headers = [(name, value) for name, value in _kept(record.headers) if name != AS_OF]
    headers += [(SOURCE, source), (AS_OF, as_of)]
    if attempts := _attempts(record):
        headers.append((ATTEMPTS, b"%d" % attempts))
    if topic_id:
        headers.append((TOPIC_ID, topic_id.encode()))
    return headers


def parts_of(batch: UnreadableBatch) -> Iterator[tuple[bytes, list[Header]]]:
    """Yield the values of the dead-letter records that keep a batch's bytes, in order, with a header that says which part."""
    parts = max(1, -(-len(batch.data) // PART_BYTES))
    for part in range(parts):
        content = {"base": batch.base, "last": batch.last, "reason": batch.reason, "part": part + 1, "parts": parts}
        value = batch.data[part * PART_BYTES : (part + 1) * PART_BYTES]
        yield value, [(UNREADABLE, json.dumps(content, separators=(",", ":")).encode())]


class Part(NamedTuple):
    """A part of a batch that could not be read: its number, from 1 on, and the records that the batch has room for."""

    number: int
    records: int


def unreadable_part(record: HasHeaders) -> Part | None:
    """Return which part of a batch a dead letter keeps; ``None`` if it keeps a record."""
    value = header(record, UNREADABLE)
    if value is None:
        return None
    try:
        about = json.loads(value)
        return Part(int(about["part"]), int(about["last"]) - int(about["base"]) + 1)
    except (ValueError, KeyError, TypeError):
        return None


def _attempts(record: HasHeaders) -> int:
    """Return how often a record has been dead-lettered before."""
    value = header(record, ATTEMPTS)
    return int(value[:6]) if value and value.isdigit() else 0


def _kept(headers: Sequence[Header]) -> list[Header]:
    """Return the headers that a record keeps: its producer's all, those of redrive tools once each, and none of _REPLACED."""
    kept = [one for one in headers if one[0] not in _REPLACED]
    if not any(name.startswith(_SINGLE) for name, _ in kept):
        return kept
    last = {name: index for index, (name, _) in enumerate(kept) if name.startswith(_SINGLE)}
    return [one for index, one in enumerate(kept) if last.get(one[0], index) == index]
