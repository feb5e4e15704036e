"""Read a Parquet file in chunks that fit memory, and its values as JSON has them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from producers.sources.files import InputFile
from producers.sources.rows import CHUNK, Rows, refuse_twins
from stream_app.errors import SourceError


class ParquetReader:
    """A Parquet file, one row group after the other; values keep the types that JSON has."""

    typed = True

    def __init__(self, file: InputFile) -> None:
        self.file = file
        self.notes: dict[str, int] = {}
        self._read = 0
        with file.open() as stream:
            parquet = self._parquet(stream)
            self.columns = tuple(parquet.schema_arrow.names)
            self.length = parquet.metadata.num_rows
        refuse_twins(self.columns, f"{file.path}: the column", "in the file")
        if self.length == 0:
            raise SourceError(f"{file.path}: the Parquet file has no rows; name one with records in it")

    def _parquet(self, stream: BinaryIO) -> pq.ParquetFile:
        if self.file.compression is not None:
            raise SourceError(f"{self.file.path}: a Parquet file must not be compressed once more; unpack it first")
        try:
            return pq.ParquetFile(stream)
        except (pa.ArrowException, OSError):
            raise SourceError(f"{self.file.path}: not a Parquet file, or a damaged one; write it again") from None

    def chunks(self) -> Iterator[Rows]:
        """Yield the rows in file order.

        Raises:
            SourceError: the file is damaged.
        """
        with self.file.open() as stream:
            for batch in self._parquet(stream).iter_batches(batch_size=CHUNK):
                columns = {name: _plain(column) for name, column in zip(self.columns, batch.columns, strict=True)}
                yield Rows(columns, batch.num_rows)


def _plain(column: pa.Array) -> list[Any]:
    kind = column.type
    try:
        values: list[Any] = column.to_pylist()
    except (OverflowError, ValueError):
        # Times outside the range of Python, such as the year 30000, become the text of their number.
        values = [_item(item) for item in column]
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_string(kind) or pa.types.is_boolean(kind):
        return values
    return [json_ready(value) for value in values]


def _item(item: pa.Scalar) -> Any:
    try:
        return item.as_py()
    except (OverflowError, ValueError):
        return str(item.value)


def json_ready(value: Any) -> Any:
    """Return a value as JSON has it; points in time stay, because the field's converter writes them."""
    if isinstance(value, datetime):
        return value.to_pydatetime(warn=False) if hasattr(value, "to_pydatetime") else value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return base64.b64encode(value).decode("ascii")
    if isinstance(value, list | tuple):
        return [_nested(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _nested(item) for key, item in value.items()}
    return value


def _nested(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else json_ready(value)
