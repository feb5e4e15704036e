"""A source: one file or URL whose rows become records, in the order of the rows.

If one row feeds several entities, their records come in the order of the feeds. Files are read in chunks, so they may be
larger than memory. They are expected in the order of their event time; a late row is sent late, as a real source would.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import Protocol

from producers.record import RawRecord
from producers.sources.feeds import Feed
from producers.sources.files import InputFile
from producers.sources.rows import Rows
from stream_app.windows.clock import RunningClock


class Reader(Protocol):
    """Reads one format: its columns, and its rows in chunks."""

    typed: bool
    columns: tuple[str, ...]
    notes: dict[str, int]

    def chunks(self) -> Iterator[Rows]:
        """Yield the rows, many at once."""


class Source:
    """One file or URL, and the feeds that its rows go to.

    Attributes:
        name: the file's path or the URL without its query, for messages.
        entities: the entities that it feeds.
        total: number of records, if known before reading.
        remarks: what the user should know before anything is sent, such as columns that are left out.
    """

    def __init__(self, name: str, reader: Reader, feeds: Sequence[Feed], *, file: InputFile | None = None) -> None:
        self.name = name
        self.file = file
        self.entities = tuple(feed.entity for feed in feeds)
        self.remarks = [f"{name}: {remark}" for feed in feeds for remark in feed.remarks]
        self._reader = reader
        self._feeds = feeds
        self._finished = False
        self._main = next((feed for feed in feeds if feed.takes_all), feeds[-1])
        length = getattr(reader, "length", None)
        self.total: int | None = length * len(feeds) if length and all(feed.takes_all for feed in feeds) else None

    def fraction(self) -> float | None:
        """Return the share of the source that has been read, 0 to 1; None if unknown."""
        if self._finished:
            return 1.0
        return self.file.fraction() if self.file else None

    def notes(self) -> list[str]:
        """Return one line for each kind of unusual row, with its count."""
        counted = dict(self._reader.notes)
        for feed in self._feeds:
            for what, count in feed.notes.items():
                counted[f"{feed.entity}: {what}"] = count
        return [f"{self.name}: {what}: {count}" for what, count in counted.items()]

    def chunks(self) -> Iterator[list[RawRecord]]:
        """Yield the records in the order of their rows; one without a time gets the time that the source has reached.

        Raises:
            SourceError: the source is damaged or, over HTTP, refuses the request.
        """
        clock = RunningClock()
        for rows in self._reader.chunks():
            records = self._records(rows)
            for index, record in enumerate(records):
                if record.as_of_ms is not None:
                    clock.take(record.as_of_ms)
                elif clock.reached:
                    records[index] = record._replace(as_of_ms=clock.reached)
            if records:
                yield records
        self._finished = True

    def __iter__(self) -> Iterator[RawRecord]:
        for chunk in self.chunks():
            yield from chunk

    def _records(self, rows: Rows) -> list[RawRecord]:
        if len(rows.broken) == rows.length:
            return [RawRecord(self._main.entity, None, raw, None) for raw in rows.raw or ()]
        if len(self._feeds) == 1 and not rows.broken:
            return self._feeds[0].records(rows)[1]
        count = len(self._feeds)
        placed: list[tuple[int, RawRecord]] = []
        for number, feed in enumerate(self._feeds):
            indexes, records = feed.records(rows)
            placed += zip((index * count + number for index in indexes), records, strict=True)
        for index in rows.broken:
            assert rows.raw is not None  # noqa: S101 - a broken row is its bytes
            placed.append((index * count, RawRecord(self._main.entity, None, rows.raw[index], None)))
        placed.sort(key=lambda item: item[0])
        return [record for _, record in placed]


def merged(sources: Sequence[Source]) -> Iterator[RawRecord]:
    """Merge the records of several sources by event time; a record without a time follows the one before it.

    One that is dated far ahead does not send the rest of its source to the end.
    """
    if len(sources) == 1:
        return iter(sources[0])
    streams = [_timed(number, source) for number, source in enumerate(sources)]
    return (record for _, _, record in heapq.merge(*streams, key=lambda item: item[:2]))


def _timed(number: int, source: Source) -> Iterator[tuple[int, int, RawRecord]]:
    clock = RunningClock()
    for record in source:
        if record.as_of_ms is not None:
            clock.take(record.as_of_ms)
        yield clock.reached, number, record
