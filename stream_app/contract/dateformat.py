"""Date formats of ODCS (a part of the JDK's DateTimeFormatter) → regular expressions."""

from __future__ import annotations

import re
from functools import cache

_PARTS = {
    "yyyy": r"(?P<year>\d{4})",
    "uuuu": r"(?P<year>\d{4})",
    "MM": r"(?P<month>\d\d)",
    "M": r"(?P<month>\d\d?)",
    "dd": r"(?P<day>\d\d)",
    "d": r"(?P<day>\d\d?)",
    "HH": r"(?P<hour>\d\d)",
    "H": r"(?P<hour>\d\d?)",
    "mm": r"(?P<minute>\d\d)",
    "ss": r"(?P<second>\d\d)",
    "SSS": r"(?P<fraction>\d{3})",
    "SSSSSS": r"(?P<fraction>\d{6})",
    "X": r"(?P<offset>Z|[+-]\d\d(?::?\d\d)?)",
    "XXX": r"(?P<offset>Z|[+-]\d\d:\d\d)",
}
_TOKEN = re.compile(r"'(?P<quoted>[^']*)'|(?P<letters>([A-Za-z])\3*)|(?P<other>.)", re.DOTALL)
_DATE = ("year", "month", "day")


@cache
def date_pattern(format_: str) -> re.Pattern[str]:
    """Return the regular expression of a format: groups year, month, day and, if the format has them, hour … offset.

    Raises:
        ValueError: a part is not supported, or the format does not determine the day.
    """
    expression, names = "", []
    for token in _TOKEN.finditer(format_):
        letters = token["letters"]
        if letters is None:
            expression += re.escape(token["other"] if token["quoted"] is None else token["quoted"] or "'")
            continue
        if letters not in _PARTS:
            raise ValueError(f"unsupported part {letters!r} (supported: {', '.join(_PARTS)})")
        expression += _PARTS[letters]
        names.append(_PARTS[letters][4:].partition(">")[0])
    if len(set(names)) != len(names):
        raise ValueError("a part appears twice")
    if any(name not in names for name in _DATE):
        raise ValueError("year, month or day is missing")
    if names[0] == "year" and tuple(name for name in names if name in _DATE) != _DATE:
        raise ValueError("month and day do not follow the year in this order")
    needs = (("second", "minute"), ("minute", "hour"), ("fraction", "second"), ("offset", "hour"))
    for part, other in needs:
        if part in names and other not in names:
            raise ValueError(f"it has a {part} without {'an' if other == 'hour' else 'a'} {other}")
    return re.compile(expression, re.ASCII)


def has_time(format_: str) -> bool:
    """True if the format has a time of day."""
    return "hour" in date_pattern(format_).groupindex
