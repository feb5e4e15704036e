"""One raw record as producers send it, and the JSON text that it is made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import Any, NamedTuple

#: The member for surplus cells of a CSV row, so that they are judged and not lost.
SURPLUS = "surplus_cells"

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class RawRecord(NamedTuple):
    """One record for a raw topic.

    ``as_of_ms``: time to judge the record as of, in milliseconds since the epoch; None if the source has no time.
    """

    entity: str
    key: bytes | None
    value: bytes
    as_of_ms: int | None


def json_string(text: str) -> str:
    """Return ``text`` as a JSON string, not escaped to ASCII."""
    return encode_basestring(text)


def json_value(value: Any) -> str:
    """Return any JSON value as compact JSON; NaN and Infinity stay, because the judge rejects them."""
    return _encode(value)


def to_bytes(text: str) -> bytes:
    """Return ``text`` as UTF-8; bytes that were not UTF-8 when they were read come out unchanged."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def key_bytes(fragment: str) -> bytes | None:
    """Return the Kafka key of a JSON fragment: the text of a string, the digits of a number, None for null."""
    if fragment == "null":
        return None
    if fragment.startswith('"'):
        return to_bytes(json.loads(fragment, strict=False))
    return to_bytes(fragment)


def memoised(function: Callable[[Any], Any], limit: int = 50_000) -> Callable[[Any], Any]:
    """Return ``function`` with its results kept in a dictionary, which is emptied at ``limit`` entries.

    Columns repeat their values, and the lookup of a known argument runs in C: this makes mapping fast.
    """
    return _Memo(function, limit).__getitem__


class _Memo(dict[Any, Any]):
    def __init__(self, function: Callable[[Any], Any], limit: int) -> None:
        super().__init__()
        self._function = function
        self._limit = limit

    def __missing__(self, key: Any) -> Any:
        value = self._function(key)
        if len(self) >= self._limit:
            self.clear()
        self[key] = value
        return value
