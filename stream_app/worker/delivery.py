"""Delivery: what a batch became goes to its topics, and every acknowledgement is waited for."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from aiokafka import AIOKafkaProducer

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
from stream_app.settings import Settings

Header = tuple[str, bytes]
#: A record on its way out: key, value, timestamp (ms), headers.
Row = tuple[bytes | None, bytes | None, int, list[Header]]
#: Kafka's default limit is 1,048,588 bytes with overhead; a longer record is cut before it is sent, because a refusal
#: leaves a gap in an idempotent producer's sequence.
_LIMIT = 1_035_000
#: Of a key or value that does not fit, this much goes to the dead-letter topic, and of headers this much.
KEPT_OF_OVERSIZED = 100_000
_KEPT_OF_HEADERS = 30_000
#: On a dead-letter record that was cut: how many bytes its value and its key had, and how many headers are left out.
TRUNCATED = "headrace.truncated"
TRUNCATED_KEY = "headrace.truncated.key"
TRUNCATED_HEADERS = "headrace.truncated.headers"
NULL_VALUE = "headrace.null"
OURS = frozenset({SOURCE, CONTRACT, FINDINGS, WARNINGS, REPAIRS, ATTEMPTS, AS_OF, TOPIC_ID})


def kafka_options(settings: Settings) -> dict[str, Any]:
    """Connection options for aiokafka."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka.split(","),
        "security_protocol": settings.kafka_security_protocol,
    }
    if "SSL" in settings.kafka_security_protocol:
        ca = str(settings.kafka_ca_file) if settings.kafka_ca_file else None
        options["ssl_context"] = ssl.create_default_context(cafile=ca)
    if settings.kafka_security_protocol.startswith("SASL") and settings.kafka_password is not None:
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_username
        options["sasl_plain_password"] = settings.kafka_password.get_secret_value()
    return options


class Outbox:
    """Records of one batch on their way out, as one builder per (topic, partition)."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._open: dict[tuple[str, int], Any] = {}
        self._full: list[tuple[str, int, Any]] = []
        self._alone: list[tuple[str, int, Row]] = []

    def add(self, topic: str, partition: int, row: Row, *, foreign: bool = False) -> None:
        """Add a record. ``foreign``: there are headers besides ours, of any size."""
        key, value, timestamp, headers = row
        if value is None and key is None:
            value, headers = b"", [*headers, (NULL_VALUE, b"value")]  # the client cannot send a record of nothing
        size = (len(key) if key else 0) + (len(value) if value else 0) + (_size(headers) if foreign else 0)
        if size > KEPT_OF_OVERSIZED:
            if size > _LIMIT:
                key, value, headers = _cut(key, value, headers)
            self._alone.append((topic, partition, (key, value, timestamp, headers)))
            return
        self._append(topic, partition, [(key, value, timestamp, headers)])

    def add_ours(self, topic: str, partition: int, rows: list[Row]) -> None:
        """Add records of our own making, in order: a value and our headers."""
        if max([len(value or b"") + len(key or b"") for key, value, _, _ in rows], default=0) <= KEPT_OF_OVERSIZED:
            self._append(topic, partition, rows)
        else:
            for row in rows:
                self.add(topic, partition, row)

    def _append(self, topic: str, partition: int, rows: list[Row]) -> None:
        place = (topic, partition)
        builder = self._open.get(place)
        if builder is None:
            builder = self._open[place] = self._producer.create_batch()
        done = 0
        while (done := builder.extend(rows, done)) < len(rows):
            self._full.append((topic, partition, builder))
            builder = self._open[place] = self._producer.create_batch()

    async def send(self) -> None:
        """Send everything and wait until the broker has acknowledged it; raises the client's error otherwise."""
        batches = [*self._full, *((topic, partition, builder) for (topic, partition), builder in self._open.items())]
        self._full, self._open = [], {}
        futures: list[asyncio.Future[Any]] = []
        try:
            for topic, partition, builder in batches:
                builder.close()
                futures.append(await self._producer.send_batch(builder, topic, partition=partition))
            await asyncio.gather(*futures)
        finally:
            for future in futures:
                future.add_done_callback(_seen)  # the first failure is raised; the others say nothing new
        for topic, partition, (key, value, timestamp, headers) in self._alone:
            await self._producer.send_and_wait(
                topic, value, key=key, partition=partition, timestamp_ms=timestamp, headers=headers
            )
        self._alone = []


def _seen(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


def _size(headers: list[Header]) -> int:
    return sum(len(name) + len(value or b"") + 10 for name, value in headers)


def _cut(key: bytes | None, value: bytes | None, headers: list[Header]) -> tuple[bytes | None, bytes | None, list[Header]]:
    """Cut a record to what fits: foreign headers first (ours are the last ones), then value, then key."""
    marks: list[Header] = []
    kept, room = len(headers), _KEPT_OF_HEADERS
    while kept and (room := room - _size([headers[kept - 1]])) >= 0:
        kept -= 1
    if kept:
        marks.append((TRUNCATED_HEADERS, b"%d" % kept))
        headers = headers[kept:]
    for name, part in ((TRUNCATED, value), (TRUNCATED_KEY, key)):
        length = len(part or b"")
        if length > KEPT_OF_OVERSIZED and len(key or b"") + len(value or b"") + _size(headers) > _LIMIT:
            marks.append((name, b"%d" % length))
            if name == TRUNCATED:
                value = (value or b"")[:KEPT_OF_OVERSIZED]
            else:
                key = (key or b"")[:KEPT_OF_OVERSIZED]
    return key, value, [*headers, *marks]


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


def as_of_all(records: list[Any]) -> list[int]:
    """``as_of`` of each record; most have that header alone, and many the same moment."""
    pairs = [headers[0] if len(headers := record.headers) == 1 else None for record in records]
    known = {pair: moment for pair in set(pairs) if pair is not None and (moment := _told(*pair)) is not None}
    if len(known) == 1 and pairs.count(pairs[0]) == len(pairs):
        return list(known.values()) * len(pairs)
    return [known[pair] if pair in known else as_of(record) for pair, record in zip(pairs, records, strict=True)]


def _told(name: str, value: bytes | None) -> int | None:
    """The moment that a header tells, where it is one that does."""
    return int(value) if name == AS_OF and value and len(value) <= 15 and value.isdigit() else None


def as_of(record: Any) -> int:
    """The moment a record is judged as of, in ms: its header, else its Kafka timestamp."""
    if not record.headers:
        return max(0, int(record.timestamp))
    for name, value in record.headers:
        told = _told(name, value)
        if told is not None:
            return told
    return max(0, int(record.timestamp))
