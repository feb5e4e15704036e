"""``sources.yaml``: how the files and APIs of a shop become records, read strictly."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from stream_app.contract.document import Document, Path_, read_document
from stream_app.contract.model import Contract, Shop
from stream_app.errors import DocumentError

FORMATS = ("csv", "jsonl", "parquet", "http")
_SOURCE_KEYS = ("name", "match", "url", "format", "time", "timezone", "delimiter", "encoding", "feeds", "items", "pages")
_FEED_KEYS = ("entity", "distinct", "where", "skip_when", "fields")
_VALUE_KEYS = ("column", "cel", "constant")
_FIELD_KEYS = (*_VALUE_KEYS, "format", "timezone")
_PAGE_KEYS = ("next", "cursor", "parameter", "start")


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """Where one field comes from: exactly one of a column, an expression and a constant."""

    column: str | None = None
    cel: str | None = None
    constant: Any = None
    format: str | None = None
    zone: tzinfo | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class FeedSpec:
    """What one source gives to one entity. ``fields`` None: the columns with the contract's field names."""

    entity: str
    fields: Mapping[str, FieldSpec] | None = None
    distinct: str | None = None
    where: str | None = None
    skip_when: str | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class Pages:
    """How an HTTP API is paged. All None: a `Link` header or a `next` address in the body, where there is one.

    ``next`` and ``cursor`` are JSON pointers into the body; ``parameter`` is the query parameter of the page number
    (from ``start``) or of the cursor.
    """

    next: str | None = None
    cursor: str | None = None
    parameter: str | None = None
    start: int = 1


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """One entry of ``sources.yaml``."""

    name: str
    feeds: tuple[FeedSpec, ...]
    match: str | None = None
    url: str | None = None
    format: str | None = None
    time: str | None = None
    zone: tzinfo = UTC
    delimiter: str | None = None
    encoding: str = "utf-8"
    items: str | None = None
    pages: Pages = field(default_factory=Pages)
    place: str = ""

    def takes_file(self, file_name: str) -> bool:
        """Whether the glob matches this file name (without its folder)."""
        return self.match is not None and fnmatch.fnmatch(file_name, self.match)

    def takes_url(self, url: str) -> bool:
        """Whether this is the source's own address, whatever the query."""
        return self.url is not None and _bare(self.url) == _bare(url)


