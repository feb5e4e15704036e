"""What a contract may ask for: the values of options, patterns, lists, cleaning steps and spellings, each held to its type."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic_core import SchemaError, SchemaValidator, core_schema

from stream_app.contract.dateformat import date_pattern, has_time
from stream_app.contract.formats import FLOATS, FORMATS, INTEGERS, REFUSED

_LONGEST = 2**31
_TEXT_STEPS = ("nfc", "strip", "collapse", "emptyToNull")
#: Cleaning steps by type. A step of another type would change values that are right already.
STEPS: Mapping[str, tuple[str, ...]] = {
    "string": (*_TEXT_STEPS, "lower", "upper"),
    "integer": (*_TEXT_STEPS, "number"),
    "number": (*_TEXT_STEPS, "number"),
    "boolean": (*_TEXT_STEPS, "boolean"),
    "timestamp": (*_TEXT_STEPS, "timestamp"),
    "date": (*_TEXT_STEPS, "date"),
}
_PLAIN: Mapping[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,)}


def option_problem(kind: str, option: str, value: Any) -> str | None:
    """Why ``value`` cannot be the ``option`` of a field of type ``kind``; ``None`` when it can."""
    if option == "format":
        return _format_problem(kind, value)
    if option == "pattern":
        return pattern_problem(value)
    if option == "defaultTimezone":
        return None if _is_zone(value) else f"{value!r} is no time zone; use a name such as Europe/London"
    if option == "timezone":
        return None if isinstance(value, bool) else "timezone is true (texts without an offset are refused) or false"
    if kind == "timestamp":
        return None if _is_moment(value) else f"{option} is a moment with an offset, such as 2000-01-01T00:00:00Z"
    if kind == "date":
        return None if _is_date(value) else f"{option} is a day, such as 2000-01-01"
    if kind in ("string", "integer"):
        if not _is_number(value) or value != int(value):
            return f"{option} of {kind} is a whole number"
    elif not _is_number(value):
        return f"{option} is a number"
    if option in ("minLength", "maxLength") and not 0 <= value < _LONGEST:
        return f"{option} is zero or more, and less than {_LONGEST:,}"
    if option == "multipleOf" and value <= 0:
        return "multipleOf is more than zero"
    return None


def bounds_problem(kind: str, options: Mapping[str, Any]) -> str | None:
    """Why no value can keep these bounds together; ``None`` when one can."""
    read = datetime.fromisoformat if kind in ("timestamp", "date") else lambda value: value
    for low in ("minLength", "minimum", "exclusiveMinimum"):
        for high in ("maxLength", "maximum", "exclusiveMaximum"):
            if low in options and high in options and read(options[low]) > read(options[high]):
                return f"{low} is above {high}, so that no value can be right; correct one"
    return None


def options_problem(options: Mapping[str, Any]) -> str | None:
    """Why these options contradict each other; ``None`` when they do not."""
    if options.get("timezone") is True and "defaultTimezone" in options:
        return "defaultTimezone is for texts without an offset, which `timezone: true` refuses; remove one"
    return None


def _format_problem(kind: str, value: Any) -> str | None:
    if kind in ("timestamp", "date"):
        try:
            date_pattern(value)
        except (ValueError, TypeError) as error:
            reason = error if isinstance(error, ValueError) else "it is no text"
            return f"the format {value!r} cannot be read: {reason}; write it such as dd/MM/yyyy"
        if kind == "date" and has_time(value):
            return f"the format {value!r} has a time of day; use logicalType timestamp"
        return None
    known = {"string": FORMATS, "integer": INTEGERS, "number": FLOATS}[kind]
    if not isinstance(value, str) or value not in known:
        cure = REFUSED.get(value) if isinstance(value, str) and kind == "string" else None
        return f"the format {value!r} is not supported; {cure or 'supported: ' + ', '.join(known)}"
    return None


def pattern_problem(pattern: Any) -> str | None:
    """Why ``pattern`` is no regular expression that both Python and the judge's linear-time engine read."""
    if not isinstance(pattern, str):
        return "the pattern is no regular expression: it is no text; quote it"
    try:
        re.compile(pattern)
        SchemaValidator(core_schema.str_schema(pattern=pattern))
    except re.error as error:
        return f"the pattern is no regular expression: {error}; correct it"
    except SchemaError as error:
        reason = str(error).splitlines()[-1].strip().removeprefix("error: ")
        return f"the pattern is no regular expression that runs in linear time: {reason}; write it without"
    return None


