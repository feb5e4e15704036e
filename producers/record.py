"""What a producer hands on: one raw record, and the JSON text that it is made of."""

from __future__ import annotations

import json
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
