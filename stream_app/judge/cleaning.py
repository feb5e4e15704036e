"""Cleaning of a field's value before it is checked, and the steps that changed it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from stream_app.contract.dateformat import date_pattern
from stream_app.contract.model import Field

_INTEGER = re.compile(r"[+-]?\d{1,18}(?:\.0{1,6})?")
_NUMBER = re.compile(r"[+-]?(?:\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})(?:[eE][+-]?\d{1,2})?")
_SPACES = re.compile(r"\s+")
_MOMENT = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"(?:[T ](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?)?"
    r" ?(?P<offset>Z|z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_CANONICAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ROUNDS = 4
_TRUE, _FALSE = {"true", "yes", "1"}, {"false", "no", "0"}


def cleaner(field: Field) -> Callable[[Any], tuple[Any, list[str]]]:
    """Return a function from a raw JSON value to the cleaned value and the steps that changed it, in order.

    It never raises and never guesses: a value that a step cannot read stays as it is and goes to the checks.
    """
    apply = _step(field)
    spellings = {key.casefold(): value for key, value in field.spellings.items()}

    def clean(value: Any) -> tuple[Any, list[str]]:
        if not isinstance(value, (str, float)):  # a tuple is twice as fast as a union
            return value, []  # steps change strings and floats only
        done: list[str] = []
        # Repeat until nothing changes (upper case may undo NFC), so that a clean value stays clean when it is judged again.
        for _ in range(_ROUNDS):
            start = value
            for step in field.clean:
                before = value
                value = apply(step, value)
                if type(value) is not type(before) or value != before:
                    done.append(step)
            if value == start:
                break
        if isinstance(value, str) and spellings:
            spelled = spellings.get(value.casefold(), value)
            if spelled != value:
                value = spelled
                done.append("spelling")
        return value, list(dict.fromkeys(done))

    return clean


def _step(field: Field) -> Callable[[str, Any], Any]:
    """Return a function that applies one cleaning step to one value, by the field's options."""
    options = field.options
    # With `timezone: true` a string must have an offset.
    zone = None if options.get("timezone") else ZoneInfo(str(options.get("defaultTimezone", "UTC")))
    form = date_pattern(options["format"]) if field.type in ("timestamp", "date") and "format" in options else None

    def apply(step: str, value: Any) -> Any:
        if step == "number":
            return _number(value, field.type)
        if not isinstance(value, str):
            return value
        if step == "timestamp":
            return _timestamp(value, zone, form)
        if step == "date":
            return _date(value, form)
        return _text(step, value)

    return apply


def _text(step: str, value: str) -> Any:
    if step == "strip":
        return value.strip()
    if step == "collapse":
        return _SPACES.sub(" ", value)
    if step == "nfc":
        return unicodedata.normalize("NFC", value)
    if step == "lower":
        return value.lower()
    if step == "upper":
        return value.upper()
    if step == "emptyToNull":
        return value or None
    if step == "boolean":
        word = value.lower()
        return True if word in _TRUE else False if word in _FALSE else value
    raise AssertionError(f"unknown cleaning step {step!r}")


def _number(value: Any, kind: str) -> Any:
    """Read a number from a string, or an integer from a float; the value itself if that would lose something."""
    if isinstance(value, str) and value.isascii():
        if kind == "integer":
            return int(value.partition(".")[0]) if _INTEGER.fullmatch(value) else value
        return float(value) if _NUMBER.fullmatch(value) else value
    if kind == "integer" and isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _timestamp(value: str, zone: ZoneInfo | None, form: re.Pattern[str] | None) -> str:
    """Read ISO-like text, or text in the field's format, as ISO 8601 in UTC; without an offset it is local time of ``zone``."""
    if _CANONICAL.fullmatch(value):
        return value
    parts = _parts(value, form)
    offset = parts.get("offset")
    if not parts or (offset is None and zone is None):
        return value
    try:
        moment = _moment(parts, zone if offset is None else _offset(offset)).astimezone(UTC)
    except (ValueError, OverflowError):
        return value
    return moment.isoformat().replace("+00:00", "Z")


def _date(value: str, form: re.Pattern[str] | None) -> str:
    """Read text in the field's format, or ISO-like text whose time is midnight in its own offset, as ``yyyy-MM-dd``."""
    if _DAY.fullmatch(value):
        return value
    parts = _parts(value, form)
    try:
        moment = _moment(parts, None) if parts else None
    except ValueError:
        return value
    if moment is None or (moment.hour, moment.minute, moment.second, moment.microsecond) != (0, 0, 0, 0):
        return value
    return moment.date().isoformat()


def _parts(value: str, form: re.Pattern[str] | None) -> dict[str, str | None]:
    match = (form.fullmatch(value) if form else None) or _MOMENT.fullmatch(value)
    return match.groupdict() if match else {}


def _moment(parts: dict[str, str | None], zone: tzinfo | None) -> datetime:
    year, month, day, hour, minute, second = (
        int(parts.get(name) or 0) for name in ("year", "month", "day", "hour", "minute", "second")
    )
    fraction = (parts.get("fraction") or "0")[:6].ljust(6, "0")
    return datetime(year, month, day, hour, minute, second, int(fraction), tzinfo=zone)


def _offset(text: str) -> tzinfo:
    if text in "Zz":
        return UTC
    sign = -1 if text[0] == "-" else 1
    minutes = int(text[-2:]) if len(text) > 3 else 0
    return timezone(sign * timedelta(hours=int(text[1:3]), minutes=minutes))
