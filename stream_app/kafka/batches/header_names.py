"""Header names that are no UTF-8: the protocol says they are, no broker checks it, and aiokafka's parser stops at them.

Such a name is read with the bytes in question as surrogates (PEP 383), and written as the bytes it came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import aiokafka.consumer.fetcher as fetcher
import aiokafka.producer.message_accumulator as accumulator
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy, _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

#: Bytes before a batch's length, which counts what follows it.
_HEAD = 12


class _Bytes(bytes):
    """Bytes whose parts become text whatever they are."""

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        return _Bytes(part) if isinstance(key, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode("utf-8", "surrogateescape")


class _SlowBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """The parser in Python, which takes what the compiled one does not."""

    _buffer: Any

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        if not isinstance(self._buffer, _Bytes):
            self._buffer = _Bytes(self._buffer)


class _Batch:
    """A batch as aiokafka parses it; one with a strange name as the parser in Python does."""

    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch, self._data = batch, data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except UnicodeDecodeError:
            return iter(list(_SlowBatch(_Bytes(self._data))))


class Records:
    """What a fetch brought of one partition, batch by batch."""

    def __init__(self, data: bytes) -> None:
        self._records = MemoryRecords(data)
        self._data = memoryview(data)
        self._position = 0

    def size_in_bytes(self) -> int:
        """The size of it all."""
        return int(self._records.size_in_bytes())

    def has_next(self) -> bool:
        """Whether there is another whole batch."""
        return bool(self._records.has_next())

    def next_batch(self) -> _Batch:
        """The next batch."""
        begin = self._position
        self._position += _HEAD + int.from_bytes(self._data[begin + 8 : begin + _HEAD], "big")
        return _Batch(self._records.next_batch(), self._data[begin : self._position])


class _Name(str):
    """A header name that is written as the bytes it came from."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return super().encode("utf-8", "surrogateescape")


class BatchBuilder(accumulator.BatchBuilder):  # type: ignore[misc]
    """A batch to send; a strange name begins another one, which is written by the builder in Python."""

    def __init__(self, batch_size: int, compression_type: int, *, is_transactional: int = 0, **serializers: Any) -> None:
        super().__init__(batch_size, compression_type, is_transactional=is_transactional, **serializers)
        self._arguments = compression_type, is_transactional, -1, -1, 0, batch_size
        self._strange = False
        self._relative_offset = 0

    def append(self, *, timestamp: int | None, key: bytes | None, value: bytes | None, headers: Any = ()) -> Any:
        """Add a record; ``None`` when the batch is full, or has to end before this record."""
        if not self._strange:
            try:
                return super().append(timestamp=timestamp, key=key, value=value, headers=headers)
            except UnicodeEncodeError:
                if self._relative_offset:
                    self.close()
                    return None
                self._builder = _DefaultRecordBatchBuilderPy(2, *self._arguments)
                self._strange = True
        headers = [(_Name(name), content) for name, content in headers]
        return super().append(timestamp=timestamp, key=key, value=value, headers=headers)

    def extend(self, rows: Sequence[tuple[Any, Any, int, list[Any]]], begin: int) -> int:
        """Add (key, value, timestamp, headers) from ``begin`` on; returns where the batch is full, or has to end.

        What ``append`` does, without three calls a record.
        """
        if self._strange or self._closed:
            return self._extend_slowly(rows, begin)
        append, place, offset = self._builder.append, begin, self._relative_offset
        try:
            for key, value, timestamp, headers in islice(rows, begin, None):
                if append(offset, timestamp, key, value, headers) is None:
                    self._relative_offset = offset
                    self.close()
                    return place
                offset += 1
                place += 1
        except UnicodeEncodeError:
            self._relative_offset = offset
            return self._extend_slowly(rows, place)
        self._relative_offset = offset
        return place

    def _extend_slowly(self, rows: Sequence[tuple[Any, Any, int, list[Any]]], begin: int) -> int:
        for place, (key, value, timestamp, headers) in enumerate(islice(rows, begin, None), begin):
            if self.append(timestamp=timestamp, key=key, value=value, headers=headers) is None:
                return place
        return len(rows)

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._builder.set_producer_state(producer_id, producer_epoch, base_sequence)


def install() -> None:
    """Make aiokafka read and write records whatever their header names are."""
    fetcher.MemoryRecords = Records
    accumulator.BatchBuilder = BatchBuilder
