"""Read and write the headers of records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from stream_app.names import (
    AS_OF,
    ATTEMPTS,
    CONTRACT,
    FINDINGS,
    NULL_KEY,
    REPAIRS,
    SOURCE,
    TIMESTAMP,
    TOPIC_ID,
    WARNINGS,
)  # fmt: skip

Header = tuple[str, bytes | None]
#: Headers of a raw record that its dead letter does not keep, because the worker writes its own.
_REPLACED = frozenset({SOURCE, CONTRACT, FINDINGS, WARNINGS, REPAIRS, ATTEMPTS, TOPIC_ID, TIMESTAMP, NULL_KEY})


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


def read_as_of(records: Sequence[Record]) -> tuple[list[int], list[bool]]:
    """Return the as-of moment of each record, in ms, and true for each that its producer dated with a header.

    A record without a valid header is judged as of its Kafka timestamp.
    """
    # Mostly every record of a batch has this header alone, with the same moment.
    every = [record.headers for record in records]
    if every and len(first := every[0]) == 1 and every.count(first) == len(every):
        moment = _moment(*first[0])
        if moment is not None:
            return [moment] * len(every), [True] * len(every)
    # Else each distinct header is parsed once.
    pairs = [headers[0] if len(headers) == 1 else None for headers in every]
    distinct = set(pairs)
    known = {pair: moment for pair in distinct if pair is not None and (moment := _moment(*pair)) is not None}
    if len(known) == len(distinct):
        return list(map(known.__getitem__, pairs)), [True] * len(pairs)  # type: ignore[arg-type]  # None is not in it
    found = [
        known.get(pair) if pair is not None else _first_moment(headers) if (headers := record.headers) else None
        for pair, record in zip(pairs, records, strict=True)
    ]
    moments = [max(0, record.timestamp) if moment is None else moment for moment, record in zip(found, records, strict=True)]
    return moments, [moment is not None for moment in found]


def as_of(record: Record) -> int:
    """Return the as-of moment of one record, in ms: its header, else its Kafka timestamp."""
    moment = _first_moment(record.headers)
    return max(0, record.timestamp) if moment is None else moment


def _first_moment(headers: Sequence[Header]) -> int | None:
    """Return the moment of the first valid as-of header."""
    for name, value in headers:
        moment = _moment(name, value)
        if moment is not None:
            return moment
    return None


def _moment(name: str, value: bytes | None) -> int | None:
    """Return the moment in a header if it is a valid as-of header."""
    return int(value) if name == AS_OF and value and len(value) <= 15 and value.isdigit() else None


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
        ("kafka_dlt-original-timestamp", max(0, record.timestamp).to_bytes(8, "big")),
    ]
