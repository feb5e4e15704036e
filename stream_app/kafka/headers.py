"""Read and write the headers of records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from stream_app.names import (
    ATTEMPTS,
    CONTRACT,
    FINDINGS,
    LATE,
    NULL_KEY,
    REPAIRS,
    SOURCE,
    TIMESTAMP,
    TOPIC_ID,
    WARNINGS,
)  # fmt: skip

Header = tuple[str, bytes | None]
#: Headers of a raw record that its dead letter does not keep, because the worker writes its own.
_REPLACED = frozenset({SOURCE, CONTRACT, FINDINGS, WARNINGS, REPAIRS, ATTEMPTS, TOPIC_ID, LATE, TIMESTAMP, NULL_KEY})


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
    attempts = 1
    kept: list[Header] = []
    for name, value in record.headers:
        if name == ATTEMPTS and value and value.isdigit():
            attempts = int(value[:6]) + 1
        elif name not in _REPLACED:
            kept.append((name, value))
    topic, partition, offset = source.rsplit(b":", 2)
    return [
        *kept,
        (SOURCE, source),
        (CONTRACT, contract),
        (FINDINGS, findings),
        (ATTEMPTS, b"%d" % attempts),
        ("__connect.errors.topic", topic),
        ("__connect.errors.partition", partition),
        ("__connect.errors.offset", offset),
        ("__connect.errors.stage", b"VALUE_CONVERTER"),
        ("__connect.errors.connector.name", group.encode()),
        ("kafka_dlt-original-topic", topic),
        ("kafka_dlt-original-partition", int(partition).to_bytes(4, "big")),
        ("kafka_dlt-original-offset", int(offset).to_bytes(8, "big")),
        ("kafka_dlt-original-timestamp", record.timestamp.to_bytes(8, "big", signed=True)),
    ]
