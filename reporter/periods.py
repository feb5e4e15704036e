"""Periods of reports, in the stream's own time. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from stream_app.errors import SettingsError
from stream_app.windows.grain import LONGEST, Grain
from stream_app.windows.zone import UTC as ZONE_UTC
from stream_app.windows.zone import Zone

MINUTE, HOUR, DAY = 60, 3_600, 86_400
#: Lengths (s) of the first reports about a young stream, until it covers a whole period; ``--once`` chooses from them.
SHORT_LENGTHS = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY)

#: Ends the id of a report about a period that is not over.
PROVISIONAL = "-provisional"

_LENGTH = re.compile(r"([1-9]\d{0,5})\s*(m|min|h|d)")
_SECONDS = {"m": MINUTE, "min": MINUTE, "h": HOUR, "d": DAY}


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """From ``start`` up to ``end``, epoch seconds of event time, whole minutes."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Seconds."""
        return self.end - self.start

    @property
    def before(self) -> Period:
        """The previous period of the same length."""
        return Period(self.start - self.length, self.start)

    def earlier(self, seconds: int | None = None) -> Period:
        """Return the period of the same length that many seconds before; None: its length."""
        back = self.length if seconds is None else seconds
        return Period(self.start - back, self.end - back)

    def cut(self, stream_ms: int) -> Period | None:
        """Return the part of the period that the stream has passed, up to its last complete minute, hour or day.

        None if there is none. The unit is the finest whose windows of the previous period are still kept.
        """
        unit = _unit(self.length)
        end = min(self.end, stream_ms // 1000 // unit * unit)
        return Period(self.start, end) if end > self.start else None

    def report_id(self, language: str) -> str:
        """Return the id of the report about this period in a language: ``20261123T1000-20261124T1000-en``."""
        begin, end = (datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M") for at in (self.start, self.end))
        return f"{begin}-{end}-{language}"


def parse_length(text: str) -> int:
    """Parse ``15m``, ``24h`` or ``7d`` into seconds.

    Raises:
        SettingsError: the text has another format, or the length exceeds a year.
    """
    found = _LENGTH.fullmatch(text.strip())
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not MINUTE <= seconds <= LONGEST:
        raise SettingsError(f"{text[:20]!r} is not a length of a period; write minutes, hours or days, such as 15m, 24h or 7d")
    return seconds


def parse_moment(text: str, zone: Zone = ZONE_UTC) -> int:
    """Parse ``2026-11-23T10:00Z`` or ``2026-11-23`` into epoch seconds; without an offset it is a time of ``zone``.

    Raises:
        SettingsError: the text has another format, or is not a whole minute.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        moment = None
    if moment is None or moment.second or moment.microsecond:
        raise SettingsError(f"{text[:40]!r} is not a moment; write a whole minute such as 2026-11-23T10:00Z, or 2026-11-23")
    return int((moment if moment.tzinfo else moment.replace(tzinfo=zone.info)).timestamp())


def up_to(stream_ms: int, length: int) -> Period:
    """Return the period that ends with the minute of the stream's time.

    A long period ends with the hour or day, because finer windows of the previous period are no longer kept.
    """
    unit = _unit(length)
    end = (stream_ms // 1000 // unit + 1) * unit
    length = -(-length // unit) * unit
    return Period(end - length, end)


def _unit(length: int) -> int:
    return next((grain.seconds for grain in (Grain.MINUTE, Grain.HOUR) if 2 * length < grain.kept * grain.seconds), DAY)


def suggested(first: int | None, stream_ms: int) -> tuple[Period, ...]:
    """Return the periods up to the stream's time that have a complete previous period, longest first."""
    covered = 0 if first is None else stream_ms // 1000 - first
    return tuple(up_to(stream_ms, length) for length in reversed(SHORT_LENGTHS) if 2 * length <= covered)


def complete(stream_ms: int, every: int, grace: float, zone: Zone = ZONE_UTC) -> tuple[Period, ...]:
    """Return the newest finished period of each length: first ``every``, which is finished ``grace`` seconds after its end.

    Then the shorter ones of SHORT_LENGTHS, longest first, without grace: a first report about a young stream need not be
    final. Whole days are days of ``zone``, also where one has 23 or 25 hours; whole weeks begin on Mondays.
    """
    lengths = [every, *(length for length in reversed(SHORT_LENGTHS) if length < every)]
    found = [_finished(stream_ms / 1000 - (grace if length == every else 0), length, zone) for length in lengths]
    return tuple(period for period in found if period.start >= 0)


def is_regular(period: Period, every: int, zone: Zone = ZONE_UTC) -> bool:
    """True if ``complete`` may return the period as the one of length ``every``: a day may have 23 or 25 hours."""
    if every % DAY:
        return period.length == every
    days = every // DAY
    return zone.group(zone.day(period.start), days) == period.start and zone.shift(period.start, days) == period.end


def _finished(seconds: float, length: int, zone: Zone) -> Period:
    """Return the newest period of a length that is over at a moment."""
    if length % DAY:
        end = int(seconds // length) * length
        return Period(end - length, end)
    end = zone.group(zone.day(seconds), length // DAY)
    return Period(zone.shift(end, -length // DAY), end)
