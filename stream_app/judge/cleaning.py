"""Cleaning of a field's value before it is checked, and the steps that changed it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from stream_app.contract.dateformat import date_pattern
from stream_app.contract.model import Field
from stream_app.contract.moments import moment_of, moment_reader, parts_of

_INTEGER = re.compile(r"[+-]?0{0,18}\d{1,19}(?:\.0{1,20})?")
_INT64 = 2**63
#: Texts that are read at once; ``_LONG_NUMBER`` is read with care. The longest float without an exponent has 309 digits.
_NUMBER = re.compile(r"[+-]?(?:\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})(?:[eE][+-]?\d{1,2})?")
_LONG_NUMBER = re.compile(r"[+-]?(?:\d{1,309}(?:\.\d{0,340})?|\.\d{1,340})(?:[eE][+-]?\d{1,3})?")
_SPACES = re.compile(r"\s+")
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

    # A step changes strings, and whole floats if the field is an integer; a canonical timestamp stays as it is.
    kinds: tuple[type, ...] = (str, float) if field.type == "integer" else (str,)
    dated = field.type == "timestamp" and "lower" not in field.clean and not spellings

    def clean(value: Any) -> tuple[Any, list[str]]:
        if not isinstance(value, kinds) or (dated and _CANONICAL.fullmatch(str(value))):
            return value, []
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
    read = moment_reader(options if field.type == "timestamp" else {})
    form = date_pattern(options["format"]) if field.type == "date" and "format" in options else None

    def apply(step: str, value: Any) -> Any:
        if step == "number":
            return _number(value, field.type)
        if not isinstance(value, str):
            return value
        if step == "timestamp":
            return _timestamp(value, read)
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
            return _integer(value)
        return float(value) if _NUMBER.fullmatch(value) else _long_number(value)
    if kind == "integer" and isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _integer(value: str) -> Any:
    if not _INTEGER.fullmatch(value):
        return value
    number = int(value.partition(".")[0])
    return number if -_INT64 <= number < _INT64 else value


def _long_number(value: str) -> Any:
    """Read a text of many digits if it is one of a float's own texts: the shortest one, or the one of 17 digits."""
    if not _LONG_NUMBER.fullmatch(value):
        return value
    number = float(value)
    return number if Decimal(value) in (Decimal(repr(number)), Decimal(f"{number:.16e}")) else value


def _timestamp(value: str, read: Callable[[str], datetime | None]) -> str:
    """Write the moment that a text names as ISO 8601 in UTC."""
    if _CANONICAL.fullmatch(value):
        return value
    moment = read(value)
    return value if moment is None else moment.isoformat().replace("+00:00", "Z")


def _date(value: str, form: re.Pattern[str] | None) -> str:
    """Read text in the field's format, or ISO-like text whose time is midnight in its own offset, as ``yyyy-MM-dd``."""
    if _DAY.fullmatch(value):
        return value
    parts = parts_of(value, form)
    try:
        moment = moment_of(parts, None) if parts else None
    except ValueError:
        return value
    if moment is None or (moment.hour, moment.minute, moment.second, moment.microsecond) != (0, 0, 0, 0):
        return value
    return moment.date().isoformat()
