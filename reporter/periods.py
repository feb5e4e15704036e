"""Which period a report is about, by the stream's own time. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from stream_app.errors import SettingsError
from stream_app.windows.grain import LONGEST, Grain

MINUTE, HOUR, DAY = 60, 3_600, 86_400
#: Lengths that a young stream is reported in until it covers a whole period, and that ``--once`` chooses from.
LADDER = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY)

_LENGTH = re.compile(r"([1-9]\d{0,5})\s*(m|min|h|d)")
_SECONDS = {"m": MINUTE, "min": MINUTE, "h": HOUR, "d": DAY}


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """From ``start`` up to ``end``, epoch seconds of event time, whole minutes."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start

    @property
    def before(self) -> Period:
        """The equally long period before."""
        return Period(self.start - self.length, self.start)

    def report_id(self, language: str) -> str:
        """The id of the one report about this period in a language: ``20261123T1000-20261124T1000-en``."""
        begin, end = (datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M") for at in (self.start, self.end))
        return f"{begin}-{end}-{language}"


def parse_length(text: str) -> int:
    """``15m``, ``24h``, ``7d`` as seconds.

    Raises:
        SettingsError: it is no such length, or longer than a year.
    """
    found = _LENGTH.fullmatch(text.strip())
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not MINUTE <= seconds <= LONGEST:
        raise SettingsError(f"{text[:20]!r} is no length of a period; write minutes, hours or days, such as 15m, 24h or 7d")
    return seconds


def parse_moment(text: str) -> int:
    """``2026-11-23T10:00Z`` or ``2026-11-23`` as epoch seconds; UTC where no zone is given.

    Raises:
        SettingsError: it is no such moment, or not a whole minute.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        moment = None
    if moment is None or moment.second or moment.microsecond:
        raise SettingsError(f"{text[:40]!r} is no moment; write a whole minute such as 2026-11-23T10:00Z, or 2026-11-23")
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def up_to(stream_ms: int, length: int) -> Period:
    """The period that ends with the minute that holds the stream's time, itself included.

    A long one ends with its hour or day: the minutes and hours at the beginning of the period before are no longer kept.
    """
    unit = next((grain.seconds for grain in (Grain.MINUTE, Grain.HOUR) if 2 * length < grain.kept * grain.seconds), DAY)
    end = (stream_ms // 1000 // unit + 1) * unit
    length = -(-length // unit) * unit
    return Period(end - length, end)


def suggested(first: int | None, stream_ms: int) -> tuple[Period, ...]:
    """Periods up to the stream's time that it covers twice, so that there is something to compare with, longest first."""
    covered = 0 if first is None else stream_ms // 1000 - first
    return tuple(up_to(stream_ms, length) for length in reversed(LADDER) if 2 * length <= covered)


def complete(stream_ms: int, every: int, grace: float) -> tuple[Period, ...]:
    """The newest aligned period of each length that is over: ``every`` first, ``grace`` seconds of event time included.

    Then the shorter ones of LADDER, longest first, for a young stream: a first report need not be final, so without grace.
    """
    lengths = [every, *(length for length in reversed(LADDER) if length < every)]
    ends = [int((stream_ms / 1000 - (grace if length == every else 0)) // length) * length for length in lengths]
    return tuple(Period(end - length, end) for end, length in zip(ends, lengths, strict=True) if end >= length)
