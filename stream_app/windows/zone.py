"""Days of a shop's time zone, each made of whole hours in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC as UTC_TZ
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

_HOUR, _DAY = 3_600, 86_400
#: The Monday from which longer bars are counted.
_MONDAY = date(1970, 1, 5).toordinal()


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone and its days. Moments are seconds since the epoch.

    Counts are kept by hours in UTC, so a day is made of these: where midnight is not a full hour in UTC, as in India, days
    begin with the hour that midnight is in. ``name``: of the IANA database.
    """

    name: str

    @property
    def is_utc(self) -> bool:
        """True if the days are those of UTC, which have windows of their own."""
        return self.name == "UTC"

    @property
    def info(self) -> tzinfo:
        """The zone for datetimes."""
        return _info(self.name)

    def local(self, seconds: float) -> datetime:
        """Return a moment as the clocks of the zone show it."""
        return datetime.fromtimestamp(seconds, self.info)

    def label(self, seconds: float) -> str:
        """Return what the clocks' time is called at a moment: ``UTC``, ``CEST``, ``UTC-03``."""
        return clock_name(self.local(seconds))

    def moment(self, ms: int) -> str:
        """Return ``23 Nov 2026, 11:41 UTC``."""
        at = self.local(ms / 1000)
        return f"{at.day} {at:%b %Y, %H:%M} {clock_name(at)}"

    def date_of(self, day: int) -> date:
        """Return the date of a day by its beginning."""
        # A day that begins before midnight does so by less than an hour.
        return self.local(day + _HOUR - 1).date()

    def begin(self, of: date) -> int:
        """Return when a date's day begins."""
        return _begin(self.name, of)

    def day(self, seconds: float) -> int:
        """Return the beginning of the day with a moment in it."""
        if self.is_utc:
            return int(seconds // _DAY) * _DAY
        at = self.local(seconds).date()
        after = self.begin(at + timedelta(1))
        return after if after <= seconds else self.begin(at)

    def shift(self, day: int, days: int) -> int:
        """Return the beginning of the day that many days after the one that begins at ``day``; before it, if negative."""
        if self.is_utc:
            return day + days * _DAY
        return self.begin(self.date_of(day) + timedelta(days))

    def days(self, start: int, end: int) -> tuple[int, ...]:
        """Return the beginnings of the days from the one that begins at ``start`` up to ``end``."""
        found, at = [], start
        while at < end:
            found.append(at)
            at = self.next_day(at)
        return tuple(found)

    def next_day(self, day: int) -> int:
        """Return where the day that begins at ``day`` ends."""
        if self.is_utc:
            return day + _DAY
        of = self.date_of(day)
        # A zone that moved across the date line has left out a date.
        while self.begin(of) <= day:
            of += timedelta(1)
        return self.begin(of)

    def group(self, day: int, days: int) -> int:
        """Return the beginning of the group of ``days`` days that a day is in; whole weeks begin on Mondays."""
        of = self.date_of(day)
        behind = (of.toordinal() - _MONDAY) % days
        return self.begin(of - timedelta(behind))

    def earlier(self, seconds: int, days: int) -> int:
        """Return the moment when the clocks showed the same time that many days before."""
        if self.is_utc:
            return seconds - days * _DAY
        return int((self.local(seconds) - timedelta(days)).timestamp())

    @property
    def whole_hours(self) -> bool:
        """True if midnight is a full hour in UTC, at present."""
        return int(datetime(2026, 1, 1, tzinfo=self.info).timestamp()) % _HOUR == 0


def clock_name(at: datetime) -> str:
    """Return what the time of a moment with a zone is called: ``UTC``, ``CEST``, ``UTC-03``."""
    name = f"{at:%Z}"
    return f"UTC{name}" if name[:1] in {"+", "-"} else name


@lru_cache(8)
def _info(name: str) -> tzinfo:
    return UTC_TZ if name == "UTC" else ZoneInfo(name)


@lru_cache(8_192)
def _begin(name: str, of: date) -> int:
    seconds = int(datetime(of.year, of.month, of.day, tzinfo=_info(name)).timestamp())
    return seconds // _HOUR * _HOUR


#: The zone whose days have windows of their own.
UTC = Zone("UTC")
