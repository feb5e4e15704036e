"""Collect the records of one batch by topic and partition, send them, and keep what a topic refuses.

Nearly always every topic takes every record. A log batch that is refused is sent again in halves until the record that the
topic does not take is alone; that one is sent in another form (``refusals.Form``). A topic that has refused a record gets
only what it takes from then on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, NotLeaderForPartitionError, UnknownTopicOrPartitionError

from stream_app.errors import RecordRefused
from stream_app.failures import Kind, classify, name_of
from stream_app.kafka.headers import header_in
from stream_app.kafka.refusals import (
    KEPT_OF_OVERSIZED,
    LIMIT,
    Form,
    Limits,
    Row,
    TopicLimits,
    cut,
    headers_size,
    is_refusal,
    may_be_refusal,
    size_of,
)
from stream_app.kafka.rows import CleanRows
from stream_app.names import NULL_VALUE, SOURCE

__all__ = ["KEPT_OF_OVERSIZED", "NO_OFFSET", "Outbox", "Receipt", "Refused", "Row", "Sent", "Target"]

#: A partition of a topic.
Target = tuple[str, int]
#: Some rows: (rows, index of the first, index after the last).
_Part = tuple[Sequence[Row], int, int]
#: The offset of a record that was acknowledged without one, or that its topic did not take.
NO_OFFSET = -1
#: Bytes of the records in a log batch for a topic that has refused some.
_BATCH_BYTES = 250 * 1024


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
class Refused:
    """A record that its topic takes in no form; ``reason`` says why."""

    topic: str
    partition: int
    row: Row
    reason: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The acknowledgements of one ``Outbox.send``.

    Attributes:
        sent: for each partition of a topic, in the order in which its records were added.
        refused: records that were not delivered, because their topic takes them in no form.
    """

    sent: tuple[Sent, ...] = ()
    refused: tuple[Refused, ...] = ()

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

    def and_then(self, later: Receipt) -> Receipt:
        """Return this receipt with that of what was sent instead of its refused records."""
        return Receipt((*self.sent, *later.sent), later.refused)


