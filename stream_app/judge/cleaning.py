"""Cleaning: what a field's value becomes before it is checked, and the steps that changed it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from stream_app.contract.model import Field

_INTEGER = re.compile(r"[+-]?\d{1,18}(?:\.0{1,6})?")
_NUMBER = re.compile(r"[+-]?(?:\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})(?:[eE][+-]?\d{1,2})?")
_SPACES = re.compile(r"\s+")
_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)? ?(Z|z|[+-]\d\d:?\d\d)?", re.ASCII
)
_CANONICAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ROUNDS = 4
_TRUE, _FALSE = {"true", "yes", "1"}, {"false", "no", "0"}


def cleaner(field: Field) -> Callable[[Any], tuple[Any, list[str]]]:
    """A function from a raw JSON value to the cleaned one and the steps that changed it, in order.

    It never raises and never guesses: what a step cannot read stays as it is, for the checks to judge.
    """
    zone = ZoneInfo(str(field.options.get("defaultTimezone", "UTC")))
    spellings = {key.casefold(): value for key, value in field.spellings.items()}

    def clean(value: Any) -> tuple[Any, list[str]]:
        if value is None:
            return None, []
        done: list[str] = []
        # Again until nothing changes (upper case may undo NFC): what is clean stays so when it is judged again.
        for _ in range(_ROUNDS):
            start = value
            for step in field.clean:
                before = value
                value = _apply(step, value, field, zone)
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


def _apply(step: str, value: Any, field: Field, zone: ZoneInfo) -> Any:
    if step == "number":
        return _number(value, field.type)
    if not isinstance(value, str):
        return value
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
    if step == "timestamp":
        return _timestamp(value, zone)
    if step == "boolean":
        word = value.lower()
        return True if word in _TRUE else False if word in _FALSE else value
    raise AssertionError(f"no cleaning step {step}")


def _number(value: Any, kind: str) -> Any:
    """A number out of text, or an integer out of a float that is one; the value itself where that loses something."""
    if isinstance(value, str) and value.isascii():
        if kind == "integer":
            return int(value.partition(".")[0]) if _INTEGER.fullmatch(value) else value
        return float(value) if _NUMBER.fullmatch(value) else value
    if kind == "integer" and isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _timestamp(value: str, zone: ZoneInfo) -> str:
    """ISO 8601 in UTC out of ISO-like text; without an offset it is local time of ``zone``."""
    if _CANONICAL.fullmatch(value):
        return value
    match = _MOMENT.fullmatch(value)
    if not match:
        return value
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0),
            int((fraction or "0")[:6].ljust(6, "0")), tzinfo=_offset(offset, zone),
        ).astimezone(UTC)  # fmt: skip
    except (ValueError, OverflowError):
        return value
    return moment.isoformat().replace("+00:00", "Z")


def _offset(text: str | None, zone: ZoneInfo) -> Any:
    if text is None:
        return zone
    if text in "Zz":
        return UTC
    sign = -1 if text[0] == "-" else 1
    from datetime import timezone

    return timezone(sign * timedelta(hours=int(text[1:3]), minutes=int(text[-2:])))
