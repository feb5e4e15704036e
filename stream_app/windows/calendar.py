"""Moments as milliseconds since the epoch, and the hours of a week (UTC) that windows belong to."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from stream_app.windows.as_of import is_shown
from stream_app.windows.grain import Grain

#: The wall clock, in ms since the epoch. Callers pass one, so that a test can set it.
Clock = Callable[[], int]

# --- moments ----------------------------------------------------------------------------------------------------------

#: CEL takes the very first microsecond of datetime for infinity, and the last ones for the year 10000.
_FIRST = datetime.min.replace(tzinfo=UTC) + timedelta(milliseconds=1)
_LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@lru_cache(4096)
def moment(milliseconds: int) -> datetime:
    """Return milliseconds since the epoch as a UTC datetime; outside the years 1 to 9999, the first or the last one."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return _LAST if milliseconds > 0 else _FIRST


@lru_cache(4096)
def shifted(milliseconds: int, seconds: int) -> datetime:
    """Return ``moment`` plus some seconds.

    Raises:
        OverflowError: the result is outside the years 1 to 9999.
    """
    return moment(milliseconds) + timedelta(seconds=seconds)


def iso(milliseconds: int | None) -> str | None:
    """Return ``2026-11-23T11:41:00.000Z``; None if there is no moment, or not one that can be shown."""
    if milliseconds is None or not is_shown(milliseconds):
        return None
    return moment(milliseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(moment: datetime) -> int:
    """Return whole milliseconds since the epoch."""
    return (moment - _EPOCH) // _MILLISECOND


#: ISO 8601 as people and machines write it: ``2010-12-01 08:26``, ``2010-12-01T08:26:00.5Z``, ``2010-12-01 08:26:00+00``.
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
    r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2}(?::[0-9]{2})?)?)?"
)


def parse_moment(text: str, zone: tzinfo = UTC) -> datetime | None:
    """Return the moment that ``text`` names in ISO 8601, in UTC; ``None`` if it names none.

    ``zone``: that of texts without an offset.
    """
    if not _TIMESTAMP.fullmatch(text):
        return None
    try:
        return in_utc(datetime.fromisoformat(text), zone)
    except (ValueError, OverflowError):
        return None


def in_utc(moment: datetime, zone: tzinfo) -> datetime:
    """Return ``moment`` in UTC; ``zone``: that of one without an offset.

    Raises:
        OverflowError: the moment is outside the years 1 to 9999 in UTC.
    """
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


# --- cells of a week ---------------------------------------------------------------------------------------------------

_SATURDAY = 5


def cell(start: int, grain: Grain) -> int:
    """Return the hour of the week of a window (0 is Monday 0 h UTC); of a window of a day the day of the week.

    ``start``: seconds since the epoch.
    """
    days, seconds = divmod(start, 86_400)
    # The epoch was a Thursday.
    day = (days + 3) % 7
    return day if grain is Grain.DAY else day * 24 + seconds // 3_600


@lru_cache(512)
def alike(cell: int, grain: Grain) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the cells of the same hour on days of the same kind (Monday to Friday, or the weekend), and on all days."""
    day = weekday(cell, grain)
    same_kind = range(_SATURDAY) if day < _SATURDAY else range(_SATURDAY, 7)
    if grain is Grain.DAY:
        return tuple(same_kind), tuple(range(7))
    hour = cell % 24
    return tuple(each * 24 + hour for each in same_kind), tuple(each * 24 + hour for each in range(7))


def weekday(cell: int, grain: Grain) -> int:
    """Return the day of the week of a cell; 0 is Monday."""
    return cell if grain is Grain.DAY else cell // 24


def daily_cell(start: int, grain: Grain) -> int:
    """Return the hour of the day of a window (UTC); of a window of a day the day of the week."""
    found = cell(start, grain)
    return found if grain is Grain.DAY else found % 24
