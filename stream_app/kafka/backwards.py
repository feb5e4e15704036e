"""Read a topic from its end backwards, some records at a time, for those that a caller wants."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kafka import TopicPartition

from stream_app.kafka.headers import header
from stream_app.kafka.reading import UnreadableRecordsError
from stream_app.kafka.search import FETCH_SECONDS, FoundRecord, reading, records_from
from stream_app.settings import Settings

#: Limits of one read, and the records of a partition that are fetched together.
MOST_RECORDS = 20_000
MOST_SECONDS = 6.0
BLOCK = 1_000


@dataclass(frozen=True, slots=True)
class Backwards:
    """Records of one read.

    Attributes:
        rows: the wanted records, by partition and from new to old within each.
        positions: partition → the offset before which nothing was read; 0 if its beginning was reached.
        read: records that were looked at.
        unreadable: some records were left out, because they cannot be read or did not come in time.
    """

    rows: tuple[FoundRecord, ...] = ()
    positions: Mapping[int, int] = field(default_factory=dict)
    read: int = 0
    unreadable: bool = False

    @property
    def complete(self) -> bool:
        """True if the beginning of each partition was reached."""
        return not any(self.positions.values())


def read_back(
    settings: Settings,
    topic: str,
    reasons: str,
    wanted: Callable[[bytes | None], bool],
    positions: Mapping[int, int] | None = None,
) -> Backwards:
    """Read back from ``positions``, at first from the end of each partition.

    Args:
        reasons: the header that tells whether a record is ``wanted``.

    Raises:
        DeliveryError: no broker answers, or reading fails.
    """
    rows: list[FoundRecord] = []
    read, unreadable = 0, False
    deadline = time.monotonic() + MOST_SECONDS
    with reading(settings, committed=True) as consumer:
        numbers = sorted(consumer.partitions_for_topic(topic) or ())
        partitions = [TopicPartition(topic, number) for number in numbers]
        first, end = (consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)) if partitions else ({}, {})
        at = {one: int(end[one] if positions is None else positions.get(one.partition, end[one])) for one in partitions}
        while read < MOST_RECORDS and time.monotonic() < deadline:
            behind = [one for one in partitions if at[one] > first[one]]
            if not behind:
                break
            # The partition with most records left: all of them reach back about as far.
            partition = max(behind, key=lambda one: at[one] - first[one])
            begin = max(int(first[partition]), at[partition] - BLOCK)
            try:
                block, whole = _block(consumer, partition, begin, at[partition])
            except UnreadableRecordsError:
                block, whole = [], False
            unreadable = unreadable or not whole
            rows += [_found(row, reasons) for row in reversed(block) if wanted(header(row, reasons))]
            read += len(block)
            at[partition] = begin
    return Backwards(
        tuple(rows), {one.partition: at[one] if at[one] > first[one] else 0 for one in partitions}, read, unreadable
    )


def _block(consumer: Any, partition: Any, begin: int, end: int) -> tuple[list[Any], bool]:
    """Return the records from ``begin`` up to ``end``, and True if these are all: the broker may not send them in time."""
    rows: list[Any] = []
    at = begin
    deadline = time.monotonic() + FETCH_SECONDS
    while at < end:
        some = records_from(consumer, partition, at, BLOCK)
        if not some:
            # Offsets of transactions' markers and of compacted records have no record.
            return rows, consumer.position(partition) >= end
        rows += [row for row in some if row.offset < end]
        at = some[-1].offset + 1
        if time.monotonic() > deadline:
            break
    return rows, at >= end


def _found(row: Any, reasons: str) -> FoundRecord:
    return FoundRecord(
        "dead letter", row.topic, row.partition, row.offset, row.timestamp, row.value, tuple(row.headers), header(row, reasons)
    )
