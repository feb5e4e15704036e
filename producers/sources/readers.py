"""Reads CSV, JSON Lines and Parquet in chunks that fit memory, losing no row."""

from __future__ import annotations

import base64
import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from producers.sources.files import InputFile
from producers.sources.rows import CHUNK_BYTES, Rows, broken_row, parsed_rows
from stream_app.errors import SourceError

#: Rows per chunk.
CHUNK = 5_000
#: How the byte order marks of UTF-16 look in text that was read as UTF-8.
_UTF16 = ("\udcff\udcfe", "\udcfe\udcff")


class CsvReader:
    """A CSV file with a header, every cell a text.

    A row with too few cells gets empty ones; what a row has too many is kept aside as surplus. A quote that never
    closes would swallow the rest of the file: then the line it stands on is a broken row, and reading goes on with the
    line after it. ``notes`` counts what was unusual.
    """

    typed = False

    def __init__(self, file: InputFile, *, encoding: str = "utf-8", delimiter: str | None = None) -> None:
        self.file = file
        self.notes: dict[str, int] = {}
        self._encoding = "utf-8-sig" if encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else encoding
        self._delimiter = delimiter or ("\t" if file.tabbed else ",")
        with self._text() as text:
            self.columns = self._header(text)

    @contextmanager
    def _text(self) -> Iterator[io.TextIOWrapper]:
        with self.file.open() as stream:
            text = io.TextIOWrapper(stream, self._encoding, errors="surrogateescape", newline="")
            try:
                yield text
            finally:
                with suppress(ValueError, OSError):
                    text.detach()

    def _header(self, text: io.TextIOWrapper) -> tuple[str, ...]:
        try:
            header = next(csv.reader(text, delimiter=self._delimiter), None)
        except (csv.Error, UnicodeError):
            header = None
        place = self.file.path
        if header and header[0].startswith(_UTF16):
            raise SourceError(f"{place}: the text is UTF-16; name it in sources.yaml: `encoding: utf-16`")
        if not header or not any(header):
            raise SourceError(f"{place}: the first line is no CSV header; a CSV file starts with the column names")
        _no_twins(header, f"{place}: the column", "in the header")
        if len(header) == 1:
            for other, word in ((";", "semicolon"), ("\t", "tab"), ("|", "bar"), (",", "comma")):
                if other in header[0]:
                    raise SourceError(
                        f"{place}: the header has one column but a {word} in it; "
                        f"name the delimiter in sources.yaml: `delimiter: {other!r}`"
                    )
        return tuple(header)

    def chunks(self) -> Iterator[Rows]:
        """The rows in file order.

        Raises:
            SourceError: the file is damaged.
        """
        with self._text() as text:
            try:
                next(csv.reader(text, delimiter=self._delimiter))
                yield from self._rows(text)
            except UnicodeError:
                raise SourceError(
                    f"{self.file.path}: the text is not {self._encoding}; name its encoding in sources.yaml"
                ) from None

    def _rows(self, text: Iterator[str]) -> Iterator[Rows]:
        lines = _Lines(text)
        width = len(self.columns)
        rows: list[list[str]] = []
        surplus: dict[int, list[str]] = {}
        reader = csv.reader(lines, delimiter=self._delimiter)
        while True:
            try:
                for row in reader:
                    if len(lines.current) > 1 and lines.ended and _open_quote(lines.current):
                        raise csv.Error("a quote is not closed")
                    lines.current.clear()
                    if len(row) != width:
                        if not row:
                            continue
                        if len(row) > width:
                            surplus[len(rows)] = row[width:]
                            self._note("rows with more cells than the header has")
                        else:
                            self._note("rows with fewer cells than the header has")
                            row += [""] * (width - len(row))
                        row = row[:width]
                    rows.append(row)
                    if len(rows) >= CHUNK:
                        yield self._table(rows, surplus)
                        rows, surplus = [], {}
                break
            except csv.Error:
                if rows:
                    yield self._table(rows, surplus)
                    rows, surplus = [], {}
                self._note("lines that are no CSV")
                yield broken_row(lines.first().encode("utf-8", "surrogateescape"))
                reader = csv.reader(lines, delimiter=self._delimiter)
        if rows:
            yield self._table(rows, surplus)

    def _note(self, what: str) -> None:
        self.notes[what] = self.notes.get(what, 0) + 1

    def _table(self, rows: list[list[str]], surplus: dict[int, list[str]]) -> Rows:
        return Rows(dict(zip(self.columns, zip(*rows, strict=True), strict=True)), len(rows), surplus=surplus)


