"""Collect the records of one batch by topic and partition, cut those that are too large, and send them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from aiokafka import AIOKafkaProducer

from stream_app.kafka.headers import Header
from stream_app.names import NULL_VALUE, TRUNCATED, TRUNCATED_HEADERS, TRUNCATED_KEY

#: A record to send: key, value, timestamp (ms), headers.
Row = tuple[bytes | None, bytes | None, int, list[Header]]
#: Kafka's default limit is 1,048,588 bytes including overhead. A larger record is cut before it is sent, because a refusal
#: leaves a gap in an idempotent producer's sequence.
_LIMIT = 1_035_000
#: Bytes that a key or value keeps when it is cut, and that headers keep.
KEPT_OF_OVERSIZED = 100_000
_KEPT_OF_HEADERS = 30_000


class Outbox:
    """Records to send, in one batch builder per topic and partition; a large record is sent by itself."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._open: dict[tuple[str, int], Any] = {}
        self._full: list[tuple[str, int, Any]] = []
        self._large: list[tuple[str, int, Row]] = []

    def add(self, topic: str, partition: int, row: Row, *, foreign: bool = False) -> None:
        """Add a record. ``foreign``: it has headers of its producer, which may be of any size."""
        key, value, timestamp, headers = row
        if value is None and key is None:
            value, headers = b"", [*headers, (NULL_VALUE, b"value")]  # aiokafka refuses a record without key and value
        size = (len(key) if key else 0) + (len(value) if value else 0) + (_size(headers) if foreign else 0)
        if size > KEPT_OF_OVERSIZED:
            if size > _LIMIT:
                key, value, headers = _cut(key, value, headers)
            self._large.append((topic, partition, (key, value, timestamp, headers)))
            return
        self._append(topic, partition, iter([(key, value, timestamp, headers)]))

    def add_all(self, topic: str, partition: int, rows: Iterable[Row], longest: int) -> None:
        """Add records in order; each has a value, and no header of its producer. They may be made as they are taken.

        ``longest``: no key and value together have more bytes.
        """
        if longest <= KEPT_OF_OVERSIZED:
            self._append(topic, partition, iter(rows))
        else:
            for row in rows:
                self.add(topic, partition, row)

    def _append(self, topic: str, partition: int, rows: Iterator[Row]) -> None:
        target = (topic, partition)
        builder = self._open.get(target)
        if builder is None:
            builder = self._open[target] = self._producer.create_batch()
        while (left := builder.extend(rows)) is not None:
            self._full.append((topic, partition, builder))
            builder = self._open[target] = self._producer.create_batch()
            rows = chain((left,), rows)

    async def send(self) -> None:
        """Send everything and wait until the broker has acknowledged it.

        Raises:
            KafkaError: of the first record or batch that failed; the outcome of the others is unknown.
        """
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
                future.add_done_callback(_retrieve)  # the first failure is raised; asyncio must not log the others
        for topic, partition, (key, value, timestamp, headers) in self._large:
            await self._producer.send_and_wait(
                topic, value, key=key, partition=partition, timestamp_ms=timestamp, headers=headers
            )
        self._large = []


def _retrieve(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


def _size(headers: list[Header]) -> int:
    return sum(len(name) + len(value or b"") + 10 for name, value in headers)


def _cut(key: bytes | None, value: bytes | None, headers: list[Header]) -> tuple[bytes | None, bytes | None, list[Header]]:
    """Cut a record to the limit: foreign headers first (Headrace's are the last ones), then the value, then the key."""
    added: list[Header] = []
    first, room = len(headers), _KEPT_OF_HEADERS
    while first and (room := room - _size([headers[first - 1]])) >= 0:
        first -= 1
    if first:
        added.append((TRUNCATED_HEADERS, b"%d" % first))
        headers = headers[first:]
    for name, part in ((TRUNCATED, value), (TRUNCATED_KEY, key)):
        length = len(part or b"")
        if length > KEPT_OF_OVERSIZED and len(key or b"") + len(value or b"") + _size(headers) > _LIMIT:
            added.append((name, b"%d" % length))
            if name == TRUNCATED:
                value = (value or b"")[:KEPT_OF_OVERSIZED]
            else:
                key = (key or b"")[:KEPT_OF_OVERSIZED]
    return key, value, [*headers, *added]
