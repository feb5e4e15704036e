"""Read ``sources.yaml``, which maps a shop's files and APIs to records: an unknown key is an error with its line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from producers.sources.specs import FORMATS, FeedSpec, FieldSpec, Pages, SourceSpec
from stream_app.contract.document import Document, Path_, read_document
from stream_app.contract.model import Contract, Shop
from stream_app.errors import DocumentError

SOURCE_KEYS = ("name", "match", "url", "format", "time", "timezone", "delimiter", "encoding", "feeds", "items", "pages")
FEED_KEYS = ("entity", "distinct", "where", "skip_when", "fields")
_VALUE_KEYS = ("column", "cel", "constant")
FIELD_KEYS = (*_VALUE_KEYS, "format", "timezone")
PAGE_KEYS = ("next", "cursor", "parameter", "start")


def read_mapping(shop: Shop) -> tuple[SourceSpec, ...]:
    """Return the sources of a shop; none if it has no ``sources.yaml``.

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
            raise document.error(("sources", index, "name"), f"the source {spec.name!r} appears twice; rename one")
    return tuple(specs)


class _Reader:
    """Checks the nodes of the document; every error names the file and the line."""

    def __init__(self, document: Document, shop: Shop) -> None:
        self.document = document
        self.shop = shop

    def error(self, at: Path_, message: str) -> DocumentError:
        return self.document.error(at, message)

    def location(self, at: Path_) -> str:
        return f"{self.document.file}:{self.document.line(*at)}"

    def mapping(self, at: Path_, value: Any, known: tuple[str, ...], needed: tuple[str, ...] = ()) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.error(at, f"expected a mapping with the keys {', '.join(known)}")
        for key in value:
            if key not in known:
                close = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
                raise self.error((*at, key), f"unknown key {key!r}; {hint}")
        for key in needed:
            if key not in value:
                raise self.error(at, f"{key!r} is missing; add it")
        return value

    def listing(self, at: Path_, value: Any) -> list[Any]:
        if not isinstance(value, list) or not value:
            raise self.error(at, "expected a list with at least one entry; start its lines with `- `")
        return value

    def text(self, at: Path_, node: Mapping[str, Any], key: str) -> str | None:
        value = node.get(key)
        if key in node and (not isinstance(value, str) or not value):
            raise self.error((*at, key), f"{key} is not a string; put it in quotes")
        return value

    def zone(self, at: Path_, node: Mapping[str, Any]) -> tzinfo | None:
        name = self.text(at, node, "timezone")
        if name is None:
            return None
        try:
            return UTC if name == "UTC" else ZoneInfo(name)
        except (ValueError, OSError, LookupError):
            raise self.error((*at, "timezone"), f"unknown time zone {name!r}; write one such as Europe/London") from None

    def source(self, at: Path_, value: Any) -> SourceSpec:
        node = self.mapping(at, value, SOURCE_KEYS, ("name",))
        match, url, kind = self.text(at, node, "match"), self.text(at, node, "url"), self.text(at, node, "format")
        self.check_kind(at, node, match, url, kind)
        delimiter, encoding = self.text(at, node, "delimiter"), self.text(at, node, "encoding") or "utf-8"
        if delimiter is not None and len(delimiter) != 1:
            raise self.error((*at, "delimiter"), 'a delimiter is one character; write a tab as "\\t"')
        try:
            "".encode(encoding)
        except LookupError:
            raise self.error((*at, "encoding"), f"unknown encoding {encoding!r}; write one such as latin-1") from None
        feeds = [
            self.feed((*at, "feeds", index), item) for index, item in enumerate(self.listing((*at, "feeds"), node.get("feeds")))
        ]
        for index, feed in enumerate(feeds):
            if any(feed.entity == other.entity for other in feeds[:index]):
                raise self.error((*at, "feeds", index), f"the source has two feeds for {feed.entity}; remove one")
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
            location=self.location(at),
        )

    def check_kind(self, at: Path_, node: Mapping[str, Any], match: str | None, url: str | None, kind: str | None) -> None:
        """Refuse a source whose ``match``, ``url``, ``format`` and the keys of one format contradict each other."""
        if (match is None) == (url is None):
            raise self.error(at, "a source needs either `match` (a glob on the file name) or `url`; write one of them")
        if kind is not None and kind not in FORMATS:
            raise self.error((*at, "format"), f"unknown format {kind!r}; formats: {', '.join(FORMATS)}")
        if (url is not None) != (kind == "http") and (url is None or kind is not None):
            raise self.error((*at, "format"), "`format: http` and `url` need each other; write both or neither")
        if url is not None and not re.match(r"https?://[^/\s]+", url):
            raise self.error((*at, "url"), "the url has an invalid format. Expected: http:// or https:// and a host")
        if url is not None and "@" in urlsplit(url).netloc:
            raise self.error((*at, "url"), "a url must not contain a user or a password; set HEADRACE_SOURCE_TOKEN")
        for key in ("items", "pages"):
            if key in node and url is None:
                raise self.error((*at, key), f"{key!r} is only for a source with `url`; remove it")
        for key in ("delimiter", "encoding"):
            if key in node and kind not in (None, "csv"):
                raise self.error((*at, key), f"{key!r} is only for a CSV source; remove it")

    def pointer(self, at: Path_, node: Mapping[str, Any], key: str) -> str | None:
        value = node.get(key)
        if key in node and (not isinstance(value, str) or (value and not value.startswith("/"))):
            raise self.error((*at, key), f"{key} is not a JSON pointer; write one such as /data/items")
        return value

    def pages(self, at: Path_, value: Any) -> Pages:
        node = self.mapping(at, value, PAGE_KEYS)
        pages = Pages(
            self.pointer(at, node, "next"), self.pointer(at, node, "cursor"), self.text(at, node, "parameter"),
            node.get("start", 1),
        )  # fmt: skip
        if type(pages.start) is not int:
            raise self.error((*at, "start"), "start is not a whole number; write the number of the first page")
        if pages.next is not None and (pages.cursor or pages.parameter):
            raise self.error((*at, "next"), "`next` excludes `cursor` and `parameter`; remove one of the two ways of paging")
        if pages.cursor is not None and pages.parameter is None:
            raise self.error((*at, "cursor"), "`cursor` needs `parameter`, the query parameter that carries it; add it")
        if "start" in node and (pages.parameter is None or pages.cursor is not None):
            raise self.error((*at, "start"), "`start` is only for page numbers (`parameter` without `cursor`); remove it")
        return pages

    def feed(self, at: Path_, value: Any) -> FeedSpec:
        node = self.mapping(at, value, FEED_KEYS, ("entity",))
        entity = self.text(at, node, "entity") or ""
        if entity not in self.shop.contracts:
            raise self.error((*at, "entity"), f"unknown entity {entity!r}; entities: {', '.join(self.shop.contracts)}")
        contract = self.shop.contracts[entity]
        fields = None
        if "fields" in node:
            names = tuple(item.name for item in contract.fields)
            mapped = self.mapping((*at, "fields"), node["fields"], names)
            fields = {name: self.field((*at, "fields", name), mapped[name], contract, name) for name in mapped}
            if not fields:
                raise self.error((*at, "fields"), "`fields` is empty; map at least one field, or remove `fields`")
        return FeedSpec(
            entity,
            fields,
            self.text(at, node, "distinct"),
            self.text(at, node, "where"),
            self.text(at, node, "skip_when"),
            self.location(at),
        )

    def field(self, at: Path_, value: Any, contract: Contract, name: str) -> FieldSpec:
        node = self.mapping(at, value, FIELD_KEYS)
        if sum(key in node for key in _VALUE_KEYS) != 1:
            raise self.error(at, f"{name} needs exactly one of {', '.join(_VALUE_KEYS)}")
        constant = node.get("constant")
        if not isinstance(constant, str | int | float | bool | None):
            raise self.error((*at, "constant"), "the constant is not a string, number, true, false or null; write one of these")
        for key in ("format", "timezone"):
            if key in node and contract.field(name).type != "timestamp":
                kind = contract.field(name).type
                raise self.error((*at, key), f"{key!r} is only for timestamps, and {name} is of type {kind}; remove it")
        return FieldSpec(
            self.text(at, node, "column"),
            self.text(at, node, "cel"),
            constant,
            self.text(at, node, "format"),
            self.zone(at, node),
            self.location(at),
        )
