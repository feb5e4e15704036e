"""Patch aiokafka's fetcher: the records of a fetch come as one list per partition, without Python calls per record.

A batch that cannot be read stops its partition, or is handed on as an ``UnreadableBatch``; it raises nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher

from stream_app.kafka.batches.log import MAX_BATCH_BYTES, Records
from stream_app.kafka.batches.unreadable import Stopped, UnreadableBatch


class _RecordList(list[Any]):
    """The records of one log batch, where aiokafka expects one record.

    What aiokafka does with each record costs more than parsing it.
    """

    @property
    def offset(self) -> int:
        """The last record's offset: aiokafka reads on after it."""
        return int(self[-1].offset)


class _ListingBatch:
    """A log batch that yields one item: the list of its records."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)  # aiokafka reads the marker of a control batch so

    def __iter__(self) -> Iterator[_RecordList]:
        records = _RecordList(self._batch)
        if records:
            yield records


class _ListingBatches:
    """The log batches of one fetch of one partition."""

    def __init__(self, records: Any) -> None:
        self.has_next, self._next = records.has_next, records.next_batch

    def next_batch(self) -> _ListingBatch:
        """Return the next batch."""
        return _ListingBatch(self._next())


class PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of one fetch of one partition, as aiokafka's parser makes them: offset, timestamp, key, value, headers."""

    #: Where stopped partitions are noted.
    stopped = Stopped()

    def __init__(self, tp: Any, records: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(tp, _ListingBatches(records), *args, **kwargs)
        #: The offset after the records that were taken.
        self.next_fetch_offset: int
        #: The batch that cannot be read, once all records before it have been taken.
        self.stuck: UnreadableBatch | None = None
        self._batches = records
        self._unreadable: UnreadableBatch | None = None
        self._rest: list[Any] = []
        self._end: int | None = None

    def _consumer_record(self, tp: Any, records: _RecordList) -> list[Any]:
        begin = self.next_fetch_offset
        return records if records[0].offset >= begin else [record for record in records if record.offset >= begin]

    @property
    def drained(self) -> bool:
        """True if all records have been taken."""
        return self._end is not None and not self._rest

    def take(self, limit: int | None) -> list[Any]:
        """Return the next records, at most ``limit``, and move ``next_fetch_offset`` behind them."""
        taken, self._rest = self._rest, []
        while self._end is None and self._unreadable is None and (limit is None or len(taken) < limit):
            try:
                records = next(self, None)
            except Exception as error:  # noqa: BLE001 - whatever a parser or a codec raises, its batch cannot be read
                batch = self._batches.failed(self._tp.topic, self._tp.partition, self.next_fetch_offset, error)
                if batch.last is None or batch.last >= self.next_fetch_offset:
                    self._unreadable = batch
                    break
                # It ends before the offset that was asked for: a broker that cannot read it either begins with it again.
                self._records_iterator = self._unpack_records()
                continue
            if records is None:
                self._end = self.next_fetch_offset
            else:
                taken = [*taken, *records] if taken else list(records)
        if self._unreadable is not None and not taken:
            return self._pass_over(self._unreadable)
        if limit is not None and len(taken) > limit:
            taken, self._rest = taken[:limit], taken[limit:]
        if self._rest:
            self.next_fetch_offset = taken[-1].offset + 1
        elif self._end is not None:
            self.next_fetch_offset = self._end
        elif taken:
            self.next_fetch_offset = taken[-1].offset + 1
        return taken

    def _pass_over(self, batch: UnreadableBatch) -> list[Any]:
        """Hand the batch on where it is to be skipped; else the partition is stuck."""
        if batch.last is None or not self.stopped.skips(batch):
            self.stuck = batch
            return []
        # What came after it is fetched again, with the aborted transactions as of there: its marker may have been in here.
        self._unreadable, self._end = None, batch.last + 1
        self.next_fetch_offset = self._end
        self.stopped.skip(batch)
        return [batch]


class FetchResult(fetcher.FetchResult):  # type: ignore[misc]
    """The result of one fetch of one partition, which hands out lists of records."""

    _partition_records: Any
    _retry_at: float | None = None

    def getall(self, max_records: int | None = None) -> list[Any]:
        """Return the next records in order, at most ``max_records``."""
        if not self.check_assignment(self._topic_partition) or not self.has_more():
            return []
        records: PartitionRecords = self._partition_records
        if self._retry_at is not None:
            if time.monotonic() >= self._retry_at:
                self._partition_records = None
            return []
        taken = records.take(max_records)
        self._update_position()
        stopped = records.stopped
        if records.stuck is not None:
            self._retry_at = time.monotonic() + stopped.stop(records.stuck)
        elif stopped and taken:
            stopped.resume(self._topic_partition.topic, self._topic_partition.partition, taken[-1].offset)
        if records.drained:
            self._partition_records = None
        return taken

    def getone(self) -> Any:
        """Return the next record; ``None`` if there is none."""
        return next(iter(self.getall(1)), None)


def install(stopped: Stopped | None = None, limit: int = MAX_BATCH_BYTES) -> None:
    """Make every aiokafka consumer of this process fetch lists of records.

    Args:
        stopped: where partitions are noted that stop at a batch that cannot be read.
        limit: the most bytes that a batch is decompressed to.
    """
    PartitionRecords.stopped = Stopped() if stopped is None else stopped
    Records.limit = limit
    fetcher.PartitionRecords, fetcher.FetchResult, fetcher.MemoryRecords = PartitionRecords, FetchResult, Records
