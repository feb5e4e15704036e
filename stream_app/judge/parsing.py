"""Untrusted bytes → a JSON object, or the record rule that they break."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic_core import from_json

#: Digits of a number that is too long to read.
_LONG = 400
_LONG_NUMBER = re.compile(rb"\d{%d}" % _LONG)
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


class RepeatedKeys(dict[str, Any]):
    """An object whose text has a key twice; it holds the last value, as JSON readers do."""


def parse_object(raw: bytes | None, max_bytes: int) -> dict[str, Any] | str:
    """Parse a JSON object; never raises.

    Returns:
        The object, as ``RepeatedKeys`` if a key appears twice; or the id of the record rule that ``raw`` breaks.
    """
    if raw is None:
        return "record.tombstone"
    if not raw or raw.isspace():
        return "record.empty"
    if len(raw) > max_bytes:
        return "record.oversized"
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return "record.encoding"
    # Outside of strings: a float has at most 309 digits before the point.
    if len(raw) >= _LONG and _LONG_NUMBER.search(raw) and _LONG_NUMBER.search(_STRING.sub(b'""', raw)):
        return "record.number"
    try:
        data = from_json(raw, allow_inf_nan=False)
    except (ValueError, RecursionError) as error:
        return _broken_rule(raw, error)
    if not isinstance(data, dict):
        return "record.notObject"
    return RepeatedKeys(data) if is_doubtful(raw, len(data)) and _repeats_key(text) else data


def is_doubtful(raw: bytes, count: int) -> bool:
    """True if a key may appear twice in an object of ``count`` keys, or a number may be too long to read.

    An object without either shows one ``":`` per key; escapes and spaces before a colon could hide one.
    """
    return bool(
        raw.count(b'":') != count
        or b"\\" in raw
        or b" :" in raw
        or b"\n:" in raw
        or b"\t:" in raw
        or b"\r:" in raw
        or (len(raw) > _LONG and _LONG_NUMBER.search(raw))
    )


def _broken_rule(raw: bytes, error: Exception) -> str:
    """Return the id of the rule that text breaks for which the parser raised ``error``."""
    if "recursion" in str(error) or isinstance(error, RecursionError):
        return "record.nesting"
    try:
        from_json(raw, allow_inf_nan=True)
    except (ValueError, RecursionError):
        return "record.syntax"
    return "record.number"


def _repeats_key(text: str) -> bool:
    found = False

    def pairs(items: list[tuple[str, Any]]) -> None:
        nonlocal found
        found = found or len({key for key, _ in items}) != len(items)

    json.loads(text, object_pairs_hook=pairs, parse_int=len, parse_float=len)
    return found
