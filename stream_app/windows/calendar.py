"""Moments as milliseconds since the epoch, and back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

#: The library takes the very first microsecond of datetime for infinity, and the last ones for the year 10000.
_FIRST = datetime.min.replace(tzinfo=UTC) + timedelta(milliseconds=1)
_LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@lru_cache(4096)
def moment(milliseconds: int) -> datetime:
    """Milliseconds since the epoch as a UTC datetime; the first or last one where it is beyond what can be told."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return _LAST if milliseconds > 0 else _FIRST


@lru_cache(4096)
def shifted(milliseconds: int, seconds: int) -> datetime:
    """``moment`` and some seconds; OverflowError beyond what can be told."""
    return moment(milliseconds) + timedelta(seconds=seconds)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since the epoch."""
    return (moment - _EPOCH) // _MILLISECOND


#: ISO 8601 as it is written by people and machines: ``2010-12-01 08:26``, ``2010-12-01T08:26:00.5Z``.
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
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
