"""Patch aiokafka's fetcher: the records of a fetch come as one list per partition, without Python calls per record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher


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

    def __init__(self, tp: Any, records: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(tp, _ListingBatches(records), *args, **kwargs)
        #: The offset after the records that were taken.
        self.next_fetch_offset: int
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
        while self._end is None and (limit is None or len(taken) < limit):
            records = next(self, None)
            if records is None:
                self._end = self.next_fetch_offset
            else:
                taken = [*taken, *records] if taken else list(records)
        if limit is not None and len(taken) > limit:
            taken, self._rest = taken[:limit], taken[limit:]
        if self._rest:
            self.next_fetch_offset = taken[-1].offset + 1
        elif self._end is not None:
            self.next_fetch_offset = self._end
        elif taken:
            self.next_fetch_offset = taken[-1].offset + 1
        return taken


class FetchResult(fetcher.FetchResult):  # type: ignore[misc]
    """The result of one fetch of one partition, which hands out lists of records."""

    _partition_records: Any

    def getall(self, max_records: int | None = None) -> list[Any]:
        """Return the next records in order, at most ``max_records``."""
        if not self.check_assignment(self._topic_partition) or not self.has_more():
            return []
        records: PartitionRecords = self._partition_records
        taken = records.take(max_records)
        self._update_position()
        if records.drained:
            self._partition_records = None
        return taken

    def getone(self) -> Any:
        """Return the next record; ``None`` if there is none."""
        return next(iter(self.getall(1)), None)


def install() -> None:
    """Make every aiokafka consumer of this process fetch lists of records."""
    fetcher.PartitionRecords, fetcher.FetchResult = PartitionRecords, FetchResult