def _no_twins(names: Sequence[str], what: str, where: str) -> None:
    """Refuse two columns of one name: only one of them would be read."""
    for index, name in enumerate(names):
        if name in names[:index]:
            raise SourceError(f"{what} {name!r} stands twice {where}; rename one")


class _Lines:
    """Lines of a text that can be put back, remembering those of the row being read."""

    def __init__(self, text: Iterator[str]) -> None:
        self._text = text
        self._again: list[str] = []
        self.current: list[str] = []
        self.ended = False

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self._again:
            line = self._again.pop()
        else:
            try:
                line = next(self._text)
            except StopIteration:
                self.ended = True
                raise
        self.current.append(line)
        return line

    def first(self) -> str:
        """The first line of the row being read; the others are put back."""
        first, *others = self.current
        self._again += reversed(others)
        self.current.clear()
        return first.rstrip("\r\n")


def _open_quote(lines: list[str]) -> bool:
    return sum(line.count('"') for line in lines) % 2 == 1


class JsonLinesReader:
    """A file of one JSON object per line; every line keeps its bytes."""

    typed = True

    def __init__(self, file: InputFile) -> None:
        self.file = file
        self.notes: dict[str, int] = {}
        first = next(self.chunks(), None)
        if first is None:
            raise SourceError(f"{file.path}: there is no line in the file")
        self.columns = tuple(first.columns)

    def chunks(self) -> Iterator[Rows]:
        """The lines in file order; blank lines are skipped.

        Raises:
            SourceError: the file is damaged.
        """
        with self.file.open() as stream:
            first = True
            while lines := stream.readlines(CHUNK_BYTES):
                if first:
                    # A byte order mark is the file's, as in CSV; within the first record it would be no JSON.
                    lines[0], first = lines[0].removeprefix(codecs.BOM_UTF8), False
                for start in range(0, len(lines), CHUNK):
                    kept = [line for line in (raw.strip(b"\r\n") for raw in lines[start : start + CHUNK]) if line.strip()]
                    if kept:
                        yield parsed_rows(kept)


class ParquetReader:
    """A Parquet file, one row group after the other; values keep their types as far as JSON has them."""

    typed = True

    def __init__(self, file: InputFile) -> None:
        self.file = file
        self.notes: dict[str, int] = {}
        self._read = 0
        with file.open() as stream:
            parquet = self._parquet(stream)
            self.columns = tuple(parquet.schema_arrow.names)
            self.length = parquet.metadata.num_rows
        _no_twins(self.columns, f"{file.path}: the column", "in the file")
        if self.length == 0:
            raise SourceError(f"{file.path}: the Parquet file has no rows")

    def _parquet(self, stream: BinaryIO) -> pq.ParquetFile:
        if self.file.compression is not None:
            raise SourceError(f"{self.file.path}: Parquet compresses by itself; unpack the file first")
        try:
            return pq.ParquetFile(stream)
        except (pa.ArrowException, OSError):
            raise SourceError(f"{self.file.path}: not a Parquet file, or a damaged one") from None

    def chunks(self) -> Iterator[Rows]:
        """The rows in file order.

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
        # Times that Python does not have, such as the year 30000, go on as the text of their number.
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
    """A value as JSON has it; points in time stay, for the field's converter to write."""
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
