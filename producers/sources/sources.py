"""Opens files and URLs as sources of a shop and gives their records in order.

A record stands where its row stands in the file; where one row feeds several entities, in the order of the feeds. Files
are read in chunks, so they may be larger than memory; they are expected in the order of their time, and a row that comes
late is sent late, as a real source would.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from producers.record import RawRecord
from producers.sources.feeds import Columns, Feed
from producers.sources.files import COMPRESSIONS, InputFile
from producers.sources.http_api import HttpReader, checked, is_url, shown
from producers.sources.mapping import FeedSpec, SourceSpec, read_mapping
from producers.sources.readers import CsvReader, JsonLinesReader, ParquetReader
from producers.sources.rows import Rows
from stream_app.contract.model import Shop
from stream_app.errors import SourceError


class Reader(Protocol):
    """What reads one format: its columns, and its rows in chunks."""

    typed: bool
    columns: tuple[str, ...]
    notes: dict[str, int]

    def chunks(self) -> Iterator[Rows]: ...


class Source:
    """One file or URL with the feeds that its rows go to.

    Attributes:
        name: the file's path or the URL without its query, for messages.
        entities: the entities it feeds.
        total: the number of records, where it is known before reading.
        remarks: what its user should know before it is sent, such as columns that are left out.
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
        """How much of the source has been read, 0 to 1; None where nobody knows."""
        if self._finished:
            return 1.0
        return self.file.fraction() if self.file else None

    def notes(self) -> list[str]:
        """What was unusual while reading, counted."""
        counted = dict(self._reader.notes)
        for feed in self._feeds:
            for what, count in feed.notes.items():
                counted[f"{feed.entity}: {what}"] = count
        return [f"{self.name}: {what}: {count}" for what, count in counted.items()]

    def chunks(self) -> Iterator[list[RawRecord]]:
        """The records in the order of their rows; a record without a time has that of the one before it.

        Raises:
            SourceError: the source is damaged or, over HTTP, refuses.
        """
        latest: int | None = None
        for rows in self._reader.chunks():
            records = self._records(rows)
            for index, record in enumerate(records):
                if record.as_of_ms is not None:
                    latest = record.as_of_ms
                elif latest is not None:
                    records[index] = record._replace(as_of_ms=latest)
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


def open_sources(
    shop: Shop,
    places: Iterable[str | Path] = (),
    *,
    only: str | None = None,
    token: SecretStr | None = None,
    shift_ms: int = 0,
) -> list[Source]:
    """Open files and URLs, checking every column before anything is read.

    Args:
        places: paths and URLs; none: every `url` of the shop's ``sources.yaml``.
        only: only this entity's records; also says what a file holds whose name says nothing.
        token: bearer token for HTTP sources, sent to their own host only.
        shift_ms: moves every timestamp, for further rounds of a loop.

    Returns:
        The sources in the order to send them: whole files of referenced entities before those that refer to them.

    Raises:
        SourceError: a path, URL, column or entity is not there; says what is and what to do.
        DocumentError: ``sources.yaml`` cannot be used.
    """
    specs = read_mapping(shop)
    if only is not None and only not in shop.contracts:
        raise SourceError(f"no contract describes {only!r}; entities of {shop.folder}: {', '.join(shop.contracts)}")
    wanted = [str(place) for place in places] or [spec.url for spec in specs if spec.url and _feeds_of(spec, only)]
    if not wanted:
        raise SourceError(f"nothing to read: name files or URLs, or a source with `url` in {shop.sources_file}")
    seen: dict[tuple[str, str], set[object]] = {}
    sources = [_open(shop, specs, place, only, token, shift_ms, seen) for place in wanted]
    order = {entity: number for number, entity in enumerate(shop.contracts)}
    return sorted(sources, key=lambda source: max(order[entity] for entity in source.entities))


def merged(sources: Sequence[Source]) -> Iterator[RawRecord]:
    """The records of several sources by event time; one without a time comes with the one before it."""
    if len(sources) == 1:
        return iter(sources[0])
    streams = [_timed(number, source) for number, source in enumerate(sources)]
    return (record for _, _, record in heapq.merge(*streams, key=lambda item: item[:2]))


def _timed(number: int, source: Source) -> Iterator[tuple[int, int, RawRecord]]:
    latest = 0
    for record in source:
        latest = max(latest, record.as_of_ms or 0)
        yield latest, number, record


def _feeds_of(spec: SourceSpec, only: str | None) -> tuple[FeedSpec, ...]:
    return tuple(feed for feed in spec.feeds if only is None or feed.entity == only)


def _open(
    shop: Shop,
    specs: tuple[SourceSpec, ...],
    place: str,
    only: str | None,
    token: SecretStr | None,
    shift_ms: int,
    seen: dict[tuple[str, str], set[object]],
) -> Source:
    url = is_url(place)
    if url:
        checked(place)
    file = None if url else InputFile(Path(place))
    spec = _spec(shop, specs, place, only)
    name = shown(place) if url else place
    reader = HttpReader(place, spec, token) if file is None else _reader(file, spec)
    json = isinstance(reader, HttpReader | JsonLinesReader)
    columns = Columns(reader.columns, reader.typed, name, json)
    feeds = []
    for feed_spec in _feeds_of(spec, only):
        feed = Feed(feed_spec, spec, shop.contracts[feed_spec.entity], columns, shift_ms)
        feed.share(seen.setdefault((spec.name, feed.entity), set()))
        feeds.append(feed)
    if not feeds:
        entities = ", ".join(feed.entity for feed in spec.feeds)
        raise SourceError(f"{name} feeds {entities}, not {only}; name another file, or map it in {shop.sources_file}")
    return Source(name, reader, feeds, file=file)


def _spec(shop: Shop, specs: tuple[SourceSpec, ...], place: str, only: str | None) -> SourceSpec:
    """The source that a file or URL is: by ``sources.yaml``, else by the entity in its name, else by ``only``."""
    url = is_url(place)
    file_name = place.rstrip("/").rpartition("/")[2] if not url else shown(place).rstrip("/").rpartition("/")[2]
    for spec in specs:
        if spec.takes_url(place) if url else spec.takes_file(Path(place).name):
            return spec
    named = next((entity for entity in shop.contracts if file_name.lower().startswith(entity.lower())), None)
    entity = only or named
    if entity is None:
        globs = ", ".join(spec.match or spec.url or "" for spec in specs)
        raise SourceError(
            f"{shown(place) if url else place}: which entity is it? Say --entity ({', '.join(shop.contracts)}), "
            f"or map it in {shop.sources_file} (known there: {globs or 'nothing'})"
        )
    return SourceSpec(name=file_name, feeds=(FeedSpec(entity),), url=place if url else None)


def _reader(file: InputFile, spec: SourceSpec) -> CsvReader | JsonLinesReader | ParquetReader:
    kind = spec.format or file.format
    if kind == "csv":
        return CsvReader(file, encoding=spec.encoding, delimiter=spec.delimiter)
    if kind == "jsonl":
        return JsonLinesReader(file)
    if kind == "parquet":
        return ParquetReader(file)
    if file.path.suffix.lower() == ".json":
        raise SourceError(
            f"{file.path}: JSON is read as one record a line, from a file that ends in .jsonl; "
            f"rename it, or make lines out of an array with `jq -c '.[]'`"
        )
    raise SourceError(
        f"{file.path}: the name does not say its format; end it in .csv, .tsv, .jsonl or .parquet "
        f"(CSV and JSON Lines may be compressed: {', '.join(COMPRESSIONS)}), or name a `format` in sources.yaml"
    )


__all__ = ["RawRecord", "Source", "merged", "open_sources"]