class Outbox:
    """Records to send, as log batches of each topic and partition; a large record is a log batch of its own.

    Args:
        limits: what topics take; without it, it is found out anew for each batch.
        may_cut: topics whose records may be cut if they are too large: dead-letter topics.
    """

    def __init__(self, producer: AIOKafkaProducer, limits: Limits | None = None, may_cut: frozenset[str] = frozenset()) -> None:
        self._producer, self._limits, self._may_cut = producer, limits, may_cut
        #: Target → its log batches in the order of adding, the last one is open; and which rows each has.
        self._batches: dict[Target, list[tuple[Any, list[_Part]]]] = {}
        #: Target with known limits → its records.
        self._limited: dict[Target, list[Row]] = {}
        self._refused: list[Refused] = []

    def add(self, topic: str, partition: int, row: Row, *, foreign: bool = False) -> None:
        """Add a record. ``foreign``: it has headers of its producer, which may be of any size."""
        key, value, timestamp, headers = row
        if value is None and key is None:
            value, headers = b"", [*headers, (NULL_VALUE, b"value")]  # aiokafka refuses a record without key and value
        size = (len(key) if key else 0) + (len(value) if value else 0) + (headers_size(headers) if foreign else 0)
        row = key, value, timestamp, headers
        if size > LIMIT:
            row = cut(row) or row
        self._append((topic, partition), [row], alone=size > KEPT_OF_OVERSIZED)

    def add_all(self, topic: str, partition: int, rows: Sequence[Row]) -> None:
        """Add records in order; none has a header of its producer."""
        longest = rows.longest if isinstance(rows, CleanRows) else max(map(_length, rows), default=0)
        if longest <= KEPT_OF_OVERSIZED:
            self._append((topic, partition), rows)
        else:
            for row in rows:
                self.add(topic, partition, row)

    def _append(self, target: Target, rows: Sequence[Row], *, alone: bool = False) -> None:
        if not rows:
            return
        if self._limits is not None and self._limits.known(target[0]) is not None:
            self._limited.setdefault(target, []).extend(rows)
            return
        batches = self._batches.get(target)
        if batches is None:
            batches = self._batches[target] = [(self._producer.create_batch(), [])]
        elif alone:
            batches.append((self._producer.create_batch(), []))
        left, done = iter(rows), 0
        while True:
            batch, parts = batches[-1]
            before = batch.record_count()
            row = batch.extend(left)
            begin, done = done, done + batch.record_count() - before
            parts.append((rows, begin, done))
            if row is None:
                break
            left = chain((row,), left)
            batches.append((self._producer.create_batch(), []))
        if alone:
            batch.close()

    async def send(self) -> Receipt:
        """Send everything and wait until the broker has acknowledged it.

        Raises:
            RecordRefused: a topic whose records may be cut takes a record in no form.
            KafkaError: of the first record or batch that failed; the outcome of the others is unknown.
        """
        batches, self._batches = self._batches, {}
        limited, self._limited = self._limited, {}
        self._refused = []
        # One log batch of a partition after the other: what is refused stops what comes after it, so that order survives.
        sent = await _all(
            [
                *(self._send(target, queue) for target, queue in batches.items()),
                *(self._send_fitted(target, [Form(row) for row in rows]) for target, rows in limited.items()),
            ]
        )
        return Receipt(tuple(one for part in sent for one in part), tuple(self._refused))

    async def _send(self, target: Target, batches: list[tuple[Any, list[_Part]]]) -> list[Sent]:
        sent: list[Sent] = []
        for batch, parts in batches:
            if batch.record_count():
                try:
                    sent.append(await self._send_batch(target, batch))
                except KafkaError as error:
                    forms = [Form(row) for rows, begin, end in parts for row in rows[begin:end]]
                    sent += await self._again(target, forms, error)
        return sent

    async def _send_batch(self, target: Target, batch: Any) -> Sent:
        topic, partition = target
        count = batch.record_count()
        batch.close()
        acknowledged = await self._producer.send_batch(batch, topic, partition=partition)
        try:
            metadata = await acknowledged
        except KafkaError as error:
            if may_be_refusal(error) or classify(error).kind is not Kind.PASSING:
                self._take_back(target, count)
            if isinstance(error, NotLeaderForPartitionError) and not self._producer.client.cluster.partitions_for_topic(topic):
                raise UnknownTopicOrPartitionError(topic) from None  # aiokafka looks for the leader of a topic that is gone
            raise
        offset = getattr(metadata, "offset", None)
        return Sent(topic, partition, offset if offset is not None and offset >= 0 else NO_OFFSET, count)

    def _take_back(self, target: Target, count: int) -> None:
        """Take the numbers of refused records back: the broker expects them of the next ones (as Kafka's Java client does)."""
        manager = self._producer._txn_manager  # noqa: SLF001 - aiokafka leaves a gap, after which a broker refuses everything
        if manager is not None:
            manager.increment_sequence_number(TopicPartition(*target), -count)

    # --- what a topic refuses ---------------------------------------------------------------------------------------

    async def _again(self, target: Target, forms: list[Form], error: KafkaError) -> list[Sent]:
        """Send the records of a refused log batch in forms that the topic takes."""
        if is_refusal(error):
            if self._limits is not None and await self._limits.learn(target[0]) is not None:
                return await self._send_fitted(target, forms)
            return await self._halves(target, forms, error)
        if may_be_refusal(error) and len(forms) > 1:
            before = len(self._refused)
            sent = await self._halves(target, forms, error)
            if all(one.base_offset == NO_OFFSET for one in sent):
                # Not one record of them is taken: it is the broker.
                del self._refused[before:]
                raise error
            return sent
        raise error

    async def _send_fitted(self, target: Target, forms: list[Form]) -> list[Sent]:
        """Send records to a topic whose limits are known, each in the form that it takes."""
        limits = (self._limits.known(target[0]) if self._limits is not None else None) or TopicLimits()
        now, may_cut = int(time.time() * 1000), target[0] in self._may_cut
        room = min(limits.room or _BATCH_BYTES, _BATCH_BYTES)
        sent: list[Sent] = []
        together: list[Form] = []
        size = 0
        for form in forms:
            fitted = form.fitted(limits, now, may_cut=may_cut)
            made = None if fitted is None else fitted.made()
            if fitted is None or made is None:
                sent += await self._send_forms(target, together)
                sent.append(self._refuse(target, form, _reason(limits, form)))
                together, size = [], 0
                continue
            if together and size + size_of(made) > room:
                sent += await self._send_forms(target, together)
                together, size = [], 0
            together.append(fitted)
            size += size_of(made)
        return sent + await self._send_forms(target, together)

    async def _send_forms(self, target: Target, forms: list[Form], *, half: bool = False) -> list[Sent]:
        """Send records as one log batch; in halves if that is refused. ``half``: another log batch with them was refused."""
        if not forms:
            return []
        batch = self._producer.create_batch()
        batch.extend(iter([form.made() for form in forms]))
        done = batch.record_count()
        try:
            sent = [await self._send_batch(target, batch)]
        except KafkaError as error:
            if not (is_refusal(error) or (may_be_refusal(error) and (half or done > 1))):
                raise
            sent = await self._halves(target, forms[:done], error)
        return sent + await self._send_forms(target, forms[done:], half=half)

    async def _halves(self, target: Target, forms: list[Form], error: KafkaError) -> list[Sent]:
        if len(forms) == 1:
            return [await self._alone(target, forms[0], error)]
        middle = len(forms) // 2
        sent = await self._send_forms(target, forms[:middle], half=True)
        return sent + await self._send_forms(target, forms[middle:], half=True)

    async def _alone(self, target: Target, form: Form, error: KafkaError) -> Sent:
        """Send one record in one form after the other until the topic takes it."""
        now, may_cut = int(time.time() * 1000), target[0] in self._may_cut
        tried = form.after(error, now, may_cut=may_cut)
        while tried is not None and (row := tried.made()) is not None:
            batch = self._producer.create_batch()
            batch.append(key=row[0], value=row[1], timestamp=row[2], headers=row[3])
            try:
                return await self._send_batch(target, batch)
            except KafkaError as refused:
                if not (is_refusal(refused) or may_be_refusal(refused)):
                    raise
                error, tried = refused, tried.after(refused, now, may_cut=may_cut)
        return self._refuse(target, form, f"{name_of(error)}: {classify(error).meaning}")

    def _refuse(self, target: Target, form: Form, reason: str) -> Sent:
        topic, partition = target
        if topic in self._may_cut:
            source = (header_in(form.row[3], SOURCE) or b"").decode("utf-8", "replace")
            raise RecordRefused(
                f"topic {topic} takes the record {source} in no form ({reason}); raise the topic's max.message.bytes, "
                "or see the broker's log"
            )
        self._refused.append(Refused(topic, partition, form.row, reason))
        return Sent(topic, partition, NO_OFFSET, 1)


def _length(row: Row) -> int:
    """Return the bytes of key and value."""
    return len(row[0] or b"") + len(row[1] or b"")


def _reason(limits: TopicLimits, form: Form) -> str:
    return f"{size_of(form.row)} bytes are more than the topic's max.message.bytes={limits.max_bytes}"


async def _all(actions: list[Coroutine[Any, Any, list[Sent]]]) -> list[list[Sent]]:
    """Run actions side by side until all have ended; return their results, or raise the first error."""
    ended = await asyncio.gather(*actions, return_exceptions=True)
    for one in ended:
        if isinstance(one, BaseException):
            raise one
    return [one for one in ended if not isinstance(one, BaseException)]
