"""Read a CSV file in chunks that fit memory, losing no row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from producers.sources.csv_quotes import read_stray, swallows
from producers.sources.files import InputFile
from producers.sources.rows import CHUNK, Rows, broken_row, refuse_twins
from stream_app.errors import SourceError

#: The byte order marks of UTF-16 in text that was read as UTF-8.
_UTF16 = ("\udcff\udcfe", "\udcfe\udcff")


class CsvReader:
    """A CSV file with a header, every cell a text.

    A row with too few cells gets empty ones; surplus cells are kept in ``Rows.surplus``. A quote that is never closed would
    swallow the rows up to the next quote: its line becomes a broken row, and reading continues with the next line. Stray
    quotes inside a cell are text where that leaves no doubt. ``notes`` counts unusual rows.
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
            header = next(csv.reader(text, delimiter=self._delimiter, strict=True), None)
        except (csv.Error, UnicodeError):
            header = None
        path = self.file.path
        if header and header[0].startswith(_UTF16):
            raise SourceError(f"{path}: the text is UTF-16; set `encoding: utf-16` in sources.yaml")
        if not header or not any(header):
            raise SourceError(f"{path}: the first line is not a CSV header; start the file with the column names")
        refuse_twins(header, f"{path}: the column", "in the header")
        if len(header) == 1:
            for other, word in ((";", "semicolon"), ("\t", "tab"), ("|", "bar"), (",", "comma")):
                if other in header[0]:
                    raise SourceError(
                        f"{path}: the header has one column and contains a {word}; "
                        f"set the delimiter in sources.yaml: `delimiter: {other!r}`"
                    )
        return tuple(header)

    def chunks(self) -> Iterator[Rows]:
        """Yield the rows in file order.

        Raises:
            SourceError: the file is damaged.
        """
        with self._text() as text:
            try:
                next(csv.reader(text, delimiter=self._delimiter, strict=True))
                yield from self._rows(text)
            except UnicodeError:
                raise SourceError(
                    f"{self.file.path}: the text is not {self._encoding}; set its `encoding` in sources.yaml"
                ) from None

    def _rows(self, text: Iterator[str]) -> Iterator[Rows]:
        lines = _Lines(text)
        width = len(self.columns)
        rows: list[list[str]] = []
        surplus: dict[int, list[str]] = {}
        reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
        while True:
            try:
                for row in reader:
                    current = lines.current
                    if len(current) > 1 and swallows(current, len(row), self._delimiter, width):
                        raise csv.Error("a quote is not closed")  # noqa: TRY301 - handled as what the reader finds
                    if len(row) != width and len(current) == 1 and '\\"' in current[0]:
                        row = self._stray(current[0]) or row  # noqa: PLW2901 - the same row, read in another way
                    current.clear()
                    if len(row) != width:
                        if not row:
                            continue
                        if len(row) > width:
                            surplus[len(rows)] = row[width:]
                            self._note("rows with more cells than the header has")
                        else:
                            self._note("rows with fewer cells than the header has")
                            row.extend([""] * (width - len(row)))
                        del row[width:]
                    rows.append(row)
                    if len(rows) >= CHUNK:
                        yield self._table(rows, surplus)
                        rows, surplus = [], {}
                break
            except csv.Error:
                first = lines.first()
                stray = self._stray(first)
                if stray is not None:
                    rows.append(stray)
                if rows and (stray is None or len(rows) >= CHUNK):
                    yield self._table(rows, surplus)
                    rows, surplus = [], {}
                if stray is None:
                    self._note("lines that are not CSV")
                    yield broken_row(first.encode("utf-8", "surrogateescape"))
                reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
        if rows:
            yield self._table(rows, surplus)

    def _stray(self, line: str) -> list[str] | None:
        """Read one line with stray quotes; None if it cannot be read, or a cell of it is too long."""
        cells = read_stray(line, self._delimiter, len(self.columns)) if len(line) <= csv.field_size_limit() else None
        if cells is not None:
            self._note("rows with stray quotes, read as text")
        return cells

    def _note(self, what: str) -> None:
        self.notes[what] = self.notes.get(what, 0) + 1

    def _table(self, rows: list[list[str]], surplus: dict[int, list[str]]) -> Rows:
        return Rows(dict(zip(self.columns, zip(*rows, strict=True), strict=True)), len(rows), surplus=surplus)


class _Lines:
    """Lines of a text; those of the row being read can be put back."""

    def __init__(self, text: Iterator[str]) -> None:
        self._text = text
        self._again: list[str] = []
        self.current: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else next(self._text)
        self.current.append(line)
        return line

    def first(self) -> str:
        """Return the first line of the row being read, and put the others back."""
        first, *others = self.current
        self._again += reversed(others)
        self.current.clear()
        return first.rstrip("\r\n")
