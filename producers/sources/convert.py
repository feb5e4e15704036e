"""Convert cells to JSON fragments: a text becomes a value of its field's type if that loses nothing, else it stays a text.

A producer transfers data and does not repair it: `" 6"`, `"007"`, `"six"` and `"1 Dec 2010"` stay unchanged, and the
judge decides. Every function is pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from producers.record import json_string, json_value
from stream_app.contract.model import Field
from stream_app.windows.calendar import in_utc, parse_moment

_INTEGER = re.compile(r"(-?[1-9][0-9]*|0)(?:\.0+)?")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read texts as points in time.

    Attributes:
        zone: time zone of texts without an offset.
        format: format of strptime, in place of ISO 8601.
        shift_ms: moves every timestamp into the future, for further rounds of a loop.
    """

    zone: tzinfo = UTC
    format: str | None = None
    shift_ms: int = 0


def instant(text: str, reading: Reading = Reading()) -> datetime | None:
    """Return the instant that ``text`` names, unshifted, in UTC; None if it names none."""
    if reading.format is None:
        return parse_moment(text, reading.zone)
    try:
        return in_utc(datetime.strptime(text, reading.format), reading.zone)  # noqa: DTZ007 - the zone is set there
    except (ValueError, OverflowError):
        return None


def write_instant(moment: datetime, shift_ms: int = 0) -> str | None:
    """Return ``2010-12-01T08:26:00Z``, with a fraction only if it is not zero; None if the shift leaves the calendar."""
    try:
        moment = (moment + timedelta(milliseconds=shift_ms)).astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        return None
    text = moment.isoformat()
    return f"{text.rstrip('0') if moment.microsecond else text}Z"


def timestamp_text(text: str, reading: Reading) -> str:
    """Return ``text`` as a shifted UTC timestamp; ``text`` itself if it is not a timestamp."""
    moment = instant(text, reading)
    return (write_instant(moment, reading.shift_ms) if moment else None) or text


def _integer(text: str) -> str:
    match = _INTEGER.fullmatch(text)
    return match[1] if match else json_string(text)


def _number(text: str) -> str:
    if _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return text
    return json_string(text)


def _boolean(text: str) -> str:
    lower = text.lower()
    return lower if lower in {"true", "false"} else json_string(text)


def cell_converter(field: Field, reading: Reading = Reading()) -> Callable[[str], str]:
    """Return the function from a text cell of ``field`` to a JSON fragment; an empty cell is null."""

    def timestamp(text: str) -> str:
        return json_string(timestamp_text(text, reading))

    by_type: dict[str, Callable[[str], str]] = {
        "integer": _integer,
        "number": _number,
        "boolean": _boolean,
        "timestamp": timestamp,
    }
    convert = by_type.get(field.type, json_string)
    return lambda text: convert(text) if text else "null"


def value_converter(field: Field, reading: Reading = Reading()) -> Callable[[Any], str]:
    """Return the function from a typed value (JSON, Parquet) to a JSON fragment; the type is kept.

    Texts of a timestamp field are read as points in time only if ``reading`` has a format, a time zone or a shift. Points in
    time become texts, because JSON has no such type.
    """
    rereads = field.type == "timestamp" and reading != Reading()

    def convert(value: Any) -> str:
        if isinstance(value, datetime):
            moment = value if value.tzinfo else value.replace(tzinfo=reading.zone)
            return json_string(write_instant(moment, reading.shift_ms) or value.isoformat())
        if rereads and isinstance(value, str):
            return json_string(timestamp_text(value, reading))
        return json_value(value)

    return convert
