"""Values that a contract may set for a field: options, patterns, listed values. Each check returns a problem or ``None``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic_core import SchemaError, SchemaValidator, core_schema

from stream_app.contract.dateformat import date_pattern, has_time
from stream_app.contract.formats import FLOATS, FORMATS, INTEGERS, REFUSED

_MAX_LENGTH = 2**31
#: Types whose values can be listed.
_LISTABLE: Mapping[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,)}


def option_problem(kind: str, option: str, value: Any) -> str | None:
    """Return why ``value`` cannot be the ``option`` of a field of type ``kind``; ``None`` if it can."""
    if option == "format":
        return _format_problem(kind, value)
    if option == "pattern":
        return pattern_problem(value)
    given = f"{option} {value!r}"
    if option == "defaultTimezone":
        return None if _is_zone(value) else f"{given} is not a time zone; use a name such as Europe/London"
    if option == "timezone":
        return None if isinstance(value, bool) else f"{given} is not a boolean; write true to reject strings without an offset"
    if kind == "timestamp":
        return None if _is_moment(value) else f"{given} is not a moment with an offset; write one such as 2000-01-01T00:00:00Z"
    if kind == "date":
        return None if _is_date(value) else f"{given} is not a day; write one such as 2000-01-01"
    if kind in ("string", "integer"):
        if not _is_number(value) or value != int(value):
            return f"{given} is not a whole number; write one"
    elif not _is_number(value):
        return f"{given} is not a number; write one"
    if option in ("minLength", "maxLength") and not 0 <= value < _MAX_LENGTH:
        return f"{given} is out of range; write a number from 0 to {_MAX_LENGTH - 1:,}"
    if option == "multipleOf" and value <= 0:
        return f"{given} is not above zero; write a positive number"
    return None


def bounds_problem(kind: str, options: Mapping[str, Any]) -> str | None:
    """Return why no value satisfies all of these bounds; ``None`` if one can."""
    read = datetime.fromisoformat if kind in ("timestamp", "date") else lambda value: value
    for low in ("minLength", "minimum", "exclusiveMinimum"):
        for high in ("maxLength", "maximum", "exclusiveMaximum"):
            if low in options and high in options and read(options[low]) > read(options[high]):
                return f"{low} is above {high}, so that no value is valid; correct one"
    return None


def options_problem(options: Mapping[str, Any]) -> str | None:
    """Return why these options contradict each other; ``None`` if they do not."""
    if options.get("timezone") is True and "defaultTimezone" in options:
        return "defaultTimezone is for strings without an offset, which `timezone: true` rejects; remove one"
    return None


def _format_problem(kind: str, value: Any) -> str | None:
    if kind in ("timestamp", "date"):
        try:
            date_pattern(value)
        except (ValueError, TypeError) as error:
            reason = error if isinstance(error, ValueError) else "it is not a string"
            return f"the format {value!r} is not valid: {reason}; write it as in dd/MM/yyyy"
        if kind == "date" and has_time(value):
            return f"the format {value!r} has a time of day; use logicalType timestamp"
        return None
    known = {"string": FORMATS, "integer": INTEGERS, "number": FLOATS}[kind]
    if not isinstance(value, str) or value not in known:
        cure = REFUSED.get(value) if isinstance(value, str) and kind == "string" else None
        return f"unsupported format {value!r}; {cure or 'supported: ' + ', '.join(known)}"
    return None


def pattern_problem(pattern: Any) -> str | None:
    """Return why Python or the judge's linear-time engine cannot read ``pattern``; ``None`` if both can."""
    if not isinstance(pattern, str):
        return "the pattern is not a regular expression: it is not a string; quote it"
    try:
        re.compile(pattern)
        SchemaValidator(core_schema.str_schema(pattern=pattern))
    except re.error as error:
        return f"the pattern is not a regular expression: {error}; correct it"
    except SchemaError as error:
        reason = str(error).splitlines()[-1].strip().removeprefix("error: ")
        return f"the pattern is not a regular expression that runs in linear time: {reason}; write it without"
    return None


def listed_problem(kind: str, values: Any) -> str | None:
    """Return why ``values`` cannot be the valid or missing values of a field of type ``kind``."""
    if kind not in _LISTABLE:
        return f"values of a {kind} cannot be listed; use a condition"
    if not isinstance(values, list) or not values:
        return "the values are not a list of at least one; write [value, …]"
    for value in values:
        if not isinstance(value, _LISTABLE[kind]) or (isinstance(value, bool) and kind != "boolean"):
            return f"{value!r} is not a value of type {kind}; quote strings such as NO, which YAML reads as false"
    return None


def missing_problem(kind: str, values: Any, steps: tuple[str, ...]) -> str | None:
    """Return why ``values`` cannot stand for a missing value of a field cleaned by ``steps``; null may be among them."""
    if not isinstance(values, list) or not values:
        return "missingValues is not a list of at least one; write `arguments: {missingValues: […]}`"
    if "" in values and "emptyToNull" in steps:
        return "the empty string is cleaned to null; write null instead"
    rest = [value for value in values if value is not None]
    return listed_problem(kind, rest) if rest else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_moment(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (ValueError, TypeError):
        return False


def _is_date(value: Any) -> bool:
    try:
        return len(value) == 10 and bool(date.fromisoformat(value))
    except (ValueError, TypeError):
        return False


def _is_zone(value: Any) -> bool:
    try:
        return bool(ZoneInfo(value).key)
    except (ValueError, TypeError, OSError, LookupError):
        return False
