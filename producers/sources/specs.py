"""One entry of ``sources.yaml`` as frozen values: a source, its feeds, their fields, its paging."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any
from urllib.parse import urlsplit

#: Formats that ``format:`` may name.
FORMATS = ("csv", "jsonl", "parquet", "http")


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """The origin of one field: exactly one of a column, an expression and a constant.

    ``location``: ``file:line`` of the entry, for messages.
    """

    column: str | None = None
    cel: str | None = None
    constant: Any = None
    format: str | None = None
    zone: tzinfo | None = None
    location: str = ""


@dataclass(frozen=True, slots=True)
class FeedSpec:
    """The rows of a source that become records of one entity. ``fields`` None: the columns named like the contract's fields."""

    entity: str
    fields: Mapping[str, FieldSpec] | None = None
    distinct: str | None = None
    where: str | None = None
    skip_when: str | None = None
    location: str = ""


@dataclass(frozen=True, slots=True)
class Pages:
    """The paging of an HTTP API. All None: a `Link` header or a `next` address in the body, if available.

    ``next`` and ``cursor`` are JSON pointers into the body; ``parameter`` is the query parameter of the page number
    (from ``start``) or of the cursor.
    """

    next: str | None = None
    cursor: str | None = None
    parameter: str | None = None
    start: int = 1


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """One source: the files or the URL that it matches, how to read them, and the feeds that get its rows."""

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
    location: str = ""

    def takes_file(self, file_name: str) -> bool:
        """True if the glob matches this file name (without its folder)."""
        return self.match is not None and fnmatch.fnmatch(file_name, self.match)

    def takes_url(self, url: str) -> bool:
        """True if ``url`` is the source's own address; the query is ignored."""
        return self.url is not None and _without_query(self.url) == _without_query(url)

    def feeds_of(self, entity: str | None) -> tuple[FeedSpec, ...]:
        """Return the feeds of ``entity``; None: all feeds."""
        return tuple(feed for feed in self.feeds if entity is None or feed.entity == entity)


def _without_query(url: str) -> tuple[str, str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc, parts.path.rstrip("/")
