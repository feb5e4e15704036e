"""The bytes of one fetch of one partition, as log batches; one is decompressed only when its records are wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch

from stream_app.kafka.batches.codecs import decompress
from stream_app.kafka.batches.header_names import read_leniently
from stream_app.kafka.batches.legacy import SHORTEST, LegacyBatch
from stream_app.kafka.batches.unreadable import UnreadableBatch, UnreadableError

#: The most bytes that a batch is decompressed to, unless ``HEADRACE_MAX_BATCH_BYTES`` says otherwise.
MAX_BATCH_BYTES = 64 * 1024 * 1024
#: Bytes of a log batch before and including its length field, which counts the bytes after it; the magic byte.
_HEAD, _MAGIC = 12, 16
#: Message format 2: attributes, last offset delta, largest timestamp, number of records, and the records.
_ATTRIBUTES, _LAST_DELTA, _TIMESTAMP, _COUNT, _RECORDS = 21, 23, 35, 57, 61
_CODEC = 0x07
#: Bytes that the checksum does not cover are trusted: base offset and length, which the broker writes.
_NEWEST_FORMAT = 2


class _Batch:
    """A batch of message format 2, as aiokafka's parser reads it; if a header name is not UTF-8, as a lenient one does."""

    def __init__(self, data: memoryview, limit: int) -> None:
        self._batch: Any = DefaultRecordBatch(data)
        self._data, self._limit = data, limit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        batch: Any = self._batch
        data: bytes | memoryview = self._data
        codec = data[_ATTRIBUTES + 1] & _CODEC
        if codec:
            data = self._plain(codec)
            batch = DefaultRecordBatch(data)
        try:
            try:
                return iter(list(batch))
            except UnicodeDecodeError:
                return iter(read_leniently(bytes(data)))
        except (CorruptRecordException, ValueError, IndexError, OverflowError, MemoryError):
            raise UnreadableError("its records do not parse") from None

    def _plain(self, codec: int) -> bytes:
        """Return the batch as it would be uncompressed."""
        data = self._data
        records = decompress(codec, bytes(data[_RECORDS:]), self._limit)
        length = (_RECORDS - _HEAD + len(records)).to_bytes(4, "big")
        attributes = bytes([data[_ATTRIBUTES + 1] & ~_CODEC])
        return b"".join(
            (data[:8], length, data[_HEAD : _ATTRIBUTES + 1], attributes, data[_ATTRIBUTES + 2 : _RECORDS], records)
        )


class Records:
    """The bytes of one fetch of one partition, as log batches; replaces aiokafka's ``MemoryRecords``.

    A last batch that is cut off is left out, as aiokafka does; it is fetched again. If it is the only one, it is unreadable.
    """

    #: The most bytes that a batch is decompressed to.
    limit = MAX_BATCH_BYTES

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data or b"")
        self._begin = self._end = 0

    def size_in_bytes(self) -> int:
        """Return the size of all batches."""
        return len(self._data)

    def has_next(self) -> bool:
        """True if there is another batch."""
        left = len(self._data) - self._end
        return left > 0 and (not self._end or (left >= _HEAD and left >= _HEAD + self._length(self._end)))

    def next_batch(self) -> _Batch | LegacyBatch:
        """Return the next batch.

        Raises:
            UnreadableError: its header makes no sense. There is no way to the batches after it.
        """
        begin = self._begin = self._end
        left = len(self._data) - begin
        self._end = len(self._data)
        if left < _HEAD:
            raise UnreadableError(f"it is cut off after {left} bytes")
        length = self._length(begin)
        if length < SHORTEST - _HEAD:
            raise UnreadableError(f"its length field says {length} bytes, fewer than a batch has")
        if left < _HEAD + length:
            raise UnreadableError(f"it is cut off: {left} of {_HEAD + length} bytes")
        self._end = begin + _HEAD + length
        data = self._data[begin : self._end]
        magic = data[_MAGIC]
        if magic > _NEWEST_FORMAT:
            raise UnreadableError(f"unknown message format {magic}")
        if magic < _NEWEST_FORMAT:
            return LegacyBatch(bytes(data), self.limit)
        if len(data) < _RECORDS:
            raise UnreadableError(f"its length field says {length} bytes, fewer than a batch has")
        return _Batch(data, self.limit)

    def failed(self, topic: str, partition: int, fetched: int, error: Exception) -> UnreadableBatch:
        """Return what is known of the last batch, which cannot be read; ``fetched``: the offset that was to be read next."""
        data = bytes(self._data[self._begin : self._end])
        corrupt = isinstance(error, CorruptRecordException) and "CRC" in str(error)  # aiokafka's words
        reason = "its checksum does not match" if corrupt else "its records do not parse"
        if isinstance(error, UnreadableError):
            reason = str(error)
        header = int.from_bytes(data[:8], "big", signed=True) if len(data) >= _HEAD else fetched
        if len(data) > _MAGIC and data[_MAGIC] < _NEWEST_FORMAT:
            # The offset is the last one; where a wrapper begins is in its value, which cannot be read.
            return UnreadableBatch(topic, partition, min(fetched, header), header, reason, data)
        last = self._last(data, header, sound=not corrupt)
        timestamp = int.from_bytes(data[_TIMESTAMP : _TIMESTAMP + 8], "big", signed=True) if len(data) >= _RECORDS else -1
        return UnreadableBatch(topic, partition, header, last, reason, data, timestamp)

    def _last(self, data: bytes, base: int, *, sound: bool) -> int | None:
        """Return the last offset of a batch: by its header if that is ``sound``, else by what else is known."""
        if len(data) < _HEAD or len(data) < _HEAD + int.from_bytes(data[8:_HEAD], "big", signed=True):
            return None
        following = self._following()
        if len(data) < _RECORDS or data[_MAGIC] > _NEWEST_FORMAT:
            return None if following is None else following - 1
        delta = int.from_bytes(data[_LAST_DELTA : _LAST_DELTA + 4], "big", signed=True)
        count = int.from_bytes(data[_COUNT:_RECORDS], "big", signed=True)
        if delta >= 0 and (following is None or base + delta < following) and (sound or delta == count - 1):
            return base + delta
        return None if following is None else following - 1

    def _following(self) -> int | None:
        """Return the base offset of the batch after the last one, if it is there."""
        if len(self._data) - self._end < _HEAD:
            return None
        return int.from_bytes(self._data[self._end : self._end + 8], "big", signed=True)

    def _length(self, begin: int) -> int:
        return int.from_bytes(self._data[begin + 8 : begin + _HEAD], "big", signed=True)
