"""As-of moments: the time at which a record is judged, in ms since the epoch. Pure; every reader of one uses these rules.

A moment that neither a header nor Kafka states is UNKNOWN, never 1970: rules that compare with it find nothing, and the record
counts at its own event time or, without one, when it is applied.
"""

from __future__ import annotations

#: Stands for an as-of moment that nobody states.
UNKNOWN = -1
#: The moments that can be shown: 1970-01-01 up to, not including, 9999-01-01. A window of the last day and a time zone's shift
#: must stay within what ``datetime`` holds, and JSON and pages take whole milliseconds of either.
FIRST_MS, END_MS = 0, 253_370_764_800_000
#: A Kafka timestamp before 1980 is none: -1 and 0 say so, and seconds since the epoch look like milliseconds of the seventies
#: (of any day up to 9999). Microseconds and nanoseconds of a day after 1980 are beyond END_MS.
FIRST_KAFKA_MS = 315_532_800_000
#: The header of a pending record whose as-of moment is UNKNOWN.
UNKNOWN_HEADER = b"-1"
_DIGITS = len(str(END_MS))


def is_shown(ms: int) -> bool:
    """True if a moment is one that can be shown."""
    return FIRST_MS <= ms < END_MS


def of_kafka(timestamp: int) -> int:
    """Return the moment that a Kafka timestamp states; UNKNOWN if it is not plausible."""
    return timestamp if FIRST_KAFKA_MS <= timestamp < END_MS else UNKNOWN


def of_header(value: bytes | None) -> int | None:
    """Return the moment in the value of a ``headrace.as_of`` header; None if it is not one that can be shown."""
    if not value or len(value) > _DIGITS or not value.isdigit():
        return None
    moment = int(value)
    return moment if moment < END_MS else None


def to_header(ms: int) -> bytes:
    """Return the value of a ``headrace.as_of`` header; ``of_header`` reads it unless the moment is UNKNOWN."""
    return b"%d" % ms
