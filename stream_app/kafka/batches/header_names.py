"""Patch aiokafka's record parser and builder: header names that are not UTF-8 are read, and written as the same bytes.

The protocol requires UTF-8, no broker checks it, and aiokafka's parser raises UnicodeDecodeError on such a name. Here the
invalid bytes become surrogates (PEP 383) when the name is read, and bytes again when it is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import aiokafka.producer.message_accumulator as accumulator
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy, _DefaultRecordBatchPy

#: (key, value, timestamp in ms, headers)
_Row = tuple[bytes | None, bytes | None, int, list[Any]]


class _LenientBytes(bytes):
    """Bytes whose slices decode with surrogates."""

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        return _LenientBytes(part) if isinstance(key, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode("utf-8", "surrogateescape")


class _PythonBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """aiokafka's parser in Python, which decodes names by ``bytes.decode``; the compiled parser does not."""

    _buffer: Any

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        if not isinstance(self._buffer, _LenientBytes):
            self._buffer = _LenientBytes(self._buffer)


def read_leniently(data: bytes) -> list[Any]:
    """Return the records of an uncompressed batch with header names of any bytes."""
    return list(_PythonBatch(_LenientBytes(data)))


class _LenientName(str):
    """A header name that encodes its surrogates as the bytes that they came from."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return super().encode("utf-8", "surrogateescape")


class BatchBuilder(accumulator.BatchBuilder):  # type: ignore[misc]
    """A log batch to send. A name that is not UTF-8 needs a batch of its own, which aiokafka's builder in Python writes."""

    def __init__(self, batch_size: int, compression_type: int, *, is_transactional: int = 0, **serializers: Any) -> None:
        super().__init__(batch_size, compression_type, is_transactional=is_transactional, **serializers)
        self._arguments = compression_type, is_transactional, -1, -1, 0, batch_size
        self._in_python = False
        self._relative_offset = 0

    def append(self, *, timestamp: int | None, key: bytes | None, value: bytes | None, headers: Any = ()) -> Any:
        """Add a record; return ``None`` if the batch is full, or cannot hold the record's header names."""
        if not self._in_python:
            try:
                return super().append(timestamp=timestamp, key=key, value=value, headers=headers)
            except UnicodeEncodeError:
                if self._relative_offset:
                    self.close()
                    return None
                self._builder = _DefaultRecordBatchBuilderPy(2, *self._arguments)
                self._in_python = True
        headers = [(_LenientName(name), content) for name, content in headers]
        return super().append(timestamp=timestamp, key=key, value=value, headers=headers)

    def extend(self, rows: Iterator[_Row]) -> _Row | None:
        """Add (key, value, timestamp, headers) as long as they fit; return the first that did not, ``None`` if all did.

        Equal to ``append`` for each row, without three Python calls per record.
        """
        if self._in_python or self._closed:
            return self._append_each(rows)
        append, offset = self._builder.append, self._relative_offset
        # The row is not kept: the tuple of a ``zip`` is used again while nobody has it.
        for key, value, timestamp, headers in rows:
            try:
                added = append(offset, timestamp, key, value, headers)
            except UnicodeEncodeError:
                self._relative_offset = offset
                return self._append_each(chain(((key, value, timestamp, headers),), rows))
            if added is None:
                self._relative_offset = offset
                self.close()
                return key, value, timestamp, headers
            offset += 1
        self._relative_offset = offset
        return None

    def _append_each(self, rows: Iterator[_Row]) -> _Row | None:
        for row in rows:
            key, value, timestamp, headers = row
            if self.append(timestamp=timestamp, key=key, value=value, headers=headers) is None:
                return row
        return None

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._builder.set_producer_state(producer_id, producer_epoch, base_sequence)


def install() -> None:
    """Make every aiokafka client of this process write header names of any bytes (``fetch.install``: and read them)."""
    accumulator.BatchBuilder = BatchBuilder