def listed_problem(kind: str, values: Any) -> str | None:
    """Why ``values`` cannot be the valid or missing values of a field of type ``kind``."""
    if kind not in _PLAIN:
        return f"values cannot be listed for a {kind}; use a condition"
    if not isinstance(values, list) or not values:
        return "the values are a list of at least one"
    for value in values:
        if not isinstance(value, _PLAIN[kind]) or (isinstance(value, bool) and kind != "boolean"):
            return f"{value!r} is not a value of type {kind}; quote texts such as NO, which YAML reads as false"
    return None


def missing_problem(kind: str, values: Any, steps: tuple[str, ...]) -> str | None:
    """Why ``values`` cannot stand for a missing value of a field that is cleaned by ``steps``; null may be among them."""
    if not isinstance(values, list) or not values:
        return "missingValues takes `arguments: {missingValues: […]}`, a list of at least one"
    if "" in values and "emptyToNull" in steps:
        return "the empty text is cleaned to null; write null instead of it"
    rest = [value for value in values if value is not None]
    return listed_problem(kind, rest) if rest else None


def unreachable_problem(values: list[Any], steps: tuple[str, ...], spellings: Mapping[str, str]) -> str | None:
    """Why one of ``values`` is never what cleaning leaves of a text, so that listing it does nothing."""
    folded = {spelling.casefold(): to for spelling, to in spellings.items()}
    for value in values:
        if not isinstance(value, str):
            continue
        left = as_cleaned(value, steps)
        left = folded.get(left.casefold(), left)
        if left != value:
            return f"{value!r} is cleaned to {left!r} before it is compared; write that, or change the cleaning"
    return None


def as_cleaned(text: str, steps: tuple[str, ...]) -> str:
    """What the text steps among ``steps`` make of a text, null aside."""
    for step in steps:
        if step == "strip":
            text = text.strip()
        elif step == "collapse":
            text = re.sub(r"\s+", " ", text)
        elif step == "nfc":
            text = unicodedata.normalize("NFC", text)
        elif step in ("lower", "upper"):
            text = text.lower() if step == "lower" else text.upper()
    return text


def cleaning_problem(kind: str, steps: Any) -> str | None:
    """Why ``steps`` cannot clean a field of type ``kind``."""
    if not isinstance(steps, list) or any(step not in STEPS[kind] for step in steps):
        return f"clean of {kind} is a list out of {', '.join(STEPS[kind])}"
    if "lower" in steps and "upper" in steps:
        return "clean has both lower and upper; keep one"
    return None


def spellings_problem(kind: str, spellings: Any, steps: tuple[str, ...]) -> str | None:
    """Why ``spellings`` cannot bring the texts of a field to one spelling."""
    if not isinstance(spellings, dict) or not all(isinstance(to, str) for to in spellings.values()):
        return "spellings maps texts to texts; quote each"
    if spellings and kind != "string":
        return f"spellings are for fields of type string, and this one is {kind}; remove them"
    folded: dict[str, str] = {}
    for spelling, to in spellings.items():
        if folded.setdefault(spelling.casefold(), to) != to:
            return f"{spelling!r} has two spellings (case does not count); keep one"
    for to in spellings.values():
        if folded.get(to.casefold(), to) != to:
            return f"{to!r} is a spelling of something else itself; map straight to the last one"
        cased = to.lower() if "lower" in steps else to.upper() if "upper" in steps else to
        if not to.isprintable() or to != " ".join(to.split()) or not to or cased != to:
            return f"{to!r} would be cleaned again; write it as the cleaning steps leave it"
    return None


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
