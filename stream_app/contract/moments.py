"""Read the moment that a text of a timestamp field names: one reader for the judge and for producers. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from stream_app.contract.dateformat import date_pattern

_ISO_LIKE = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"(?:[T ](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?)?"
    # Hours only (PostgreSQL) after a time of day: after a date alone, `-07` is more likely a damaged part of it. Seconds are
    # those of local mean times, before there were time zones.
    r" ?(?P<offset>Z|z|[+-]\d\d:?\d\d(?::\d\d)?|(?(hour)[+-]\d\d|(?!)))?",
    re.ASCII,
)

#: The parts of a text by name; empty where the text names no moment.
Parts = Mapping[str, str | None]


def moment_reader(options: Mapping[str, Any]) -> Callable[[str], datetime | None]:
    """Return the function from a text to the moment that it names, in UTC; None if it names none.

    ``options``: of a timestamp field. Text is ISO-like or has the field's ``format``; without an offset it is local time of
    ``defaultTimezone``, and with ``timezone: true`` it names no moment.
    """
    zone = None if options.get("timezone") else ZoneInfo(str(options.get("defaultTimezone", "UTC")))
    form = date_pattern(options["format"]) if "format" in options else None

    def read(text: str) -> datetime | None:
        parts = parts_of(text, form)
        offset = parts.get("offset")
        if not parts or (offset is None and zone is None):
            return None
        try:
            return moment_of(parts, zone if offset is None else _offset(offset)).astimezone(UTC)
        except (ValueError, OverflowError):
            return None

    return read


def parts_of(text: str, form: re.Pattern[str] | None) -> Parts:
    """Return the parts of a text in the format ``form``, or of ISO-like text."""
    match = (form.fullmatch(text) if form else None) or _ISO_LIKE.fullmatch(text)
    return match.groupdict() if match else {}


def moment_of(parts: Parts, zone: tzinfo | None) -> datetime:
    """Return the moment of parts; an hour or less that is missing is 0.

    Raises:
        ValueError: there is no such moment.
    """
    year, month, day, hour, minute, second = (
        int(parts.get(name) or 0) for name in ("year", "month", "day", "hour", "minute", "second")
    )
    fraction = (parts.get("fraction") or "0")[:6].ljust(6, "0")
    return datetime(year, month, day, hour, minute, second, int(fraction), tzinfo=zone)


def _offset(text: str) -> tzinfo:
    if text in "Zz":
        return UTC
    sign = -1 if text[0] == "-" else 1
    hours, minutes, seconds = (int(part) for part in re.findall(r"\d\d", text + "0000", re.ASCII)[:3])
    return timezone(sign * timedelta(hours=hours, minutes=minutes, seconds=seconds))
