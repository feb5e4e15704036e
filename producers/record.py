"""What a producer hands on: one raw record, and the JSON text that it is made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import Any, NamedTuple

#: A member that holds the cells of a CSV row beyond the last column, so that they are judged and not lost.
SURPLUS = "surplus_cells"

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class RawRecord(NamedTuple):
    """One record for a raw topic.

    ``as_of_ms`` is the moment to judge it as of, in milliseconds since the epoch; None where the source has no time.
    """

    entity: str
    key: bytes | None
    value: bytes
    as_of_ms: int | None


def json_string(text: str) -> str:
    """``text`` as a JSON string, not escaped to ASCII."""
    return encode_basestring(text)


def json_value(value: Any) -> str:
    """Any JSON value as compact JSON; NaN and Infinity stay as they are, for the judge to reject."""
    return _encode(value)


def to_bytes(text: str) -> bytes:
    """``text`` as UTF-8; bytes that were no UTF-8 when they were read come out as they went in."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def key_bytes(fragment: str) -> bytes | None:
    """The Kafka key of a JSON fragment: the text of a string, the digits of a number; None of null."""
    if fragment == "null":
        return None
    if fragment.startswith('"'):
        return to_bytes(json.loads(fragment, strict=False))
    return to_bytes(fragment)


def memoised(function: Callable[[Any], Any], limit: int = 50_000) -> Callable[[Any], Any]:
    """``function`` with its results kept in a plain dictionary, emptied when it holds ``limit`` of them.

    The lookup of a known argument runs in C: columns repeat themselves, and this is what makes mapping fast.
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
