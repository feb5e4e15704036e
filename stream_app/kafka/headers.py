"""Reads and writes the headers of records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stream_app.names import (
    AS_OF,
    ATTEMPTS,
    CONTRACT,
    FINDINGS,
    REPAIRS,
    SOURCE,
    TOPIC_ID,
    WARNINGS,
)  # fmt: skip

Header = tuple[str, bytes]
#: On a dead-letter record that was cut: how many bytes its value and its key had, and how many headers are left out.
TRUNCATED = "headrace.truncated"
TRUNCATED_KEY = "headrace.truncated.key"
TRUNCATED_HEADERS = "headrace.truncated.headers"
NULL_VALUE = "headrace.null"
OURS = frozenset({SOURCE, CONTRACT, FINDINGS, WARNINGS, REPAIRS, ATTEMPTS, AS_OF, TOPIC_ID})


def dead_letter_headers(record: Any, source: bytes, contract: bytes, findings: bytes, group: str) -> list[Header]:
    """The original headers, ours, and the conventional names that redrive tools read (Kafka Connect, Spring Kafka).

    ``source`` says where the raw record is: one that waited is read from the pending topic, under another offset.
    """
    attempts = 1
    kept: list[Header] = []
    for name, value in record.headers:
        if name == ATTEMPTS and value and value.isdigit():
            attempts = int(value[:6]) + 1
        elif name not in OURS or name == AS_OF:
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


def header(record: Any, name: str) -> bytes | None:
    """The last value of a header; ``None`` when it is not there."""
    found = None
    for key, value in record.headers:
        if key == name:
            found = value
    return found


def read_as_of(records: Sequence[Any]) -> tuple[list[int], list[bool]]:
    """Return the moment by which each record is judged (ms), and True for each whose producer stated it in its header.

    Most records have that header alone, and many the same moment.
    """
    pairs = [headers[0] if len(headers := record.headers) == 1 else None for record in records]
    known = {pair: moment for pair in set(pairs) if pair is not None and (moment := _stated(*pair)) is not None}
    if len(known) == 1 and pairs.count(pairs[0]) == len(pairs):
        return list(known.values()) * len(pairs), [True] * len(pairs)
    moments, stated = [], []
    for pair, record in zip(pairs, records, strict=True):
        moment = known.get(pair) if pair is not None else _header_moment(record)
        stated.append(moment is not None)
        moments.append(max(0, int(record.timestamp)) if moment is None else moment)
    return moments, stated


def as_of(record: Any) -> int:
    """Return the moment by which a record is judged, in ms: its header, else its Kafka timestamp."""
    moment = _header_moment(record)
    return max(0, int(record.timestamp)) if moment is None else moment


def _header_moment(record: Any) -> int | None:
    return next((moment for name, value in record.headers if (moment := _stated(name, value)) is not None), None)


def _stated(name: str, value: bytes | None) -> int | None:
    """The moment that a header states; None for another header, or one that does not hold a moment."""
    return int(value) if name == AS_OF and value and len(value) <= 15 and value.isdigit() else None
