"""Collect the records of one batch by topic and partition, cut those that are too large, and send them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer

from stream_app.kafka.headers import Header
from stream_app.names import NULL_VALUE, TRUNCATED, TRUNCATED_HEADERS, TRUNCATED_KEY

#: A record to send: key, value, timestamp (ms), headers.
Row = tuple[bytes | None, bytes | None, int, list[Header]]
#: A partition of a topic.
Target = tuple[str, int]
#: Kafka's default limit is 1,048,588 bytes including overhead. A larger record is cut before it is sent, because a refusal
#: leaves a gap in an idempotent producer's sequence.
_LIMIT = 1_035_000
#: Bytes that a key or value keeps when it is cut, and that headers keep.
KEPT_OF_OVERSIZED = 100_000
_KEPT_OF_HEADERS = 30_000
#: The offset of a record that was acknowledged without one, or that its topic did not take.
NO_OFFSET = -1


@dataclass(frozen=True, slots=True)
class Sent:
    """Consecutive records of one partition that the broker acknowledged.

    Attributes:
        base_offset: offset of the first, ``NO_OFFSET`` if the broker did not say; the next ones follow it without a gap.
        count: number of records.
    """

    topic: str
    partition: int
    base_offset: int
    count: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """The acknowledgements of one ``Outbox.send``.

    Attributes:
        sent: for each partition of a topic, in the order in which its records were added.
    """

    sent: tuple[Sent, ...] = ()

    def ends(self) -> dict[Target, int]:
        """Return the offset after the last record of each partition; without a partition whose offsets are unknown."""
        return {(one.topic, one.partition): one.base_offset + one.count for one in self.sent if one.base_offset != NO_OFFSET}

    def offsets(self, topic: str, partition: int) -> list[int]:
        """Return the offset of each record that was added to a partition, in the order of adding.

        ``NO_OFFSET``: the broker did not say, or the topic did not take the record.
        """
        offsets: list[int] = []
        for one in self.sent:
            if (one.topic, one.partition) == (topic, partition):
                known = one.base_offset != NO_OFFSET
                begin = one.base_offset
                offsets += range(begin, begin + one.count) if known else [NO_OFFSET] * one.count
        return offsets


class Outbox:
    """Records to send, as log batches of each topic and partition; a large record is a log batch of its own."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        #: Target → its log batches in the order of adding; the last one is open.
        self._batches: dict[Target, list[Any]] = {}

    def add(self, topic: str, partition: int, row: Row, *, foreign: bool = False) -> None:
        """Add a record. ``foreign``: it has headers of its producer, which may be of any size."""
        key, value, timestamp, headers = row
        if value is None and key is None:
            value, headers = b"", [*headers, (NULL_VALUE, b"value")]  # aiokafka refuses a record without key and value
        size = (len(key) if key else 0) + (len(value) if value else 0) + (_size(headers) if foreign else 0)
        large = size > KEPT_OF_OVERSIZED
        if size > _LIMIT:
            key, value, headers = _cut(key, value, headers)
        self._append((topic, partition), [(key, value, timestamp, headers)], alone=large)

    def add_all(self, topic: str, partition: int, rows: list[Row]) -> None:
        """Add records in order; each has a value, and no header of its producer."""
        if max([len(value or b"") + len(key or b"") for key, value, _, _ in rows], default=0) <= KEPT_OF_OVERSIZED:
            self._append((topic, partition), rows)
        else:
            for row in rows:
                self.add(topic, partition, row)

    def _append(self, target: Target, rows: list[Row], *, alone: bool = False) -> None:
        if not rows:
            return
        batches = self._batches.get(target)
        if batches is None:
            batches = self._batches[target] = [self._producer.create_batch()]
        elif alone:
            batches.append(self._producer.create_batch())
        done = 0
        while (done := batches[-1].extend(rows, done)) < len(rows):
            batches.append(self._producer.create_batch())
        if alone:
            batches[-1].close()

    async def send(self) -> Receipt:
        """Send everything and wait until the broker has acknowledged it.

        Raises:
            KafkaError: of the first record or batch that failed; the outcome of the others is unknown.
        """
        batches, self._batches = self._batches, {}
        # One log batch of a partition after the other: what is refused stops what comes after it, so that order survives.
        sent = await _all([self._send(target, queue) for target, queue in batches.items()])
        return Receipt(tuple(one for part in sent for one in part))

    async def _send(self, target: Target, batches: list[Any]) -> list[Sent]:
        topic, partition = target
        sent: list[Sent] = []
        for batch in batches:
            count = batch.record_count()
            if not count:
                continue
            batch.close()
            metadata = await (await self._producer.send_batch(batch, topic, partition=partition))
            offset = getattr(metadata, "offset", NO_OFFSET)
            sent.append(Sent(topic, partition, offset if offset is not None and offset >= 0 else NO_OFFSET, count))
        return sent


async def _all(actions: list[Coroutine[Any, Any, list[Sent]]]) -> list[list[Sent]]:
    """Run actions side by side until all have ended; return their results, or raise the first error."""
    ended = await asyncio.gather(*actions, return_exceptions=True)
    for one in ended:
        if isinstance(one, BaseException):
            raise one
    return [one for one in ended if not isinstance(one, BaseException)]


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
