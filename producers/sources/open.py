"""Open files and URLs as sources of a shop: choose the mapping and the reader of each, check every column."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import SecretStr

from producers.sources.columns import Columns
from producers.sources.csv_file import CsvReader
from producers.sources.feeds import Feed
from producers.sources.files import COMPRESSIONS, InputFile
from producers.sources.http_api import HttpReader, checked, is_url, shown
from producers.sources.jsonl_file import JsonLinesReader
from producers.sources.mapping import read_mapping
from producers.sources.parquet_file import ParquetReader
from producers.sources.source import Source
from producers.sources.specs import FeedSpec, SourceSpec
from stream_app.contract.model import Shop
from stream_app.errors import SourceError


def open_sources(
    shop: Shop,
    paths: Iterable[str | Path] = (),
    *,
    only: str | None = None,
    token: SecretStr | None = None,
    shift_ms: int = 0,
) -> list[Source]:
    """Open files and URLs, and check every column before anything is read.

    Args:
        paths: paths and URLs; none: every `url` of the shop's ``sources.yaml``.
        only: yield only this entity's records; also the entity of a file whose name does not say it.
        token: bearer token for HTTP sources, sent to their own host only.
        shift_ms: moves every timestamp, for further rounds of a loop.

    Returns:
        The sources in the order in which to send them: whole files of referenced entities before those that refer to them.

    Raises:
        SourceError: unknown path, URL, column or entity; says which exist and what to do.
        DocumentError: ``sources.yaml`` is invalid.
    """
    specs = read_mapping(shop)
    if only is not None and only not in shop.contracts:
        raise SourceError(f"unknown entity {only!r}; entities of {shop.folder}: {', '.join(shop.contracts)}")
    wanted = [str(path) for path in paths] or [spec.url for spec in specs if spec.url and spec.feeds_of(only)]
    if not wanted:
        raise SourceError(f"nothing to read: name files or URLs, or add a source with `url` to {shop.sources_file}")
    opening = _Opening(shop, specs, only, token, shift_ms)
    sources = [opening.url(path) if is_url(path) else opening.file(Path(path)) for path in wanted]
    order = {entity: number for number, entity in enumerate(shop.contracts)}
    return sorted(sources, key=lambda source: max(order[entity] for entity in source.entities))


class _Opening:
    """The options that all sources of one call share, and the distinct values of files of the same source."""

    def __init__(
        self, shop: Shop, specs: tuple[SourceSpec, ...], only: str | None, token: SecretStr | None, shift_ms: int
    ) -> None:
        self._shop, self._specs, self._only, self._token, self._shift = shop, specs, only, token, shift_ms
        self._seen: dict[tuple[str, str], set[object]] = {}

    def url(self, url: str) -> Source:
        checked(url)
        name = shown(url)
        found = next((spec for spec in self._specs if spec.takes_url(url)), None)
        spec = found or self._unmapped(name, _last_part(name), url)
        reader = HttpReader(url, spec, self._token)
        return Source(name, reader, self._feeds(spec, Columns(reader.columns, reader.typed, name, json=True)))

    def file(self, path: Path) -> Source:
        file = InputFile(path)
        found = next((spec for spec in self._specs if spec.takes_file(path.name)), None)
        spec = found or self._unmapped(str(path), path.name, None)
        reader = _reader(file, spec)
        json = isinstance(reader, JsonLinesReader)
        return Source(str(path), reader, self._feeds(spec, Columns(reader.columns, reader.typed, str(path), json)), file=file)

    def _feeds(self, spec: SourceSpec, columns: Columns) -> list[Feed]:
        feeds = []
        for feed in spec.feeds_of(self._only):
            seen = self._seen.setdefault((spec.name, feed.entity), set())
            feeds.append(Feed(feed, spec, self._shop.contracts[feed.entity], columns, self._shift, seen))
        if not feeds:
            entities = ", ".join(feed.entity for feed in spec.feeds)
            raise SourceError(
                f"{columns.file} feeds {entities}, not {self._only}; name another file, or map it in {self._shop.sources_file}"
            )
        return feeds

    def _unmapped(self, name: str, last_part: str, url: str | None) -> SourceSpec:
        """Return the source of a file or URL that is not mapped: of the entity ``only``, else of the one in its name."""
        contracts = self._shop.contracts
        entity = self._only or next((each for each in contracts if last_part.lower().startswith(each.lower())), None)
        if entity is None:
            globs = ", ".join(spec.match or spec.url or "" for spec in self._specs)
            raise SourceError(
                f"{name}: unknown entity; name it with --entity ({', '.join(contracts)}), "
                f"or map the source in {self._shop.sources_file} (mapped there: {globs or 'nothing'})"
            )
        return SourceSpec(name=last_part, feeds=(FeedSpec(entity),), url=url)


def _last_part(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]


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
            f"{file.path}: JSON files have one record per line and end in .jsonl; "
            f"rename the file, or convert an array to lines with `jq -c '.[]'`"
        )
    raise SourceError(
        f"{file.path}: unknown format; end the name in .csv, .tsv, .jsonl or .parquet "
        f"(CSV and JSON Lines may be compressed: {', '.join(COMPRESSIONS)}), or set `format` in sources.yaml"
    )