def _bare(url: str) -> tuple[str, str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc, parts.path.rstrip("/")


def read_mapping(shop: Shop) -> tuple[SourceSpec, ...]:
    """The sources of a shop; empty when it has no ``sources.yaml``.

    Raises:
        DocumentError: an unknown key, entity or field, a missing or surplus key; ``file:line: what; what to do``.
    """
    if not shop.sources_file.exists():
        return ()
    document = read_document(shop.sources_file)
    reader = _Reader(document, shop)
    top = reader.mapping((), document.data, ("sources",), ("sources",))
    sources = reader.listing(("sources",), top["sources"])
    specs = [reader.source(("sources", index), item) for index, item in enumerate(sources)]
    for index, spec in enumerate(specs):
        if any(spec.name == other.name for other in specs[:index]):
            raise document.error(("sources", index, "name"), f"the source {spec.name!r} stands twice; rename one")
    return tuple(specs)


class _Reader:
    def __init__(self, document: Document, shop: Shop) -> None:
        self.document = document
        self.shop = shop

    def error(self, at: Path_, message: str) -> DocumentError:
        return self.document.error(at, message)

    def place(self, at: Path_) -> str:
        return f"{self.document.file}:{self.document.line(*at)}"

    def mapping(self, at: Path_, value: Any, known: tuple[str, ...], needed: tuple[str, ...] = ()) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.error(at, f"a mapping is expected here, with {', '.join(known)}")
        for key in value:
            if key not in known:
                close = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}"
                raise self.error((*at, key), f"unknown key {key!r}; {hint}")
        for key in needed:
            if key not in value:
                raise self.error(at, f"{key!r} is missing; add it")
        return value

    def listing(self, at: Path_, value: Any) -> list[Any]:
        if not isinstance(value, list) or not value:
            raise self.error(at, "a list with at least one entry is expected here; start its lines with `- `")
        return value

    def text(self, at: Path_, node: Mapping[str, Any], key: str) -> str | None:
        value = node.get(key)
        if key in node and (not isinstance(value, str) or not value):
            raise self.error((*at, key), f"{key} is a text; put it in quotes")
        return value

    def zone(self, at: Path_, node: Mapping[str, Any]) -> tzinfo | None:
        name = self.text(at, node, "timezone")
        if name is None:
            return None
        try:
            return UTC if name == "UTC" else ZoneInfo(name)
        except (ValueError, OSError, LookupError):
            raise self.error((*at, "timezone"), f"no time zone is called {name!r}; write one such as Europe/London") from None

    def source(self, at: Path_, value: Any) -> SourceSpec:
        node = self.mapping(at, value, _SOURCE_KEYS, ("name",))
        match, url, kind = self.text(at, node, "match"), self.text(at, node, "url"), self.text(at, node, "format")
        if (match is None) == (url is None):
            raise self.error(at, "a source has either `match` (a glob on the file name) or `url`; write one of them")
        if kind is not None and kind not in FORMATS:
            raise self.error((*at, "format"), f"the format {kind!r} is not known; known: {', '.join(FORMATS)}")
        if (url is not None) != (kind == "http") and (url is None or kind is not None):
            raise self.error((*at, "format"), "`format: http` and `url` go together")
        if url is not None and not re.match(r"https?://[^/\s]+", url):
            raise self.error((*at, "url"), "a url starts with http:// or https:// and a host")
        if url is not None and "@" in urlsplit(url).netloc:
            raise self.error((*at, "url"), "no user or password belongs into a url; set HEADRACE_SOURCE_TOKEN")
        for key in ("items", "pages"):
            if key in node and url is None:
                raise self.error((*at, key), f"{key!r} belongs to a source with `url`; remove it")
        for key in ("delimiter", "encoding"):
            if key in node and kind not in (None, "csv"):
                raise self.error((*at, key), f"{key!r} belongs to a CSV source; remove it")
        delimiter, encoding = self.text(at, node, "delimiter"), self.text(at, node, "encoding") or "utf-8"
        if delimiter is not None and len(delimiter) != 1:
            raise self.error((*at, "delimiter"), 'a delimiter is one character; a tab is written "\\t"')
        try:
            "".encode(encoding)
        except LookupError:
            raise self.error((*at, "encoding"), f"no encoding is called {encoding!r}; write one such as latin-1") from None
        feeds = [
            self.feed((*at, "feeds", index), item) for index, item in enumerate(self.listing((*at, "feeds"), node.get("feeds")))
        ]
        for index, feed in enumerate(feeds):
            if any(feed.entity == other.entity for other in feeds[:index]):
                raise self.error((*at, "feeds", index), f"{feed.entity} is fed twice by one source; remove one")
        return SourceSpec(
            name=self.text(at, node, "name") or "",
            feeds=tuple(feeds),
            match=match,
            url=url,
            format=kind,
            time=self.text(at, node, "time"),
            zone=self.zone(at, node) or UTC,
            delimiter=delimiter,
            encoding=encoding,
            items=self.pointer(at, node, "items"),
            pages=self.pages((*at, "pages"), node.get("pages", {})),
            place=self.place(at),
        )

    def pointer(self, at: Path_, node: Mapping[str, Any], key: str) -> str | None:
        value = node.get(key)
        if key in node and (not isinstance(value, str) or (value and not value.startswith("/"))):
            raise self.error((*at, key), f"{key} is a JSON pointer such as /data/items")
        return value

    def pages(self, at: Path_, value: Any) -> Pages:
        node = self.mapping(at, value, _PAGE_KEYS)
        pages = Pages(
            self.pointer(at, node, "next"), self.pointer(at, node, "cursor"), self.text(at, node, "parameter"),
            node.get("start", 1),
        )  # fmt: skip
        if type(pages.start) is not int:
            raise self.error((*at, "start"), "start is the number of the first page")
        if pages.next is not None and (pages.cursor or pages.parameter):
            raise self.error((*at, "next"), "`next` stands alone; `cursor` and `parameter` are another way of paging")
        if pages.cursor is not None and pages.parameter is None:
            raise self.error((*at, "cursor"), "a cursor needs the `parameter` that it is sent in; add it")
        if "start" in node and (pages.parameter is None or pages.cursor is not None):
            raise self.error((*at, "start"), "`start` belongs to page numbers: `parameter` without `cursor`")
        return pages

    def feed(self, at: Path_, value: Any) -> FeedSpec:
        node = self.mapping(at, value, _FEED_KEYS, ("entity",))
        entity = self.text(at, node, "entity") or ""
        if entity not in self.shop.contracts:
            raise self.error((*at, "entity"), f"no contract describes {entity!r}; entities: {', '.join(self.shop.contracts)}")
        contract = self.shop.contracts[entity]
        fields = None
        if "fields" in node:
            names = tuple(item.name for item in contract.fields)
            mapped = self.mapping((*at, "fields"), node["fields"], names)
            fields = {name: self.field((*at, "fields", name), mapped[name], contract, name) for name in mapped}
            if not fields:
                raise self.error((*at, "fields"), "no field is mapped; name them, or remove `fields`")
        return FeedSpec(
            entity,
            fields,
            self.text(at, node, "distinct"),
            self.text(at, node, "where"),
            self.text(at, node, "skip_when"),
            self.place(at),
        )

    def field(self, at: Path_, value: Any, contract: Contract, name: str) -> FieldSpec:
        node = self.mapping(at, value, _FIELD_KEYS)
        if sum(key in node for key in _VALUE_KEYS) != 1:
            raise self.error(at, f"{name} needs exactly one of {', '.join(_VALUE_KEYS)}")
        constant = node.get("constant")
        if not isinstance(constant, str | int | float | bool | None):
            raise self.error((*at, "constant"), "a constant is a text, a number, true, false or null")
        for key in ("format", "timezone"):
            if key in node and contract.field(name).type != "timestamp":
                raise self.error((*at, key), f"{key!r} is for timestamps; {name} is a {contract.field(name).type}")
        return FieldSpec(
            self.text(at, node, "column"),
            self.text(at, node, "cel"),
            constant,
            self.text(at, node, "format"),
            self.zone(at, node),
            self.place(at),
        )
